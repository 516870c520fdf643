"""What triage could judge of an order, signal by signal, and why it could not judge the rest.

An order without a finding may be a checked one or one of which nothing was known; these must never look alike.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from orderhub.core import hooks
from orderhub.core.errors import TemporaryError
from orderhub.core.words import ContactKind, Presale, Refund
from orderhub.models import Order, Receiver
from triage.gates import gate_texts
from triage.predicates.price import MIN_SAMPLE
from triage.selectors.rules import current_rules

HIDING = frozenset({ContactKind.MASKED, ContactKind.CIPHER})
SHOWN_SKUS = 5


class State(StrEnum):
    """What became of one signal of one order."""

    JUDGED = "judged"
    UNKNOWN = "unknown"
    NO_RULE = "no_rule"
    HELD = "held"


STATES: Mapping[State, Promise] = {
    State.JUDGED: pgettext_lazy("signal", "judged"),
    State.UNKNOWN: pgettext_lazy("signal", "not judged"),
    State.NO_RULE: pgettext_lazy("signal", "no rule asks"),
    State.HELD: pgettext_lazy("signal", "not yet judged"),
}


@dataclass(slots=True, frozen=True)
class Signal:
    """One signal of one order; `why` says why it was not judged."""

    key: str
    label: str
    state: State
    why: str = ""

    @property
    def state_label(self) -> str:
        """The state in the reader's language."""
        return str(STATES[self.state])


@dataclass(slots=True, frozen=True)
class Known:
    """What the pool holds of one order, and what its platform keeps back, with the platform's reasons by fact."""

    order: Order
    receiver: Receiver | None
    hidden: Mapping[str, str]
    unpriced: Sequence[str]

    def reason(self, fact: str, otherwise: str) -> str:
        """Return the platform's reason where it keeps the fact back."""
        return self.hidden.get(fact) or otherwise


@dataclass(slots=True, frozen=True)
class Kind:
    """One kind of signal: the facts of rules that draw on it, the channel's own, and what makes it unknown."""

    label: Promise
    facts: tuple[str, ...]
    source: str
    missing: Callable[[Known], str]


def _phone(known: Known) -> str:
    receiver = known.receiver
    if receiver is None:
        return _("The receiver's data is no longer kept.")
    if receiver.kind in HIDING or (not receiver.phone_masked and receiver.oaid):
        return known.reason("receiver.phone", _("masked by the platform"))
    return ""


def _address(known: Known) -> str:
    receiver = known.receiver
    if receiver is None:
        return _("The receiver's data is no longer kept.")
    # A platform that masks phones only still shows addresses; of a source that says nothing the worse is assumed.
    hides = "receiver.detail" in known.hidden or not known.hidden
    if receiver.kind == ContactKind.CIPHER or (hides and receiver.kind in HIDING):
        return known.reason("receiver.detail", _("masked by the platform"))
    if receiver.kind == ContactKind.VIRTUAL and "receiver.detail" in known.hidden:
        return known.hidden["receiver.detail"]
    return ""


def _region(known: Known) -> str:
    receiver = known.receiver
    return "" if receiver is not None and receiver.province else _("the channel gave no province")


def _ip(known: Known) -> str:
    return "" if known.order.ip_index is not None else known.reason("buyer.ip", _("the channel gives no buyer IP"))


def _buyer(known: Known) -> str:
    return "" if known.order.buyer_id is not None else known.reason("buyer.id", _("the channel gives no buyer id"))


def _price(known: Known) -> str:
    if not known.unpriced:
        return ""
    why = _("%(skus)s: no baseline: fewer than %(count)s sales, no campaign price, no list price")
    return why % {"skus": ", ".join(known.unpriced[:SHOWN_SKUS]), "count": MIN_SAMPLE}


def _never(known: Known) -> str:
    del known
    return ""


