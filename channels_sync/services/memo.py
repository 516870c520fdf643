"""The seller's remark and flag, edited in the hub and told to the channel (effect `memo`).

Two people can write one remark: somebody here, somebody on the platform. Whoever saves here names what he has seen,
and before the channel is told, it is asked what it shows: a remark that nobody here has seen is never overwritten.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from django.utils.translation import gettext as _

from channels_sync import readers
from channels_sync.connectors.base import ShopAccess, abilities_of, connectors
from channels_sync.connectors.exchange import Memo, MemoRules
from channels_sync.services import tokens
from orderhub.core.crypto import UnreadableError
from orderhub.core.effects import Job, effect_handlers
from orderhub.core.errors import FieldError, HubError
from orderhub.core.words import EffectKind, EffectState, Flag, Source
from orderhub.models import Effect, Order, Shop
from orderhub.services import inbox
from orderhub.services.bulk import json_text, records
from orderhub.services.timeline import Entry, record

PERMISSION = "orderhub.edit_memo"
KIND = EffectKind.MEMO.value
LONGEST_REMARK = 2000
"""Characters of a remark where the platform tells no limit."""
KNOWN_VERSIONS = 10

Version = tuple[str, str]
"""Remark and flag."""


class MemoChangedError(HubError):
    """Somebody else changed remark or flag; `now` is what they are."""

    def __init__(self, now: Version) -> None:
        super().__init__(_("Remark or flag were changed meanwhile. Look at what they are now and save again."))
        self.now = now


@dataclass(slots=True, frozen=True)
class Prepared:
    """What one `send` needs: what the channel shall show, and what it may show before it."""

    shop: Shop
    memo: Memo
    before: frozenset[Version]


def rules_of(shop: Shop) -> MemoRules | None:
    """Return what the shop's platform takes as remark and flag; None when the hub cannot tell it any."""
    connector = abilities_of(shop.platform)
    if not shop.is_active or not connector.writes_memo:
        return None
    return connector.memo_rules(shop.settings)


def checked(rules: MemoRules, remark: str, flag: str) -> Version:
    """Return remark and flag as the platform will show them. Raises FieldError with the limit that they break."""
    remark = remark.replace("\r\n", "\n").strip()
    most = rules.characters or LONGEST_REMARK
    if len(remark) > most:
        text = _("At most %(most)s characters here; these are %(length)s.")
        raise FieldError("remark", text % {"most": most, "length": len(remark)})
    octets = len(remark.encode("utf-8", "replace"))
    if rules.octets is not None and octets > rules.octets:
        text = _("Too long for this platform by %(bytes)s bytes; a Chinese character counts three.")
        raise FieldError("remark", text % {"bytes": octets - rules.octets})
    if flag not in {Flag.NONE, Flag.GREY, *rules.flags}:
        raise FieldError("flag", _("This platform does not know that colour."))
    if rules.flag_needs_remark and flag in rules.flags and not remark:
        raise FieldError("flag", _("This platform keeps a flag only together with a remark."))
    return rules.shown(remark, flag)


def mark_of(version: Version) -> str:
    """Return a short mark of remark and flag, by which a form says later what its reader has seen."""
    return blake2b("\0".join(version).encode("utf-8", "replace"), digest_size=8).hexdigest()


@transaction.atomic
def edit_memo(*, order_id: int, remark: str, flag: str, seen: str, user: User) -> bool:
    """Set remark and flag of an order and have the channel told; false when they are so already.

    `seen` is the mark of what the person saw before the change. Raises PermissionDenied, FieldError for what the
    platform does not take, MemoChangedError when the order says something else than `seen` by now, HubError when it
    cannot be told.
    """
    if not user.has_perm(PERMISSION):
        raise PermissionDenied
    order = Order.objects.select_related("shop").select_for_update(of=("self",), no_key=True).get(pk=order_id)
    rules = rules_of(order.shop)
    if rules is None:
        raise HubError(_("This channel takes no remark from here."))
    wanted, present = checked(rules, remark, flag), (order.seller_remark, order.flag)
    if wanted == present:
        return False
    if mark_of(present) != seen:
        raise MemoChangedError(present)
    Order.objects.filter(pk=order_id).update(seller_remark=wanted[0], flag=wanted[1])
    changed = [name for name, old, new in zip(("seller_remark", "flag"), present, wanted, strict=True) if old != new]
    with connection.cursor() as cursor:
        record(cursor, [_entry(order.shop_id, order.pk, "memo", user.get_username(), {"changed": changed})])
    _ask(order, wanted, present)
    return True


def last_effect(order: Order) -> Effect | None:
    """Return the outbox row of the order's remark; None when it was never edited here."""
    return Effect.objects.filter(shop_id=order.shop_id, key=_key(order)).first()


