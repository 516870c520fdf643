"""Look-ups through the API against the same question in raw SQL, over whatever the pool holds.

The API is called as a server calls it: the WSGI application with every middleware, token check, JSON in and out, log
lines (to /dev/null). Raw is psycopg without prepared statements, one hand-written query that returns the same newest
20 rows: it sorts what matches before it fetches anything of it, since the planner is else lured into walking all
orders by their key (100 to 300 ms at a million). Both are warm and take turns.
"""

import io
import random
import time
from collections.abc import Callable, Iterable, Sequence
from statistics import quantiles
from typing import Any

import orjson
import psycopg
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection

from orderhub.core.contacts import canonical_phone, phone_tail
from orderhub.core.crypto import blind, gram
from orderhub.models import Buyer, Order, Receiver
from orderhub.services.access import ORDERS_READ, issue_token, revoke_token
from orderhub.services.limits import API_SEARCHES
from tests.benchmarks.data import Quiet, bench_shop, fill

TURNS = 600
KEYS = 200
ENOUGH = 50_000
"""A smaller pool is filled up to here; `manage.py bench --orders N` asks for more."""

ROWS = """
    SELECT o.id, o.external_no, s.code, o.status, o.lane, o.is_urgent, o.created_at, o.total_fen, r.name_masked,
           r.phone_masked, r.city
    FROM newest n JOIN orderhub_order o ON o.id = n.id JOIN orderhub_shop s ON s.id = o.shop_id
    LEFT JOIN orderhub_receiver r ON r.order_id = o.id ORDER BY o.id DESC"""
MATCH = {
    "order number": """SELECT id FROM orderhub_order
        WHERE shop_id = ANY(ARRAY(SELECT id FROM orderhub_shop)) AND external_no = %s LIMIT 2000""",
    "tracking number": """SELECT po.order_id AS id FROM orderhub_parcel p
        JOIN orderhub_parcel_orders po ON po.parcel_id = p.id WHERE p.tracking_no = %s LIMIT 2000""",
    "phone": "SELECT order_id AS id FROM orderhub_receiver WHERE phone_index = %s LIMIT 2000",
    "phone tail": """SELECT order_id AS id FROM orderhub_receiver WHERE tail_index = %s
        ORDER BY order_id DESC LIMIT 20""",
    "buyer id": """SELECT o.id FROM orderhub_buyer b JOIN orderhub_order o ON o.buyer_id = b.id
        WHERE b.external_id = %s LIMIT 2000""",
    "nickname": """SELECT o.id FROM (SELECT id FROM orderhub_buyer WHERE nickname LIKE %s LIMIT 200) b
        JOIN orderhub_order o ON o.buyer_id = b.id LIMIT 2000""",
    "name contains": "SELECT order_id AS id FROM orderhub_receiver WHERE name_grams @> %s::text[] LIMIT 2000",
}
MATCH["name contains, 2 characters"] = MATCH["name contains"]


def lookup() -> Iterable[dict[str, Any]]:
    """Each kind of key: p50 and p99 through the API, ratio to raw SQL."""
    _prepare()
    held = f"{Order.objects.count():,} orders"
    token, secret = issue_token(name=f"bench-{time.time()}", scopes=[ORDERS_READ], actor="bench")
    call = _caller(secret)
    found: dict[str, tuple[list[float], list[float]]] = {}
    try:
        with Quiet(), psycopg.connect(_conninfo(), autocommit=True, prepare_threshold=None) as raw:
            for kind, keys in _keys().items():
                found[kind] = _measure(kind, keys, call, raw, lambda: API_SEARCHES.forget(str(token.pk)))
    finally:
        revoke_token(token_id=token.pk, actor="bench")
    for kind, (ours, theirs) in found.items():
        for point, limit in ((50, 10), (99, 12)):
            yield _line(f"look-up by {kind}, p{point}, {held}", ours, theirs, point, limit)
    exact = _point(found["order number"][1], 99)
    for kind in ("name contains", "name contains, 2 characters"):
        ratio = _point(found[kind][1], 99) / exact
        yield {
            "name": f"{kind} ÷ order number, p99 of SQL, {held}", "value": _point(found[kind][1], 99), "unit": "ms",
            "reference": f"order number {exact:.2f} ms", "ratio": ratio, "target": "≤ 8", "met": ratio <= 8,
        }  # fmt: skip


def _line(name: str, ours: list[float], theirs: list[float], point: int, limit: int) -> dict[str, Any]:
    mine, raw = _point(ours, point), _point(theirs, point)
    ratio = mine / raw
    return {
        "name": name, "value": mine, "unit": "ms", "reference": f"raw SQL {raw:.2f} ms", "ratio": ratio,
        "target": f"≤ {limit}", "met": ratio <= limit,
    }  # fmt: skip


def _point(times: list[float], point: int) -> float:
    return quantiles(times, n=100)[point - 1]


