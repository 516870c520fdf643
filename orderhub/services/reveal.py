"""Showing personal data: one order at a time, with permission, reason, quota and a log row written first."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.utils.translation import gettext as _

from orderhub.core import hooks
from orderhub.core.crypto import UnreadableError
from orderhub.core.errors import HubError
from orderhub.core.opening import PARTS, OpeningQuota
from orderhub.core.words import ContactKind
from orderhub.models import Receiver, Reveal

PERMISSION = "orderhub.reveal_personal_data"
MIN_REASON = 2


class ErasedError(HubError):
    """The order has no personal data any more."""


class SealedError(HubError):
    """Nothing was shown: no data key opens what is stored."""

    def __init__(self) -> None:
        text = _("The sealed data cannot be opened: a data key is missing. Tell an administrator; no look was counted.")
        super().__init__(text)


def reveal(*, order_id: int, user: User, reason: str, place: str, parts: Sequence[str] = PARTS) -> dict[str, Any]:
    """Return name, phone, detail and postcode of an order's receiver in clear.

    What the platform gave masked or as cipher text is asked of it, `parts` only, against its quota: `virtual_until`
    then says how long a virtual number works, `problem` what could not be opened and why. Not inside a transaction.

    Raises PermissionDenied without the permission, HubError for a missing reason, a used-up quota
    (`HUB_REVEALS_PER_HOUR`) or data that was erased or cannot be opened. The log row is committed before anything is
    shown: what cannot be logged is not shown.
    """
    if not user.has_perm(PERMISSION):
        raise PermissionDenied
    reason = reason.strip()
    if len(reason) < MIN_REASON:
        raise HubError(_("Give the reason for looking at personal data."))
    receiver = Receiver.objects.filter(order_id=order_id).first()
    if receiver is None:
        raise ErasedError(_("The personal data of this order was erased."))
    with transaction.atomic():
        _count_against_quota(user)
        look = Reveal.objects.create(order_id=order_id, user=user, reason=reason[:200], place=place)
    try:
        clear = receiver.open()
    except UnreadableError as error:
        Reveal.objects.filter(pk=look.pk).update(shown=False)
        raise SealedError from error
    shown = {name: clear.get(name, "") for name in (*PARTS, "postcode")}
    opening = hooks.open_at_platform(order_id, user.pk, parts) if may_open(receiver) else None
    if opening is None:
        return shown
    return {**shown, **opening.texts, "virtual_until": opening.virtual_until, "problem": opening.problem}


def asked_parts(text: str) -> Sequence[str]:
    """Return the one part that a form asks for, or all of them."""
    return (text,) if text in PARTS else PARTS


def may_open(receiver: Receiver) -> bool:
    """Tell whether the platform may know more of this receiver than the hub was given."""
    # A virtual number ends some time after the order; a platform may give another one.
    return receiver.kind != ContactKind.PLAIN


def opening_quota(receiver: Receiver | None, user: User) -> OpeningQuota | None:
    """Return what this person may still have opened of an order by its platform; None where nothing can be opened."""
    if receiver is None or not may_open(receiver) or not user.has_perm(PERMISSION):
        return None
    return hooks.opening_quota(receiver.order_id, user.pk)


def _count_against_quota(user: User) -> None:
    with connection.cursor() as cursor:
        # Two requests of one person at once must not both take the last place.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('reveal'), %s)", [user.pk])
        cursor.execute(
            "SELECT count(*) FROM orderhub_reveal WHERE user_id = %s AND at > now() - interval '1 hour' AND shown",
            [user.pk],
        )
        used = cursor.fetchone()[0]
    if used >= settings.HUB_REVEALS_PER_HOUR:
        raise HubError(_("You have used up your reveals for this hour. Ask a supervisor."))
