"""Orders that a person ships past the warehouse system: cash on delivery, what the warehouse refused, what was bought
elsewhere. From then on they are shipped like any other: parcel, stock, the one status, the channel's word.
"""

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from channels_sync.connectors.cash import HOLD
from channels_sync.services.handover import tell_channels
from orderhub.core.errors import HubError
from orderhub.core.parcels import ToldParcel
from orderhub.core.words import EffectKind, Lane, Source, Status
from orderhub.models import Order
from orderhub.services import outbox
from orderhub.services.paths import LANE_KINDS
from orderhub.services.shipments import HandOver, hand_over
from orderhub.services.status import Claim, apply_claims

PERMISSION = "orderhub.ship_by_hand"
RELEASE, RELEASE_ABNORMAL = "orderhub.release_order", "orderhub.release_abnormal"
KIND = "shipped_by_hand"
FREE = frozenset({Status.PAID, Status.READY, Status.SHORT, Status.WMS_FAILED, Status.IN_TRIAGE_HOLD})
"""Where no warehouse has the order. One on its way there is not free: both might send it."""
_WAITING = LANE_KINDS | {EffectKind.WMS_PUSH, EffectKind.WAREHOUSE_HEADS_UP}
"""What is wanted of people and warehouses before an order has left."""


def refusal(order: Order, user: User) -> str:
    """Return why a person may not ship an order by hand now; an empty text when he may."""
    if order.status not in FREE:
        return _("An order that is %(status)s cannot be shipped by hand.") % {"status": order.get_status_display()}
    if order.channel_hold not in {"", HOLD}:
        return _("The channel holds the order: it may not be shipped.")
    if order.status == Status.IN_TRIAGE_HOLD:
        if order.lane == Lane.ABNORMAL:
            decides = user.has_perm(RELEASE_ABNORMAL)
            return "" if decides else _("The order is frozen: a supervisor or risk reviewer decides.")
        if not user.has_perm(RELEASE):
            return _("The order is held: somebody who may release it ships it, or releases it first.")
    return ""


@transaction.atomic
def ship_by_hand(*, order_id: int, parcel: ToldParcel, warehouse: str, reason: str, user: User) -> None:
    """Note that everything of an order has left in one parcel, and have its channel told.

    `warehouse` is the code of the one whose stock the pieces are taken off, empty where they never were in ours. What
    waits to be sent to the warehouse or asked of people is dropped. The lock on the order decides between this and a
    push that begins at the same moment. Raises PermissionDenied, and HubError with the reason where the order is not
    free to go (also for a second click).
    """
    if not user.has_perm(PERMISSION):
        raise PermissionDenied
    order = Order.objects.select_for_update(of=("self",), no_key=True).get(pk=order_id)
    problem = refusal(order, user)
    if problem:
        raise HubError(problem)
    now, actor = timezone.now(), user.get_username()
    handed = hand_over(
        hand_overs=[HandOver(order_id, now, True, warehouse, (parcel,), source=Source.PERSON)], actor=actor
    )
    facts = {"reason": reason, "warehouse": warehouse}
    apply_claims(claims=[Claim(order_id, Source.PERSON, Status.IN_TRANSIT, now, KIND, facts)], actor=actor)
    with connection.cursor() as cursor:
        outbox.drop_others(cursor, kinds=_WAITING, order_ids=[order_id], wanted=(), dead_too=True)
    tell_channels(handed)
