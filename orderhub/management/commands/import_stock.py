"""`manage.py import_stock FILE`: set counted stock and prices from a file (docs/channels/file.md)."""

from argparse import ArgumentParser
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from channels_sync.tables import rejects
from channels_sync.tables.sniff import FileFacts, inspect
from channels_sync.tables.stock import StockRow, stock_rows
from orderhub.core.draft import EARLIEST
from orderhub.core.errors import FieldError, HubError
from orderhub.core.money import MAX_FEN
from orderhub.models import Warehouse
from orderhub.services import stock
from orderhub.services.repeats import steadily
from triage.services import set_campaign_prices

ACTOR = "command:import_stock"
CAMPAIGN_DAYS = 30
"""How long a campaign price without an end holds, from the beginning of today unless a beginning is given."""
SHOWN = 20


@dataclass(slots=True)
class Tally:
    """What became of the rows of a file; `houses` counts the usable ones of each warehouse."""

    read: int = 0
    changed: int = 0
    prices: int = 0
    refused: int = 0
    houses: Counter[str] = field(default_factory=Counter)


class Command(BaseCommand):
    help = "Set counted stock, list and campaign prices from NDJSON, CSV or XLSX; good rows go in beside bad ones."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--encoding", default="", help="default: found out (UTF-8, UTF-16, GB18030/GBK)")
        parser.add_argument("--delimiter", default="", help="of a CSV file; default: found out")
        parser.add_argument("--rejects", type=Path, help="where refused rows go; default: FILE.rejects.ndjson")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"{path} is no file")
        place = options["rejects"] or rejects.place_beside(path)
        try:
            rejects.check_place(place)
            facts = inspect(path, encoding=options["encoding"], delimiter=options["delimiter"])
            with rejects.draft_of(place) as refused:
                tally = self._load(facts, refused)
                rejects.publish(refused, place)
        except HubError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            where = error.filename or place
            raise CommandError(f"{where}: {error.strerror}. What was taken in stays; run the command again.") from error
        self._report(tally, place)

    def _load(self, facts: FileFacts, refused: IO[bytes]) -> Tally:
        tally = Tally()
        rows = stock_rows(facts)
        while batch := list(islice(rows, settings.HUB_BATCH_SIZE)):
            levels, campaigns = [], []
            for row in batch:
                try:
                    level, campaign = read_row(row)
                except FieldError as error:
                    tally.refused += 1
                    self._refuse(refused, row, error, is_shown=tally.refused <= SHOWN)
                    continue
                levels.append(level)
                campaigns += [campaign] if campaign else []
            tally.read += len(levels)
            tally.houses.update(level["warehouse"] for level in levels)
            if levels:
                tally.changed += steadily(partial(stock.import_levels, rows=levels, actor=ACTOR))
            if campaigns:
                tally.prices += steadily(partial(set_campaign_prices, rows=campaigns, actor=ACTOR))
        return tally

    def _refuse(self, refused: IO[bytes], row: StockRow, error: FieldError, *, is_shown: bool) -> None:
        if is_shown:
            self.stderr.write(f"row {row.number}: {error}")
        sku = str(row.value.get("sku") or "")[:100] if isinstance(row.value, dict) else ""
        rejects.add(refused, row=row.number, name={"sku": sku}, field=error.path, reason=error.reason, raw=row.raw)

    def _report(self, tally: Tally, place: Path) -> None:
        parts = f"rows {tally.read}, levels changed {tally.changed}, campaign prices {tally.prices}"
        self.stdout.write(f"{parts}, refused {tally.refused}")
        if unknown := _unknown_houses(tally.houses):
            self.stdout.write(self.style.WARNING(
                f"warehouses that the hub does not know: {unknown}. Their pieces are promised, but no order goes "
                "there: correct the file, or add them in the console (Warehouses and stock, Warehouses)"
            ))  # fmt: skip
        if tally.refused:
            self.stdout.write(self.style.WARNING(f"{tally.refused} rows refused, with reasons: {place}"))
        if tally.refused and not tally.read:
            raise CommandError("no row of the file could be used")


def _unknown_houses(houses: Counter[str]) -> str:
    known = set(Warehouse.objects.filter(code__in=houses).values_list("code", flat=True))
    unknown = [f"{code} (rows: {count})" for code, count in houses.most_common() if code not in known]
    return ", ".join(unknown[:SHOWN]) + (" …" if len(unknown) > SHOWN else "")


def read_row(told: StockRow) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the stock level and, where the row has one, the campaign price. Raises FieldError."""
    if told.error:
        raise told.error
    row = told.value
    if not isinstance(row, dict):
        raise FieldError("", "a row must be a JSON object")
    level = stock.read_level(row)
    price = row.get("campaign_price_fen")
    if price is None:
        return level, None
    if isinstance(price, bool) or not isinstance(price, int) or not 0 < price <= MAX_FEN:
        raise FieldError("campaign_price_fen", "must be a whole number of fen above 0")
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    starts_at = _moment(row, "campaign_from") or today
    ends_at = _moment(row, "campaign_to") or starts_at + timedelta(days=CAMPAIGN_DAYS)
    if ends_at <= starts_at:
        raise FieldError("campaign_to", "must be later than campaign_from")
    return level, {"sku": level["sku"], "price_fen": price, "starts_at": starts_at, "ends_at": ends_at}


def _moment(row: dict[str, Any], name: str) -> datetime | None:
    text = row.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise FieldError(name, "not a time like 2026-11-10T20:00:00+08:00") from error
    moment = moment if moment.tzinfo else timezone.make_aware(moment)
    if moment < EARLIEST:
        # The database would keep a first day of the year 1 as one that nobody can read.
        raise FieldError(name, f"not a believable time: {moment.isoformat()}")
    return moment
