"""By when an order must have left, and who says so.

In this sequence (docs/architecture.md, "The ship deadline"): the channel's own time, which is the one agreed with the
buyer where the channel tells of an agreement; the rule of a campaign; the hours of the shop. The last two count from
the payment, of a presale from that of the balance: before that there is no deadline.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from django.db import connection, transaction
from django.db.models import Q

from orderhub.core.draft import SHIP_BY_AGREED, OrderDraft
from orderhub.core.status_graph import HOLDS_STOCK
from orderhub.core.words import DeadlineSource, Presale, Status
from orderhub.models import Order, ShipRule, Shop
from orderhub.services.batch import Batch
from orderhub.services.bulk import records, stamp
from orderhub.services.gate import let_batches_end

CHANNEL, AGREED, CAMPAIGN, DEFAULT = (
    source.value for source in (DeadlineSource.CHANNEL, DeadlineSource.AGREED, DeadlineSource.CAMPAIGN,
                                DeadlineSource.DEFAULT)
)  # fmt: skip
"""Plain texts: members of an enumeration cost more per order than the rest of a deadline."""
DEPOSIT_PAID = (Presale.DEPOSIT.value, Status.PRESALE_DEPOSIT.value)
OURS = (CAMPAIGN, DEFAULT)
"""Deadlines that the hub worked out itself; those of a channel are never touched."""
_RULE = ("id", "name", "shop_id", "platform", "ship_hours", "starts_at", "ends_at")
NOT_LEFT = sorted(status.value for status in HOLDS_STOCK)
CHUNK = 2000
"""Orders that get another deadline in one transaction, so that their batches wait for some milliseconds only."""


def rules_for(shop: Shop) -> list[ShipRule]:
    """Return the active rules that concern a shop, the one that decides first. One query.

    The most specific one decides: of the shop, then of its platform, then of all; among equals the one that starts
    last, then the one entered last.
    """
    with connection.cursor() as cursor:
        # Written as SQL: at every batch the query builder would cost more than the query.
        cursor.execute(f"SELECT {', '.join(_RULE)} FROM orderhub_shiprule WHERE is_active")  # noqa: S608  (constants)
        active = [ShipRule(**dict(zip(_RULE, row, strict=True))) for row in cursor.fetchall()]
    rules = [rule for rule in active if rule.concerns(shop)]
    return sorted(rules, key=lambda r: (r.shop_id is not None, r.platform != "", r.starts_at, r.pk), reverse=True)


def rule_at(rules: Iterable[ShipRule], paid_at: datetime) -> ShipRule | None:
    """Return the rule of `rules_for` for an order paid at that moment: from the start on, before the end."""
    return next((rule for rule in rules if rule.starts_at <= paid_at < rule.ends_at), None)


def deadline_of(draft: OrderDraft, shop: Shop, rules: Sequence[ShipRule]) -> tuple[datetime | None, str]:
    """Return by when an order must have left, and by whose word; `rules` are those of `rules_for`."""
    if draft.ship_by is not None:
        return draft.ship_by, AGREED if SHIP_BY_AGREED in draft.raw else CHANNEL
    if draft.paid_at is None or draft.presale in DEPOSIT_PAID or draft.status in DEPOSIT_PAID:
        return None, ""
    rule = rule_at(rules, draft.paid_at) if rules else None
    if rule is None:
        return draft.paid_at + timedelta(hours=shop.ship_hours), DEFAULT
    return draft.paid_at + timedelta(hours=rule.ship_hours), CAMPAIGN


def settle(batch: Batch) -> None:
    """Give every order of a batch its deadline. One query where a channel left some to the hub, else none.

    Rules are read anew for each batch, after the lock that all batches share: `follow_rules` relies on that.
    """
    orders, shop = batch.all, batch.shop
    is_ours = any(inc.draft.ship_by is None and inc.draft.paid_at is not None for inc in orders)
    rules = rules_for(shop) if is_ours else ()
    for inc in orders:
        inc.ship_by, inc.ship_by_source = deadline_of(inc.draft, shop, rules)
        if batch.is_again and inc.known is not None and inc.draft.ship_by is not None:
            # The draft was made of the pool, which knows better whose word its deadline is.
            inc.ship_by_source = inc.known.ship_by_source


def follow_rules(changed: Sequence[ShipRule]) -> int:
    """Let open orders follow rules that were added, changed (as they were and as they are) or removed, and return how
    many got another deadline. To be called after the commit of the change.

    Meant are orders that have not left and whose deadline the hub worked out itself: those paid while one of these
    rules ran, and those that have their time of any campaign, so that the next change mends one that was cut off.
    """
    let_batches_end(after="a campaign ship deadline was set")
    count = 0
    for shop in Shop.objects.order_by("pk"):
        mine = [rule for rule in changed if rule.concerns(shop)]
        if mine:
            count += _follow(shop, mine)
    return count


_FOLLOW = """
    UPDATE orderhub_order o
    SET ship_by = o.paid_at + make_interval(hours => held.hours), ship_by_source = held.source
    FROM (
        SELECT mine.id, coalesce(r.hours, %(hours)s) AS hours, CASE WHEN r.hours IS NULL THEN %(default)s
            ELSE %(campaign)s END AS source
        FROM orderhub_order mine LEFT JOIN LATERAL (
            SELECT hours FROM json_to_recordset(%(rules)s::json)
                AS rule(place int, since timestamptz, until timestamptz, hours int)
            WHERE mine.paid_at >= since AND mine.paid_at < until ORDER BY place LIMIT 1) AS r ON true
        WHERE mine.id = ANY(%(ids)s)) AS held
    WHERE o.id = held.id
        AND (o.ship_by, o.ship_by_source) IS DISTINCT FROM (o.paid_at + make_interval(hours => held.hours), held.source)
"""


def _follow(shop: Shop, changed: Sequence[ShipRule]) -> int:
    ran = [Q(paid_at__gte=rule.starts_at, paid_at__lt=rule.ends_at) for rule in changed]
    meant = reduce(or_, ran, Q(ship_by_source=CAMPAIGN))
    open_orders = Order.objects.filter(
        shop=shop, status__in=NOT_LEFT, left_at__isnull=True, ship_by_source__in=OURS, paid_at__isnull=False
    )
    ids = list(open_orders.filter(meant).order_by("external_no").values_list("pk", flat=True))
    count = 0
    for start in range(0, len(ids), CHUNK):
        with transaction.atomic(), connection.cursor() as cursor:
            chunk = open_orders.filter(pk__in=ids[start : start + CHUNK]).order_by("external_no")
            locked = list(chunk.select_for_update(no_key=True).values_list("pk", flat=True))
            # Read under the locks: of two changes at once, the later rules win, whoever comes to an order last.
            rules = [
                {"place": place, "since": stamp(rule.starts_at), "until": stamp(rule.ends_at), "hours": rule.ship_hours}
                for place, rule in enumerate(rules_for(shop))
            ]
            cursor.execute(
                _FOLLOW,
                {
                    "ids": locked, "rules": records(rules), "hours": shop.ship_hours,
                    "default": DEFAULT, "campaign": CAMPAIGN,
                },
            )  # fmt: skip
            count += cursor.rowcount
    return count
