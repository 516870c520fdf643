"""The status in one sentence that an agent can read to the customer. It never says more than there is evidence for,
and nothing of why the hub looks at an order."""

from collections.abc import Callable
from datetime import datetime
from operator import itemgetter

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from orderhub.core.status_graph import ENDED, RANK
from orderhub.core.words import Status
from orderhub.selectors.orders import OrderPage

S = Status

_PLAIN: dict[str, str | Promise] = {
    S.UNPAID: gettext_lazy("This order has not been paid yet."),
    S.PRESALE_DEPOSIT: gettext_lazy("The deposit has arrived; we ship once the balance is paid."),
    S.PAID: gettext_lazy("Your payment has arrived and we are checking the order."),
    S.IN_TRIAGE_HOLD: gettext_lazy("We are checking the details of your order by hand and arrange it right after."),
    S.READY: gettext_lazy("Your order is confirmed and goes to the warehouse next."),
    S.WMS_QUEUED: gettext_lazy("Your order is on its way to the warehouse's list."),
    S.WMS_ACCEPTED: gettext_lazy("The warehouse has your order and prepares it."),
    S.PICKING: gettext_lazy("The warehouse is picking your articles."),
    S.PACKED: gettext_lazy("Your order is packed and about to be handed to the courier."),
    S.AWAITING_PICKUP: gettext_lazy("Your parcel is packed and waits for the courier to pick it up."),
    S.IN_TRANSIT: gettext_lazy("Your parcel is on its way."),
    S.OUT_FOR_DELIVERY: gettext_lazy("The courier is delivering your parcel now."),
    S.DELIVERED: gettext_lazy("Your parcel has been delivered."),
    S.COMPLETED: gettext_lazy("This order is completed."),
    S.CANCELLED: gettext_lazy("This order has been cancelled."),
    S.REFUNDING: gettext_lazy("Your refund is being handled."),
    S.REFUNDED: gettext_lazy("This order has been refunded."),
    S.INTERCEPTING: gettext_lazy("We are stopping this parcel on its way."),
    S.WMS_FAILED: gettext_lazy("Your order is confirmed; we are arranging it with the warehouse again."),
    S.SHORT: gettext_lazy("An article of your order is short of stock; we are arranging it and will get back to you."),
    S.RETURNING: gettext_lazy("Your parcel is on its way back to us."),
}


def status_sentence(page: OrderPage, now: datetime | None = None) -> str:
    """Return what to tell the customer about this order."""
    now = now or timezone.now()
    order = page.order
    first = str(_PLAIN.get(order.status, _("We are looking into your order.")))
    parts = (first, _evidence(page, now), _deadline(order.status, order.ship_by, now))
    gap = "" if get_language().startswith("zh") else " "
    return gap.join(part for part in parts if part)


def _evidence(page: OrderPage, now: datetime) -> str:
    """Return since when the carrier has the last parcel that is still on its way, or when the last one arrived."""
    status = page.order.status
    if status in {S.IN_TRANSIT, S.OUT_FOR_DELIVERY}:
        left = [(one.handed_over_at, one) for one in page.parcels if one.handed_over_at and not one.delivered_at]
        if left:
            since, parcel = max(left, key=itemgetter(0))
            values = {"carrier": parcel.carrier_name, "no": parcel.tracking_no, "time": day_and_time(since, now)}
            return _("%(carrier)s has had it since %(time)s, tracking number %(no)s.") % values
    arrived = [one.delivered_at for one in page.parcels if one.delivered_at]
    if status in {S.DELIVERED, S.COMPLETED} and arrived:
        return _("It arrived on %(time)s.") % {"time": day_and_time(max(arrived), now)}
    return ""


def _deadline(status: str, ship_by: datetime | None, now: datetime) -> str:
    """Return the promise to ship, only while it is still to be kept by us."""
    if ship_by is None or not awaits_shipping(status):
        return ""
    if ship_by <= now:
        return _("It should have left by %(time)s; we are sorry and hurry it along.") % {
            "time": day_and_time(ship_by, now)
        }
    return _("It leaves by %(time)s.") % {"time": day_and_time(ship_by, now)}


def awaits_shipping(status: str) -> bool:
    """Tell whether an order is paid and has not left yet."""
    if status not in S or S(status) in ENDED | {S.UNPAID, S.PRESALE_DEPOSIT}:
        return False
    return RANK.get(S(status), 99) < RANK[S.IN_TRANSIT] or status in {S.WMS_FAILED, S.SHORT}


def day_and_time(moment: datetime, now: datetime) -> str:
    """Return a moment as one says it: "today 18:00", "tomorrow 09:30", else with the date."""
    local, here = timezone.localtime(moment), timezone.localtime(now)
    clock = local.strftime("%H:%M")
    say: dict[int, Callable[[], str]] = {
        -1: lambda: _("yesterday %(clock)s"),
        0: lambda: _("today %(clock)s"),
        1: lambda: _("tomorrow %(clock)s"),
    }
    known = say.get((local.date() - here.date()).days)
    if known:
        return known() % {"clock": clock}
    return f"{date_format(local, 'MONTH_DAY_FORMAT')} {clock}"
