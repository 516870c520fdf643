"""`manage.py sandbox_orders`: write made-up orders and their right answers into files."""

import json
from argparse import ArgumentParser
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from channels_sync.sandbox import catalogue, export
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.mix import Mix
from channels_sync.sandbox.stream import DOUBLE_ELEVEN, SHANGHAI, generate

CAMPAIGN_MARGIN = timedelta(days=1)


class Command(BaseCommand):
    help = "Write made-up Double 11 orders to a file for import_orders (docs/sandbox.md)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--count", type=int, default=20_000)
        parser.add_argument("--seed", type=int, default=7)
        parser.add_argument("--format", choices=export.FORMATS, default="ndjson")
        parser.add_argument("--out", type=Path, required=True)
        parser.add_argument("--labels", type=Path, help="where the right answers go")
        parser.add_argument("--stock", type=Path, help="where the catalogue goes, for import_stock")
        parser.add_argument("--warehouse", default=SANDBOX.warehouse_code, help="warehouse code of --stock")
        parser.add_argument("--profile", choices=("mini", "masked"), default="mini")
        parser.add_argument("--mix", type=Mix.parse, default=Mix(), help="shares, e.g. abnormal=0.07,urgent=0.05")
        parser.add_argument("--start", type=datetime.fromisoformat, default=DOUBLE_ELEVEN, help="ISO time")
        parser.add_argument("--hours", type=float, default=24.0)
        parser.add_argument("--encoding", default="utf-8", help="of CSV; gbk as spreadsheets write it")

    def handle(self, **given: Any) -> None:
        start = given["start"] if given["start"].tzinfo else given["start"].replace(tzinfo=SHANGHAI)
        same = {name: given[name] for name in ("seed", "profile", "hours", "mix")}
        orders = generate(given["count"], start=start, **same)
        export.write(orders, given["out"], form=given["format"], profile=given["profile"], encoding=given["encoding"])
        if given["labels"]:
            export.write_labels(orders, given["labels"])
        if given["stock"]:
            # Prices of a campaign that holds for the orders of the file, whenever that is.
            holds = {
                "campaign_from": (start - CAMPAIGN_MARGIN).isoformat(),
                "campaign_to": (start + timedelta(hours=given["hours"]) + CAMPAIGN_MARGIN).isoformat(),
            }
            rows = ({**row, **holds} for row in catalogue.stock_rows(given["warehouse"]))
            given["stock"].write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
        self.stdout.write(f"{len(orders)} orders -> {given['out']}")
