"""`manage.py export_decisions [--shop CODE] FILE`: one JSON line per order with what triage decided."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from django.core.management.base import BaseCommand, CommandError

from orderhub.models import Shop
from triage.selectors.decisions import decisions


class Command(BaseCommand):
    help = "Write one JSON line per order: external_no, lane, urgent, findings (codes of open ones)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="where to write; - for standard output")
        parser.add_argument("--shop", default="", help="only the orders of the shop with this code")

    def handle(self, *_args: Any, **options: Any) -> None:
        shop = options["shop"]
        if shop and not Shop.objects.filter(code=shop).exists():
            raise CommandError(f"no shop has the code {shop}")
        if options["file"] == "-":
            self._write(sys.stdout.buffer, shop)
            return
        path = Path(options["file"])
        try:
            with path.open("wb") as file:
                count = self._write(file, shop)
        except OSError as error:
            raise CommandError(f"cannot write {path}: {error.strerror}") from error
        self.stdout.write(f"{count:,} orders written to {path}.")

    def _write(self, file: BinaryIO, shop: str) -> int:
        count = 0
        for row in decisions(shop):
            file.write(orjson.dumps(row) + b"\n")
            count += 1
        return count
