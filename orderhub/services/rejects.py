"""Rejected rows: keeping them, trying them again or setting them aside, and looking at the raw row, which may hold
personal data."""

from collections.abc import Iterable
from datetime import timedelta

import structlog
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from orderhub.core.crypto import UnreadableError
from orderhub.core.errors import HubError
from orderhub.core.results import RowResult
from orderhub.core.words import RejectState
from orderhub.models import Reject, Shop
from orderhub.models.inbox import PayloadErasedError, pack
from orderhub.services.parking import ToldRow
from orderhub.services.reveal import MIN_REASON, PERMISSION, SealedError

log = structlog.get_logger(__name__)

LOOKED, TRIED = "raw row shown: ", "raw row not readable: "
"""How a look at a raw row begins in the change log, and one that could show nothing."""


def keep(*, shop: Shop, inbox_id: int | None, refused: Iterable[tuple[RowResult, ToldRow]]) -> None:
    """Store rows that were refused, with the reason and their raw bytes; the same row of the same delivery is stored
    once."""
    Reject.objects.bulk_create(
        [
            Reject(
                shop=shop, inbox_id=inbox_id, row=told.row, external_no=told.external_no[:64],
                field_path=told.field[:200], reason=told.reason, packed_row=pack(row.raw), reader=row.reader,
            )
            for told, row in refused
        ],
        ignore_conflicts=True,
    )  # fmt: skip


def note_try(*, reject_id: int, actor: str, refused: RowResult | None) -> None:
    """Note that an open row was tried again: taken in, or refused once more for the reason of today."""
    row = Reject.objects.filter(pk=reject_id, state=RejectState.OPEN)
    if refused:
        row.update(attempts=F("attempts") + 1, field_path=refused.field[:200], reason=refused.reason)
        return
    row.update(
        attempts=F("attempts") + 1, state=RejectState.TAKEN, closed_at=timezone.now(), closed_by=actor[:150]
    )  # fmt: skip


def dismiss(*, reject_id: int, actor: str, reason: str) -> bool:
    """Set an open reject aside for a reason; false when it is not open any more."""
    done = Reject.objects.filter(pk=reject_id, state=RejectState.OPEN).update(
        state=RejectState.DISMISSED, closed_at=timezone.now(), closed_by=f"{actor}: {reason}"[:150]
    )
    log.info("reject dismissed", reject_id=reject_id, dismissed=done == 1, actor=actor)
    return done == 1


def show_raw(*, reject_id: int, user: User, reason: str) -> bytes:
    """Return the raw row of a reject.

    Raises PermissionDenied without the permission to reveal personal data, HubError for a missing reason, a used-up
    quota (`HUB_REVEALS_PER_HOUR`) or a row that was erased or cannot be opened. The look is logged and committed before
    anything is shown.
    """
    if not user.has_perm(PERMISSION):
        raise PermissionDenied
    reason = reason.strip()
    if len(reason) < MIN_REASON:
        raise HubError(_("Give the reason for looking at personal data."))
    reject = Reject.objects.get(pk=reject_id)
    if not reject.packed_row:
        raise PayloadErasedError
    with transaction.atomic():
        look = _log_look(reject, user, reason)
    try:
        return reject.raw_row
    except UnreadableError as error:
        LogEntry.objects.filter(pk=look.pk).update(change_message=f"{TRIED}{reason}"[:250])
        raise SealedError from error


def _log_look(reject: Reject, user: User, reason: str) -> LogEntry:
    with connection.cursor() as cursor:
        # Two requests of one person at once must not both take the last place.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('raw row'), %s)", [user.pk])
    kind = ContentType.objects.get_for_model(Reject)
    looks = LogEntry.objects.filter(
        user=user, content_type=kind, change_message__startswith=LOOKED,
        action_time__gt=timezone.now() - timedelta(hours=1),
    )  # fmt: skip
    if looks.count() >= settings.HUB_REVEALS_PER_HOUR:
        raise HubError(_("You have used up your reveals for this hour. Ask a supervisor."))
    return LogEntry.objects.create(
        user=user, content_type=kind, object_id=str(reject.pk), object_repr=str(reject)[:200], action_flag=CHANGE,
        change_message=f"{LOOKED}{reason}"[:250],
    )  # fmt: skip