def _prepare() -> None:
    """Fill a small pool up and give the newest orders parcels, so that there is something to find by every key."""
    if Order.objects.count() < ENOUGH:
        fill(ENOUGH)
    shop = bench_shop()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orderhub_parcel")
        if cursor.fetchone()[0] < KEYS:
            cursor.execute(
                """
                WITH made AS (
                    INSERT INTO orderhub_parcel (shop_id, carrier, tracking_no, warehouse_code, created_at)
                    SELECT %s, 'SF', 'SF' || id, '', now() FROM (
                        SELECT id FROM orderhub_order ORDER BY id DESC LIMIT 100000) newest
                    RETURNING id, tracking_no)
                INSERT INTO orderhub_parcel_orders (parcel_id, order_id)
                SELECT id, substr(tracking_no, 3)::bigint FROM made
                """,
                [shop.pk],
            )
        cursor.execute("ANALYZE")


def _keys() -> dict[str, list[tuple[str, Any]]]:
    """Return, per kind, search texts with the parameter of the raw query, drawn evenly over the pool."""
    rng = random.Random(7)
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(id), max(id) FROM orderhub_order")
        low, high = cursor.fetchone()
    picked = Order.objects.filter(id__in=[rng.randint(low, high) for _ in range(40 * KEYS)])
    rows = list(picked.select_related("receiver").values_list("id", "external_no", "buyer_id")[: 20 * KEYS])
    opened = [receiver.open() for receiver in Receiver.objects.filter(order_id__in=[row[0] for row in rows])]
    plain = [clear for clear in opened if clear.get("phone", "").isdigit() and "*" not in clear.get("name", "*")]
    buyers = Buyer.objects.filter(id__in=[row[2] for row in rows if row[2]]).exclude(nickname="")[:KEYS]
    with connection.cursor() as cursor:
        cursor.execute("SELECT tracking_no FROM orderhub_parcel ORDER BY id DESC LIMIT 50000")
        parcels = rng.sample([row[0] for row in cursor.fetchall()], KEYS)
    names = [clear["name"] for clear in plain if len(clear["name"]) >= 2]
    return {
        "order number": [(row[1], row[1]) for row in rows[:KEYS]],
        "phone": [(c["phone"], blind(b"phone", canonical_phone(c["phone"]))) for c in plain[:KEYS]],
        "phone tail": [(phone_tail(c["phone"]), blind(b"tail", phone_tail(c["phone"]))) for c in plain[:KEYS]],
        "tracking number": [(number, number) for number in parcels],
        "buyer id": [(buyer.external_id, buyer.external_id) for buyer in buyers],
        "nickname": [(buyer.nickname[:8], buyer.nickname[:8] + "%") for buyer in buyers],
        "name contains": [(name, _grams(name)) for name in names[:KEYS]],
        "name contains, 2 characters": [(name[-2:], _grams(name[-2:])) for name in names[-KEYS:]],
    }


def _grams(text: str) -> list[str]:
    return [gram(text[i : i + 2]) for i in range(len(text) - 1)]


def _measure(
    kind: str,
    keys: Sequence[tuple[str, Any]],
    call: Callable[[str], int],
    raw: psycopg.Connection[Any],
    forget: Callable[[], None],
) -> tuple[list[float], list[float]]:
    """Return the milliseconds of the API and of raw SQL for the same keys, in turns, after a warm round of each.

    `forget` clears the counter that would stop the client in the middle of a minute.
    """
    newest = "SELECT id FROM m ORDER BY id DESC LIMIT 20"
    query = f"WITH m AS MATERIALIZED ({MATCH[kind]}), newest AS MATERIALIZED ({newest}) {ROWS}"
    ours: list[float] = []
    theirs: list[float] = []
    for turn in range(-len(keys), TURNS):
        if turn % 100 == 0:
            forget()
        text, value = keys[turn % len(keys)]
        started = time.perf_counter()
        shown = call(text)
        between = time.perf_counter()
        rows = raw.execute(query, [value]).fetchall()
        ended = time.perf_counter()
        assert shown, f"{kind}: nothing found by the API"
        assert rows, f"{kind}: nothing found by SQL"
        if turn >= 0:
            ours.append(1000 * (between - started))
            theirs.append(1000 * (ended - between))
    return ours, theirs


def _caller(secret: str) -> Callable[[str], int]:
    """Return a function that searches through the WSGI application and returns how many orders came back."""
    application = get_wsgi_application()
    fixed = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/api/v1/orders/search/", "SCRIPT_NAME": "", "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json", "HTTP_AUTHORIZATION": f"Token {secret}", "SERVER_NAME": "localhost",
        "SERVER_PORT": "80", "HTTP_HOST": "localhost", "REMOTE_ADDR": "127.0.0.1", "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "https", "wsgi.errors": io.StringIO(), "wsgi.version": (1, 0),
    }  # fmt: skip

    def call(text: str) -> int:
        body = orjson.dumps({"q": text})
        told: list[str] = []
        environ = {**fixed, "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
        response = application(environ, lambda status, *_: told.append(status))  # type: ignore[arg-type]
        answer = b"".join(response)
        response.close()  # type: ignore[attr-defined]
        assert told == ["200 OK"], answer
        return len(orjson.loads(answer)["results"])

    return call


def _conninfo() -> str:
    known = settings.DATABASES["default"] | connection.settings_dict
    return psycopg.conninfo.make_conninfo(
        dbname=known["NAME"], user=known["USER"], password=known["PASSWORD"], host=known["HOST"], port=known["PORT"]
    )


BENCHMARKS: dict[str, Callable[[], Iterable[dict[str, Any]]]] = {"lookup": lookup}
