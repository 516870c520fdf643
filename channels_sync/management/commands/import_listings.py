"""`manage.py import_listings --shop CODE FILE`: take over which own SKUs channel items are made of."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from channels_sync.selectors.offers import left_on_sale
from channels_sync.services.listing_files import Imported, import_items
from channels_sync.tables.sniff import inspect
from orderhub.core.errors import HubError
from orderhub.models import Shop

ACTOR = "command:import_listings"
SHOWN = 50


class Command(BaseCommand):
    help = "Map the channel items of a CSV, XLSX or NDJSON file to own SKUs; good rows go in beside bad ones."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--shop", required=True, help="code of the shop whose items they are")
        parser.add_argument("--encoding", default="", help="default: found out (UTF-8, UTF-16, GB18030/GBK)")
        parser.add_argument("--delimiter", default="", help="of a CSV file; default: found out")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"{path} is no file")
        shop = Shop.objects.filter(code=options["shop"]).first()
        if shop is None:
            raise CommandError(f"there is no shop {options['shop']}")
        try:
            facts = inspect(path, encoding=options["encoding"], delimiter=options["delimiter"])
            result = import_items(shop=shop, facts=facts, actor=ACTOR)
        except HubError as error:
            raise CommandError(str(error)) from error
        self._report(result)

    def _report(self, result: Imported) -> None:
        for refused in result.refused[:SHOWN]:
            self.stderr.write(f"row {refused.row} {refused.item} {refused.field}: {refused.reason}")
        if len(result.refused) > SHOWN:
            self.stderr.write(f"... and {len(result.refused) - SHOWN} more")
        names = ("new", "changed", "unchanged", "skipped", "rejected")
        self.stdout.write(", ".join(f"{name} {result.counts[name]}" for name in names))
        left = left_on_sale(result.put_aside)
        for listing, pieces in left[:SHOWN]:
            text = f"{listing}: the channel keeps the stock of {pieces} that it was told last and goes on selling"
            self.stdout.write(self.style.WARNING(text))
        if len(left) > SHOWN:
            self.stdout.write(self.style.WARNING(f"... and {len(left) - SHOWN} more that go on selling"))
        if result.refused and result.counts.total() == result.counts["rejected"]:
            raise CommandError("no row of the file could be used")
