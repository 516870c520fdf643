"""What triage could judge of an order, signal by signal, and why it could not judge the rest.

An order without a finding may be a checked one or one of which nothing was known; these must never look alike. Told is
what was true when the order was judged: by the rules of that version, and with the prices that were known then.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import F
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from orderhub.core import hooks
from orderhub.core.countries import is_china
from orderhub.core.draft import ReceiverDraft
from orderhub.core.told import bundle_names
from orderhub.core.words import ContactKind, Presale, Refund
from orderhub.models import Order, Receiver, TimelineEntry
from triage.gates import gate_texts
from triage.matchers import Words
from triage.predicates.price import MIN_SAMPLE
from triage.predicates.region import region_of
from triage.selectors.rules import version_texts

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
    if receiver is None or (not receiver.province and is_china(receiver.country)):
        return _("the channel gave no province")
    names = ReceiverDraft(
        country=receiver.country, province=receiver.province, city=receiver.city,
        detail=receiver.detail_masked.replace("*", ""),
    )  # fmt: skip
    # Whatever the word lists say of it: an unknown province is neither remote nor sensitive, nor across the border.
    if region_of(names, Words({}))[0] is None:
        return _("%(province)s: no province of that name is known") % {"province": receiver.province}
    return ""


def _ip(known: Known) -> str:
    return "" if known.order.ip_index is not None else known.reason("buyer.ip", _("the channel gives no buyer IP"))


def _buyer(known: Known) -> str:
    return "" if known.order.buyer_id is not None else known.reason("buyer.id", _("the channel gives no buyer id"))


def _price(known: Known) -> str:
    bundles = bundle_names(known.order.extra)
    single = [name for name in known.unpriced if name not in bundles]
    whole = [name for name in known.unpriced if name in bundles]
    reasons = (
        (single, _("%(skus)s: no baseline at that time: fewer than %(count)s sales, no campaign price, no list price")),
        (whole, _("%(skus)s: bundles are judged whole; at that time fewer than %(count)s sales, no campaign price")),
    )
    return _("; ").join(
        why % {"skus": _(", ").join(names[:SHOWN_SKUS]), "count": MIN_SAMPLE} for names, why in reasons if names
    )


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
    """Return every signal of these orders. Two queries, whatever their number, one more for versions not met before."""
    orders = (
        Order.objects.filter(pk__in=order_ids)
        .select_related("shop", "receiver")
        .defer("receiver__sealed", "shop__sealed_credentials")
    )
    unpriced = _unpriced(order_ids)
    versions = version_texts(order.rule_set_id for order in orders if order.rule_set_id is not None)
    found = {}
    for order in orders:
        receiver = getattr(order, "receiver", None)
        known = Known(order, receiver, hooks.hidden_facts(order.shop.platform), unpriced.get(order.pk, ()))
        version = versions.get(order.rule_set_id) if order.rule_set_id is not None else None
        asked = version.asked if version else frozenset[str]()
        found[order.pk] = [_signal(key, kind, known, asked) for key, kind in KINDS.items()]
    return found


def _signal(key: str, kind: Kind, known: Known, asked: Collection[str]) -> Signal:
    missing = kind.missing(known)
    if missing:
        return Signal(key, str(kind.label), State.UNKNOWN, missing)
    if not known.order.lane:
        return Signal(key, str(kind.label), State.HELD, _held(known.order))
    if not any(fact.startswith(kind.facts) for fact in asked):
        return Signal(key, str(kind.label), State.NO_RULE, _("no rule of that time asked for it"))
    return Signal(key, str(kind.label), State.JUDGED)


def _held(order: Order) -> str:
    if order.channel_hold:
        return gate_texts("channel_hold", {"hold": order.channel_hold})[1]
    if order.presale == Presale.DEPOSIT:
        return gate_texts("deposit_only", {})[1]
    if order.refund in {Refund.ASKED, Refund.AGREED}:
        return gate_texts("refund_open", {})[0]
    return _("only paid orders are judged")


def _unpriced(order_ids: Collection[int]) -> dict[int, list[str]]:
    """Return the articles that no price could be held against when the order was judged last.

    The timeline's entry of that judgement says so: prices known today say nothing about it.
    """
    entries = TimelineEntry.objects.filter(
        order_id__in=order_ids, at=F("order__triaged_at"), data__has_key="unpriced"
    ).values_list("order_id", "data__unpriced")
    return dict(entries)
