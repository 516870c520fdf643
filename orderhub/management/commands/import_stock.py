"""`manage.py import_stock FILE`: set counted stock and prices from NDJSON (docs/channels/file.md)."""

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from channels_sync import payloads
from orderhub.core.errors import FieldError
from orderhub.core.money import MAX_FEN
from orderhub.services import stock
from triage.services import set_campaign_prices

ACTOR = "command:import_stock"
CAMPAIGN_DAYS = 30
"""How long a campaign price without an end holds, from the beginning of today unless a beginning is given."""
SHOWN = 20


class Command(BaseCommand):
    help = "Set counted stock, list prices and campaign prices from an NDJSON file; good rows go in beside bad ones."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"{path} is no file")
        read = changed = prices = refused = 0
        rows = numbered_rows(path)
        while batch := list(islice(rows, settings.HUB_BATCH_SIZE)):
            levels, campaigns = [], []
            for number, row in batch:
                try:
                    level, campaign = read_row(row)
                except FieldError as error:
                    refused += 1
                    if refused <= SHOWN:
                        self.stderr.write(f"row {number}: {error}")
                    continue
                levels.append(level)
                campaigns += [campaign] if campaign else []
            read += len(levels)
            changed += stock.import_levels(rows=levels, actor=ACTOR) if levels else 0
            prices += set_campaign_prices(rows=campaigns, actor=ACTOR) if campaigns else 0
        self.stdout.write(f"rows {read}, levels changed {changed}, campaign prices {prices}, refused {refused}")
        if refused and not read:
            raise CommandError("no row of the file could be used")


def numbered_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield (row, decoded value) for every line that is not blank, counted from 1; unreadable ones as None."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield number, payloads.loads(line.removeprefix(b"\xef\xbb\xbf"))
            except payloads.BodyError:
                yield number, None


def read_row(row: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the stock level and, where the row has one, the campaign price. Raises FieldError."""
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
        raise FieldError(name, f"not a time: {str(text)[:40]!r}") from error
    return moment if moment.tzinfo else timezone.make_aware(moment)
