"""`manage.py reconcile`: pool and platform order by order, field by field; exit status 1 when anything differs."""

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from channels_sync.connectors.base import abilities_of
from channels_sync.models import Difference, DifferenceState, JobState, Reconciliation, StockCompared
from channels_sync.services import mend, reconcile
from channels_sync.services.ranges import LONGEST_RANGE
from orderhub.core.errors import HubError
from orderhub.core.money import show
from orderhub.models import Shop

ACTOR = "command line"
DEFAULT_SPAN = timedelta(hours=24)
COLUMNS = (
    "platform_orders", "pool_orders", "equal", "held", "rejected", "underway", "shipped_elsewhere", "differing",
)  # fmt: skip
HEADS = ("shop", "platform", "pool", "equal", "held", "rejects", "on way", "shipped else", "DIFFER")
SUMS = (
    "platform_total_fen", "pool_total_fen", "platform_paid_fen", "pool_paid_fen", "platform_refunds", "pool_refunds",
    "stock_items", "stock_differing",
)  # fmt: skip
GONE = (DifferenceState.MENDED.value, DifferenceState.GONE.value)


@dataclass(slots=True)
class Compared:
    """One shop: its comparison, or why there is none."""

    shop: Shop
    job: Reconciliation | None = None
    error: str = ""
    is_offered: bool = True
    mended: mend.Mended = field(default_factory=mend.Mended)

    @property
    def differences(self) -> list[Difference]:
        """What still differs."""
        rows = Difference.objects.filter(reconciliation=self.job).exclude(state__in=GONE)
        return list(rows.order_by("kind", "external_no", "id")) if self.job else []

    @property
    def is_bad(self) -> bool:
        """Whether anything differs or could not be compared."""
        if not self.is_offered:
            return False
        job = self.job
        if job is None or self.error or job.state != JobState.DONE or job.stock_state == StockCompared.FAILED:
            return True
        found = job.differing + job.stock_differing
        return bool(self.differences) or (found > 0 and not self.mended.mended)