KINDS: Mapping[str, Kind] = {
    "phone": Kind(gettext_lazy("Phone number"), ("phone.",), "receiver.phone", _phone),
    "address": Kind(gettext_lazy("Address below the district"), ("address.",), "receiver.detail", _address),
    "region": Kind(gettext_lazy("Province, city, district"), ("region.",), "receiver.region", _region),
    "ip": Kind(gettext_lazy("Orders from the same IP"), ("ip.",), "buyer.ip", _ip),
    "buyer": Kind(gettext_lazy("Repeated purchases and buyer lists"), ("buyer.", "duplicate."), "buyer.id", _buyer),
    "price": Kind(gettext_lazy("Unit price"), ("price.",), "line.price", _price),
    "amount": Kind(gettext_lazy("Amounts and quantities"), ("amount.",), "", _never),
    "remark": Kind(gettext_lazy("Remarks"), ("remark.",), "buyer.remark", _never),
}
"""In the order in which they are shown."""


def signals_of(order_ids: Collection[int]) -> dict[int, list[Signal]]:
    """Return every signal of these orders. Three queries, whatever their number."""
    orders = (
        Order.objects.filter(pk__in=order_ids)
        .select_related("shop", "receiver")
        .defer("receiver__sealed", "shop__sealed_credentials")
    )
    asked, unpriced = _asked(), _unpriced(order_ids)
    found = {}
    for order in orders:
        receiver = getattr(order, "receiver", None)
        known = Known(order, receiver, hooks.hidden_facts(order.shop.platform), unpriced.get(order.pk, ()))
        found[order.pk] = [_signal(key, kind, known, asked) for key, kind in KINDS.items()]
    return found


def _signal(key: str, kind: Kind, known: Known, asked: Collection[str]) -> Signal:
    missing = kind.missing(known)
    if missing:
        return Signal(key, str(kind.label), State.UNKNOWN, missing)
    if not known.order.lane:
        return Signal(key, str(kind.label), State.HELD, _held(known.order))
    if not any(fact.startswith(kind.facts) for fact in asked):
        return Signal(key, str(kind.label), State.NO_RULE, _("no rule in force asks for it"))
    return Signal(key, str(kind.label), State.JUDGED)


def _held(order: Order) -> str:
    if order.channel_hold:
        return gate_texts("channel_hold", {"hold": order.channel_hold})[1]
    if order.presale == Presale.DEPOSIT:
        return gate_texts("deposit_only", {})[1]
    if order.refund in {Refund.ASKED, Refund.AGREED}:
        return gate_texts("refund_open", {})[0]
    return _("only paid orders are judged")


def _asked() -> set[str]:
    """Return the facts that the rules in force ask for, shadow rules left out."""
    try:
        rules = current_rules().rules
    except TemporaryError:
        return set()
    return {fact.key for rule in rules if not rule.is_shadow for fact in rule.facts}


def _unpriced(order_ids: Collection[int]) -> dict[int, list[str]]:
    """Return the SKUs of each order that no price can be held against."""
    found: dict[int, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT l.order_id, l.sku FROM orderhub_orderline l JOIN orderhub_order o ON o.id = l.order_id
            WHERE l.order_id = ANY(%(orders)s) AND l.sku <> ''
              AND NOT EXISTS (SELECT FROM orderhub_sku s WHERE s.code = l.sku AND s.list_price_fen > 0)
              AND NOT EXISTS (SELECT FROM triage_campaignprice c WHERE c.sku = l.sku
                AND (c.shop_id IS NULL OR c.shop_id = o.shop_id)
                AND c.starts_at <= o.created_at AND c.ends_at > o.created_at)
              AND NOT EXISTS (SELECT FROM triage_skubaseline b
                WHERE b.shop_id = o.shop_id AND b.sku = l.sku AND b.sample >= %(sample)s)
            ORDER BY 1, 2
            """,
            {"orders": list(order_ids), "sample": MIN_SAMPLE},
        )
        for order_id, sku in cursor.fetchall():
            found.setdefault(order_id, []).append(sku)
    return found
