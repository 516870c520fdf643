import re
from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone

from channels_sync.connectors.base import AuthorisationError
from channels_sync.connectors.causes import Cause, because
from channels_sync.models import Listing, ShopSync
from channels_sync.services import health
from orderhub.core.errors import HubError, TemporaryError
from orderhub.models import Effect, InboxItem, ParkedOrder, Reject, Shop, StockLevel, Warehouse
from orderhub.models.inbox import pack
from orderhub.services.gate import set_gate
from tests.factories import make_order, make_shop

BOARD = "/ops/channels/"


def make_channel(code, platform="taobao", *, behind=timedelta(seconds=30), **values):
    """A shop whose pull is well."""
    shop = make_shop(code, platform=platform, **values)
    now = timezone.now()
    ShopSync.objects.create(shop=shop, cursor=now - behind, last_success_at=now - behind, token_state="valid")
    return shop


def make_delivery(shop, key, source="push", **values):
    return InboxItem.objects.create(shop=shop, source=source, delivery_key=key, packed_body=pack(b"{}"), **values)


def shown(client):
    """Return the codes of the tiles in the order of the page."""
    return re.findall(r'<article class="ch [^"]*" id="shop-([^"]+)"', client.get(BOARD).content.decode())


def tile_of(client, code):
    """Return the text of one tile."""
    body = client.get(BOARD).content.decode()
    part = body[body.index(f'id="shop-{code}"') :]
    part = part[: part.index("</article>")]
    return " ".join(re.sub(r"<[^>]+>", " ", part).split())


@pytest.mark.parametrize("rows", [1, 3])
def test_the_number_of_queries_does_not_grow_with_the_shops(log_in, rows, django_assert_num_queries):
    client = log_in("supervisor")
    for number in range(rows):
        shop = make_channel(f"s{number}")
        make_order(shop, received_at=timezone.now())
        make_delivery(shop, "k", state="new")
        Reject.objects.create(shop=shop, reason="no", packed_row=pack(b"{}"))
        Listing.objects.create(shop=shop, item_id="1", state="matched")
        health.record_failure(shop, HubError("no"))
    client.get(BOARD)
    with django_assert_num_queries(25):
        assert len(re.findall('<article class="ch ', client.get(BOARD).content.decode())) == rows


@pytest.mark.parametrize(
    ("role", "status"), [("supervisor", 200), ("auditor", 200), ("agent", 403), ("risk", 403), ("warehouse", 403)]
)
def test_who_may_see_it(log_in, role, status):
    client = log_in(role)
    assert client.get(BOARD).status_code == status
    assert ('href="/ops/channels/"' in client.get("/ops/").content.decode()) == (status == 200)


def test_without_shops_it_says_what_to_do(log_in):
    body = log_in("supervisor").get(BOARD).content.decode()
    assert "No shop yet." in body
    assert '/ops/orderhub/shop/add/"' in body
    assert "/ops/orderhub/shop/add/" not in log_in("auditor").get(BOARD).content.decode()


def test_the_broken_shop_comes_first_and_says_what_to_do_next(log_in):
    client = log_in("supervisor")
    for code, behind in (("a-good", timedelta(seconds=30)), ("b-late", timedelta(minutes=9))):
        make_channel(code, behind=behind)
    make_shop("0-file")
    make_shop("0-off", platform="taobao", is_active=False)
    broken = make_channel("z-broken", "jd")
    health.record_failure(broken, because(Cause.SECRET, HubError("JD refuses the signature")))
    passing = make_channel("c-passing")
    health.record_failure(passing, because(Cause.NETWORK, TemporaryError("no answer within 10 seconds")))
    Shop.objects.update(warehouse=Warehouse.objects.create(code="WH01", name="仓"))
    assert shown(client) == ["z-broken", "b-late", "c-passing", "0-file", "a-good", "0-off"]
    text = tile_of(client, "z-broken")
    assert "◆ Application key or secret wrong" in text
    assert "Copy key and secret from the platform's developer page again" in text.replace("&#x27;", "'")
    assert "JD refuses the signature" in text
    assert "● Platform not reached" in tile_of(client, "c-passing")
    assert "● Behind" in tile_of(client, "b-late")
    assert "✓ Healthy" in tile_of(client, "a-good")
    assert "Sends by itself" in tile_of(client, "0-file")
    assert "Switched off" in tile_of(client, "0-off")
    body = " ".join(client.get(BOARD).content.decode().split())
    assert "1 shop needs a person" in body
    assert "2 shops to watch" in body


def test_a_shop_without_a_warehouse_says_where_to_set_one(log_in):
    shop = make_channel("homeless")
    client = log_in("supervisor")
    text = tile_of(client, "homeless")
    assert "● No warehouse" in text
    assert "its regular orders wait" in text
    assert f"/ops/orderhub/shop/{shop.pk}/change/" in client.get(BOARD).content.decode()


def listing_with_stock(shop, number, shown, **values):
    StockLevel.objects.get_or_create(sku="A", warehouse="WH01", defaults={"on_hand": 5, "reserved": 0})
    row = Listing.objects.create(
        shop=shop, item_id=number, title=f"item {number}", state="matched", shown=shown, **values
    )
    row.parts.create(sku="A", quantity=1)


