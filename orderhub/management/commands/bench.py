"""`manage.py bench`: measure, in a database of its own."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from orderhub.management.bench import complete, discover, machine, own_database, today, write_table


class Command(BaseCommand):
    help = "Run benchmarks (all, or those named) in a database of their own; never in the working one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME")
        parser.add_argument("--list", action="store_true", help="only name the benchmarks")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")
        parser.add_argument("--orders", type=int, help="orders in the pool for the benchmarks at size")
        parser.add_argument("--markdown", type=Path, metavar="FILE", help="keep the results in a page of the docs")
        parser.add_argument("--keep", action="store_true", help="keep the database for the next run")

    def handle(self, *_args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("Benchmarks are not for a production machine.")
        found = discover()
        if options["list"]:
            self.stdout.write("\n".join(found))
            return
        unknown = [name for name in options["names"] if name not in found]
        if unknown:
            raise CommandError(f"unknown: {', '.join(unknown)}; there are: {', '.join(found)}")
        if options["orders"]:
            os.environ["HUB_BENCH_ORDERS"] = str(options["orders"])
        with own_database(keep=options["keep"]):
            where = f"{today()}, {machine()}"
            # In their own order: one that needs a full pool comes before one that empties it.
            for name in [name for name in found if name in options["names"] or not options["names"]]:
                results = []
                for result in found[name]():
                    results.append(complete(result))
                    self._show(results[-1], as_json=options["json"])
                if options["markdown"]:
                    # At once: an hour of measurements must not be lost to the one that fails after them.
                    write_table(options["markdown"], results, where)

    def _show(self, result: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(orjson.dumps(result).decode())
            self.stdout.flush()
            return
        met = {True: "met", False: "MISSED", None: ""}[result["met"]]
        ratio = "" if result["ratio"] is None else f"ratio {result['ratio']:g} (target {result['target']})"
        self.stdout.write(f"{result['name']:<44} {result['value']:>12} {result['unit'] or '':<12} {ratio:<36} {met}")
        self.stdout.flush()
