"""Prunes what has done its work: old payloads, done effects, answered requests, and of orders that ended long ago the
receivers and the effects that nothing carries out; in small batches, none of it orders."""

from collections import Counter
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from orderhub.core.effects import effect_handlers
from orderhub.core.status_graph import ENDED
from orderhub.core.words import EffectKind, Status

log = structlog.get_logger(__name__)

WITHOUT_AN_END = frozenset(
    {Status.UNPAID, Status.IN_TRANSIT, Status.OUT_FOR_DELIVERY, Status.DELIVERED, Status.RETURNING}
)
"""Where orders stop whose channel never says "completed" or "closed", nor their carrier the last word; after the same
time without a word of anybody they are over."""
BATCH = 2000
BATCHES_PER_RUN = 50
"""A run stays well below the time limit of a task; what is left goes next time."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """One table and which of its rows are old; the condition gets the number of days. Rows go, or where `empties` names
    a sealed column, only what that holds."""

    table: str
    condition: str
    days: int
    empties: str = ""

    @property
    def name(self) -> str:
        """By what the count is told."""
        return f"{self.table}_emptied" if self.empties else self.table


def plan() -> list[Pruned]:
    """Return what is pruned, by the settings of this machine."""
    payload_days, effect_days = settings.HUB_KEEP_PAYLOAD_DAYS, settings.HUB_KEEP_EFFECT_DAYS
    receiver_days = settings.HUB_KEEP_RECEIVER_DAYS
    old = "now() - make_interval(days => %(days)s)"
    over = ", ".join(f"'{status.value}'" for status in sorted(ENDED | WITHOUT_AN_END))
    # The first condition follows from the second, and there is an index for it: few orders are that old.
    moved = f"modified_at < {old} AND greatest(modified_at, warehouse_claim_at, carrier_claim_at) < {old}"
    ended_long_ago = f"SELECT id FROM orderhub_order WHERE status IN ({over}) AND {moved}"  # noqa: S608
    kept = ", ".join(f"'{kind}'" for kind in EffectKind.values if kind not in effect_handlers) or "NULL"
    # Nothing carries these out yet: they are over once their order is.
    never_sent = f"state = 'pending' AND kind IN ({kept}) AND order_id IN ({ended_long_ago})"
    return [
        Pruned("orderhub_inboxitem", f"state = 'done' AND received_at < {old}", payload_days),
        Pruned("orderhub_warehousereport", f"state = 'done' AND received_at < {old}", payload_days),
        Pruned("orderhub_reject", f"state <> 'open' AND created_at < {old}", payload_days),
        # What waits for a person can be tried again as long as its receiver would be kept.
        Pruned("orderhub_inboxitem", f"state = 'dead' AND received_at < {old}", receiver_days, "packed_body"),
        Pruned("orderhub_warehousereport", f"state = 'dead' AND received_at < {old}", receiver_days, "packed_body"),
        Pruned("orderhub_reject", f"state = 'open' AND created_at < {old}", receiver_days, "packed_row"),
        Pruned("orderhub_effect", f"state IN ('done', 'cancelled') AND created_at < {old}", effect_days),
        Pruned("orderhub_effect", never_sent, effect_days),
        Pruned("orderhub_idempotentrequest", f"created_at < {old}", 7),
        Pruned("django_q_task", f"stopped < {old}", 7),
        Pruned("orderhub_receiver", f"order_id IN ({ended_long_ago})", receiver_days),
    ]


def prune() -> dict[str, int]:
    """Delete old rows table by table, empty what waits too long, and return how many of each."""
    counts: Counter[str] = Counter()
    for item in plan():
        counts[item.name] += _prune_table(item)
    call_command("clearsessions", verbosity=0)
    log.info("pruned", **counts)
    return dict(counts)


def _prune_table(item: Pruned) -> int:
    action, condition = f"DELETE FROM {item.table}", item.condition  # noqa: S608
    if item.empties:
        action = f"UPDATE {item.table} SET {item.empties} = ''"  # noqa: S608
        condition += f" AND length({item.empties}) > 0"
    total = 0
    for _ in range(BATCHES_PER_RUN):
        with connection.cursor() as cursor:
            # The names come from `plan`, not from outside.
            cursor.execute(
                f"{action} WHERE ctid = ANY(ARRAY("  # noqa: S608
                f"SELECT ctid FROM {item.table} WHERE {condition} LIMIT {BATCH} FOR UPDATE SKIP LOCKED))",
                {"days": item.days},
            )
            total += cursor.rowcount
            if cursor.rowcount < BATCH:
                break
    return total