@pytest.mark.parametrize(
    ("error", "state", "what", "view", "items"),
    [
        ("no such item", "done", "The channel did not take the stock of 1 items.", "failing", ["2"]),
        ("", "dead", "The channel takes no stock; 2 items wait.", "waiting", ["1", "2"]),
    ],
)
def test_stock_that_was_not_taken_leads_to_its_items(log_in, error, state, what, view, items):
    client, shop = log_in("supervisor"), make_channel("tb")
    listing_with_stock(shop, "1", 4)
    listing_with_stock(shop, "2", None, stock_error=error)
    listing_with_stock(shop, "3", 5)
    now = timezone.now()
    Effect.objects.create(shop=shop, kind="stock", key="stock", state=state, due_at=now, created_at=now)
    body = unescape(client.get(BOARD).content.decode())
    link = f"/ops/channels_sync/listing/?shop={shop.pk}&view={view}"
    assert (what in body, f'href="{link}"' in body) == (True, True)
    assert sorted(re.findall(r"item (\d)", client.get(link).content.decode())) == items


def test_the_figures_of_a_shop(log_in):
    client = log_in("supervisor")
    shop, other = make_channel("dy", "douyin"), make_channel("other", "douyin")
    now = timezone.now()
    for minutes in (1, 2, 30, 61):
        make_order(shop, received_at=now - timedelta(minutes=minutes))
    for number in range(3):
        make_delivery(shop, f"push:{number}", state="done")
    make_delivery(shop, "poll", "poll", state="done")
    make_delivery(shop, "waiting", state="new")
    make_delivery(shop, "old", state="done", received_at=now - timedelta(hours=2))
    Reject.objects.create(shop=shop, reason="no", packed_row=pack(b"{}"))
    Reject.objects.create(shop=shop, reason="no", packed_row=pack(b"{}"), state="dismissed", row=2)
    for number, state in enumerate(("dead", "dead", "done")):
        Effect.objects.create(shop=shop, kind="sms", key=str(number), state=state, due_at=now, created_at=now)
    text = tile_of(client, "dy")
    assert "Orders 10 min / 1 h 2 / 3" in text
    assert "Pushes / pulls 1 h 4 / 1" in text
    assert "Inbox waiting 1" in text
    assert "Rejects open 1" in text
    assert "Dead letters 2" in text
    assert "Orders 10 min / 1 h 0 / 0" in tile_of(client, other.code)


def test_how_long_the_authorisation_lasts(log_in):
    client = log_in("supervisor")
    soon, none, refused = make_channel("soon", "jd"), make_channel("none"), make_channel("refused", "jd")
    ShopSync.objects.filter(shop=soon).update(token_expires_at=timezone.now() + timedelta(days=3, hours=4, minutes=5))
    health.record_failure(refused, AuthorisationError("token ran out"))
    assert "Authorisation 3 d 4 h renewed by itself" in tile_of(client, "soon")
    assert "Authorisation accepted no end known" in tile_of(client, none.code)
    assert "Authorisation refused" in tile_of(client, "refused")


def test_a_token_without_a_known_end_that_is_not_renewed_is_told_without_a_date(log_in):
    shop = make_channel("typed", "jd")
    ShopSync.objects.filter(shop=shop).update(token_error="no refresh token")
    assert "The authorisation could not be renewed. Press" in tile_of(log_in("supervisor"), "typed")


def test_a_gate_that_is_not_open_stands_above_everything(log_in):
    client = log_in("supervisor")
    shop = make_channel("tb")
    ParkedOrder.objects.create(
        shop=shop, external_no="T1", modified_at=timezone.now(), ship_by=timezone.now(), packed_row=pack(b"{}"),
        reader="draft", source="poll",
    )  # fmt: skip
    assert "gate-banner" not in client.get(BOARD).content.decode()
    set_gate(shop_id=None, state="paused", reason="warehouse floods", actor="boss")
    body = " ".join(client.get(BOARD).content.decode().split())
    assert '<section class="gate-banner gate-red" role="status">' in body
    assert "Intake paused for all shops" in body
    assert "by boss, because: warehouse floods" in body
    assert "1 order waits before the gate" in body
    assert "Gate Paused 1 wait" in tile_of(client, "tb")
    set_gate(shop_id=None, state="open", reason="all well", actor="boss")
    set_gate(shop_id=shop.pk, state="trickle", rate_per_minute=60, reason="slow start", actor="boss")
    body = client.get(BOARD).content.decode()
    assert "for all shops" not in body
    assert "Gate 60 / min 1 wait" in tile_of(client, "tb")
    assert "lets in 60 orders a minute: slow start" in tile_of(client, "tb")


def test_what_people_and_platforms_typed_is_escaped(log_in):
    client = log_in("supervisor")
    shop = make_channel("x", name="<script>alert(1)</script>")
    health.record_failure(shop, HubError("<img src=x>"))
    body = client.get(BOARD).content.decode()
    assert "<script>alert(1)" not in body
    assert "<img src=x>" not in body


def test_a_silent_channel_shows_what_is_usual(log_in):
    client = log_in("supervisor")
    shop = make_channel("dy", "douyin")
    now = timezone.now()
    for minutes in range(15, 75):
        for second in (0, 20, 40):
            moment = now - timedelta(minutes=minutes, seconds=second)
            make_order(shop, created_at=moment, received_at=moment)
    text = tile_of(client, "dy")
    assert "◆ Silent" in text
    assert re.search(r"0 orders within 10 minutes where 2\d are usual, the last one 15 minutes ago.", text)
    assert re.search(r"Orders 10 min / 1 h 0 / 1\d\d 2\d usual in 10 min", text)