class MemoWriteBack:
    """Tells channels remark and flag that were edited here."""

    concurrency = 4

    def prepare(self, jobs: Sequence[Job]) -> Mapping[int, Prepared]:
        """Read the orders; those of platforms that take no remark are left out, those of a shop that is switched off
        wait until it is on again. One query."""
        ids = [job.order_id for job in jobs if job.order_id is not None]
        orders = Order.objects.filter(pk__in=ids).select_related("shop").in_bulk()
        found = {}
        for job in jobs:
            order = orders.get(job.order_id or 0)
            if order is None or job.payload is None or not abilities_of(order.shop.platform).writes_memo:
                continue
            memo = Memo(order.external_no, job.payload["remark"], job.payload["flag"])
            before = frozenset((remark, flag) for remark, flag in job.payload["before"])
            found[job.effect_id] = Prepared(order.shop, memo, before)
        return found

    def send(self, prepared: Prepared) -> None:
        """Tell one order's remark. Raises HubError, permanent when the channel shows what nobody here has seen."""
        try:
            tokens.telling(prepared.shop, lambda access: _tell(access, prepared))
        except UnreadableError as error:
            raise HubError(_("The sealed data cannot be opened: a data key is missing.")) from error

    def settle(self, done: Sequence[tuple[Job, None]]) -> None:
        """Note what was told; an order that an older delivery took back meanwhile says it again."""
        if not done:
            return
        rows = [
            {"id": job.order_id, "remark": job.payload["remark"], "flag": job.payload["flag"],
             "before": job.payload["before"]}
            for job, _answer in done
            if job.payload is not None
        ]  # fmt: skip
        with connection.cursor() as cursor:
            _forget_version(cursor, [job.order_id for job, _a in done])
            cursor.execute(
                """
                UPDATE orderhub_order o SET seller_remark = r.remark, flag = r.flag
                FROM json_to_recordset(%s::json) AS r(id bigint, remark text, flag text, before jsonb)
                WHERE o.id = r.id AND (o.seller_remark, o.flag) <> (r.remark, r.flag)
                  AND r.before @> jsonb_build_array(jsonb_build_array(o.seller_remark, o.flag))
                """,
                [records(rows)],
            )
            record(cursor, [_entry(job.shop_id, job.order_id, "memo_told", f"outbox:{KIND}", None) for job, _a in done])

    def give_up(self, dead: Sequence[tuple[Job, HubError]]) -> None:
        """Tell in the orders' timelines why the channel does not have the remark, and fetch them: what the channel
        shows is what everybody shall see."""
        with connection.cursor() as cursor:
            _forget_version(cursor, [job.order_id for job, _error in dead])
            record(
                cursor,
                [
                    _entry(job.shop_id, job.order_id, "memo_failed", f"outbox:{KIND}", {"reason": str(error)[:500]})
                    for job, error in dead
                ],
            )

        numbers: dict[Shop, list[str]] = defaultdict(list)
        orders = Order.objects.select_related("shop").filter(pk__in=[job.order_id for job, _error in dead])
        for order in orders.order_by("pk"):
            if abilities_of(order.shop.platform).fetches:
                numbers[order.shop].append(order.external_no)
        for shop, wanted in numbers.items():
            inbox.fetch_later(shop, wanted)


effect_handlers.add(KIND, MemoWriteBack())


def _forget_version(cursor: CursorWrapper, order_ids: Sequence[int | None]) -> None:
    """Let the next version that the channel tells count as changed: it may be, to the letter, the one that was there
    before the remark was edited here. Locks the orders in key order, as all do who write many: call it first."""
    cursor.execute(
        """
        WITH locked AS MATERIALIZED (
            SELECT id FROM orderhub_order WHERE id = ANY(%s) ORDER BY shop_id, external_no FOR NO KEY UPDATE)
        UPDATE orderhub_order o SET content_hash = 0 FROM locked WHERE o.id = locked.id
        """,
        [sorted(i for i in order_ids if i)],
    )


def _tell(access: ShopAccess, prepared: Prepared) -> None:
    """Write the remark unless the channel has it; what the channel shows is asked right before."""
    connector, memo = connectors.get(prepared.shop.platform), prepared.memo
    wanted = (memo.remark, memo.flag)
    if connector.fetches:
        shown = _shown(access, prepared)
        if shown == wanted:
            return
        if shown not in prepared.before:
            raise HubError(
                _("The channel shows another remark or flag by now; the edit made here was not sent: look at both.")
            )
    connector.write_memo(access, memo)


def _shown(access: ShopAccess, prepared: Prepared) -> Version:
    """Return remark and flag as the channel shows them now."""
    number = prepared.memo.external_no
    for page in connectors.get(prepared.shop.platform).fetch(access, [number]):
        for row in readers.read(page.reader, page.body, page.content_type):
            if row.draft is not None and row.external_no == number:
                return row.draft.seller_remark, row.draft.flag
    raise HubError(_("The channel does not show this order."), permanent=False)


def _ask(order: Order, wanted: Version, present: Version) -> None:
    """Put the edit into the outbox: one row per order, with every version that the channel may still show."""
    effect = last_effect(order)
    before = [list(present)]
    if effect is not None and effect.state != EffectState.DONE and effect.payload:
        payload = effect.payload
        before += [*payload["before"], [payload["remark"], payload["flag"]]]
    known = [list(version) for version in dict.fromkeys((remark, flag) for remark, flag in before)]
    told = {"remark": wanted[0], "flag": wanted[1], "before": known[:KNOWN_VERSIONS]}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO orderhub_effect AS e
                (shop_id, order_id, kind, key, state, payload, attempts, due_at, last_error, created_at)
            VALUES (%s, %s, %s, %s, 'pending', %s::jsonb, 0, now(), '', now())
            ON CONFLICT (shop_id, key) DO UPDATE SET state = 'pending', payload = excluded.payload, attempts = 0,
                due_at = now(), last_error = '', finished_at = NULL
            WHERE e.state <> 'sending'
            """,
            [order.shop_id, order.pk, KIND, _key(order), json_text(told)],
        )
        if not cursor.rowcount:
            raise HubError(_("The last edit is being sent to the channel just now: try again in a moment."))


def _key(order: Order) -> str:
    return f"{KIND}:{order.external_no}"


def _entry(shop_id: int, order_id: int | None, kind: str, actor: str, data: dict[str, object] | None) -> Entry:
    assert order_id is not None
    source = Source.PERSON if kind == "memo" else Source.HUB
    return Entry(shop_id, order_id, timezone.now(), kind, source, actor, data=data)
