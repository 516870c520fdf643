"""`manage.py import_orders --shop CODE FILE`: take an order file in (docs/channels/file.md)."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError
from tqdm import tqdm

from channels_sync.services.files import FileImport, file_shop
from channels_sync.tables.columns import ColumnMapping, read_mapping
from channels_sync.tables.rejects import check_place, place_beside
from channels_sync.tables.sniff import inspect
from orderhub import deliveries
from orderhub.core.errors import HubError


class Command(BaseCommand):
    help = "Take the orders of an NDJSON, CSV or XLSX file in; safe to be killed and run again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--shop", required=True, help="code of the shop; a missing one is made as a file shop")
        parser.add_argument("--mapping", type=Path, help="JSON file that says which column holds what")
        parser.add_argument("--encoding", default="", help="default: found out (UTF-8, UTF-16, GB18030/GBK)")
        parser.add_argument("--delimiter", default="", help="of a CSV file; default: found out")
        parser.add_argument("--rejects", type=Path, help="where refused rows go; default: FILE.rejects.ndjson")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"{path} is no file")
        rejects = options["rejects"] or place_beside(path)
        try:
            check_place(rejects)
            mapping = read_mapping(options["mapping"]) if options["mapping"] else ColumnMapping()
            facts = inspect(path, encoding=options["encoding"], delimiter=options["delimiter"])
            task = FileImport(file_shop(options["shop"]), facts, mapping, deliveries.process, rejects)
            self._run(task, quiet=options["verbosity"] == 0)
        except HubError as error:
            raise CommandError(str(error)) from error
        except (OperationalError, InterfaceError) as error:
            raise CommandError("The database is away. What was taken in stays; run the command again.") from error
        except OSError as error:
            where = error.filename or rejects
            raise CommandError(f"{where}: {error.strerror}. What was taken in stays; run the command again.") from error
        self._report(task)

    def _run(self, task: FileImport, *, quiet: bool) -> None:
        """Take the file in behind a progress bar; what was done before a failure stays."""
        bar = tqdm(total=task.facts.size, unit="B", unit_scale=True, disable=True if quiet else None)
        if not quiet:
            task.waits = lambda error: bar.write(
                f"{error}: waiting. A run that was killed holds its piece for two minutes.", file=self.stderr
            )
        with bar:
            for read in task.run():
                bar.update(max(read - bar.n, 0))
                bar.set_postfix(new=task.summary.counts["new"], rejected=task.summary.rejected)
            bar.update(task.facts.size - bar.n)

    def _report(self, task: FileImport) -> None:
        summary = task.summary
        parts = ", ".join(f"{name} {summary.counts[name]}" for name in ("new", "changed", "unchanged", "stale"))
        self.stdout.write(f"{parts}, rejected {summary.counts['rejected']}")
        if summary.unused:
            self.stdout.write(self.style.WARNING(f"columns not used: {', '.join(summary.unused)[:300]}"))
        if held := summary.counts["held"]:
            self.stdout.write(self.style.WARNING(f"{held} rows wait before the intake gate, which is not open"))
        if task.shop.active_warehouse is None:
            code = task.shop.code
            where = f"its orders wait until one is set in the console (Channels, Shops, {code})"
            self.stdout.write(self.style.WARNING(f"shop {code} has no active warehouse: {where}"))
        if summary.before:
            self.stdout.write(f"taken in by an earlier run: {summary.before.total()} rows")
        if summary.rejected:
            self.stdout.write(self.style.WARNING(f"{summary.rejected} rows refused, with reasons: {task.rejects_path}"))