class Command(BaseCommand):
    help = (
        "Compare the orders of a shop with its platform, order by order and field by field, and what it shows of the "
        "stock. Ends with status 1 when anything differs. Times without an offset are local."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--shop", metavar="CODE", help="one shop")
        which.add_argument("--all", action="store_true", help="every active shop")
        parser.add_argument(
            "--from", dest="start", metavar="TIME", help="orders placed from here on; default: 24 h ago"
        )
        parser.add_argument("--to", dest="end", metavar="TIME", help="and before here; default: now")
        parser.add_argument("--mend", action="store_true", help="fetch what differs again and compare once more")
        parser.add_argument("--json", action="store_true", help="one JSON object, for scripts")

    def handle(self, *_args: Any, **options: Any) -> None:
        end = _moment(options["end"]) or timezone.now()
        start = _moment(options["start"]) or end - DEFAULT_SPAN
        if start >= end:
            raise CommandError("--from must lie before --to")
        if end - start > LONGEST_RANGE:
            raise CommandError(f"platforms list {LONGEST_RANGE.days} days at most")
        found = [_compared(shop, start, end, mends=options["mend"]) for shop in _shops(options["shop"])]
        if options["json"]:
            document = {"differs": any(each.is_bad for each in found), "shops": [_as_json(each) for each in found]}
            self.stdout.write(orjson.dumps(document).decode())
        else:
            for line in screen(found, start, end):
                self.stdout.write(line)
        if any(each.is_bad for each in found):
            raise SystemExit(1)


def screen(found: Sequence[Compared], start: datetime, end: datetime) -> Iterator[str]:
    """Yield a table of the shops, then each difference."""
    yield f"Orders placed from {_text(start)} to {_text(end)}"
    yield ""
    rows = [HEADS, *((each.shop.code, *_figures(each)) for each in found if each.job)]
    widths = [max(len(str(row[place])) for row in rows) for place in range(len(HEADS))]
    for row in rows if len(rows) > 1 else []:
        yield "  ".join(str(cell).rjust(width) for cell, width in zip(row, widths, strict=True))
    yield ""
    for each in found:
        yield from _details(each)
    yield "Everything agrees." if not any(each.is_bad for each in found) else "NOT everything agrees."


def _details(each: Compared) -> Iterator[str]:
    code, job = each.shop.code, each.job
    if not each.is_offered:
        yield f"{code}: not compared, its platform lists no orders"
        return
    if each.error:
        yield f"{code}: FAILED {each.error}"
    if job is None:
        return
    yield (
        f"{code}: total {show(job.platform_total_fen)} on the platform, {show(job.pool_total_fen)} in the pool; "
        f"paid {show(job.platform_paid_fen)}, {show(job.pool_paid_fen)}; "
        f"lines with a refund {job.platform_refunds}, {job.pool_refunds}"
    )
    yield f"{code}: stock {_stock(job)}"
    if each.mended.mended or each.mended.kept:
        yield f"{code}: mended {each.mended.mended}, not mended {each.mended.kept}"
    for row in each.differences:
        place = f" {row.field}" if row.field else ""
        note = f"  ({row.note})" if row.note else ""
        values = f"pool {row.pool_value} | platform {row.platform_value}"
        yield f"{code}: {row.kind} {row.external_no}{place}: {values}{note}"


def _compared(shop: Shop, start: datetime, end: datetime, *, mends: bool) -> Compared:
    if not abilities_of(shop.platform).rereads:
        return Compared(shop, is_offered=False)
    try:
        job = reconcile.start(shop_id=shop.pk, start=start, end=end, actor=ACTOR)
        reconcile.run_to_the_end(job)
    except HubError as error:
        return Compared(shop, error=str(error))
    found = Compared(shop, job, error=job.last_error)
    if mends:
        found.mended = mend.mend(found.differences, actor=ACTOR)
    return found


def _shops(code: str | None) -> list[Shop]:
    if not code:
        return list(Shop.objects.filter(is_active=True).order_by("code"))
    shop = Shop.objects.filter(code=code).first()
    if shop is None:
        raise CommandError(f"no shop has the code {code}")
    if not abilities_of(shop.platform).rereads:
        raise CommandError(f"the platform of {code} lists no orders: nothing to compare with")
    return [shop]


def _figures(each: Compared) -> tuple[int, ...]:
    return tuple(getattr(each.job, name) for name in COLUMNS)


def _stock(job: Reconciliation) -> str:
    match job.stock_state:
        case StockCompared.COMPARED:
            return f"{job.stock_items} items compared, {job.stock_differing} differ"
        case StockCompared.NOT_OFFERED:
            return "not offered by the platform"
        case StockCompared.NOTHING:
            return "nothing is told"
        case StockCompared.FAILED:
            return f"FAILED {job.stock_error}"
    return "not compared"


def _as_json(each: Compared) -> dict[str, Any]:
    """Return one shop as plain values; money in fen."""
    if each.job is None:
        state = "failed" if each.is_offered else "not_offered"
        return {"shop": each.shop.code, "state": state, "differs": each.is_bad, "error": each.error, "differences": []}
    names = ("kind", "external_no", "field", "pool_value", "platform_value", "state", "note")
    return {
        "shop": each.shop.code, "state": each.job.state, "differs": each.is_bad, "error": each.error,
        "from": each.job.start, "to": each.job.end,
        **{name: getattr(each.job, name) for name in (*COLUMNS, *SUMS)},
        "stock": each.job.stock_state or "not_yet", "mended": each.mended.mended, "not_mended": each.mended.kept,
        "differences": [{name: getattr(row, name) for name in names} for row in each.differences],
    }  # fmt: skip


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"not a time: {text}; wanted is 2026-11-11T00:00 or with an offset") from error
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment


def _text(moment: datetime) -> str:
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S")
