"""`manage.py judge_triage --labels FILE --decisions FILE`: how well triage judged (docs/triage.md)."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from triage.quality import judge, read_lines, report


class Command(BaseCommand):
    help = "Hold exported decisions against labels: confusion matrix, urgent precision and recall, manual share."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--labels", type=Path, required=True, help="NDJSON with external_no, lane, urgent")
        parser.add_argument("--decisions", type=Path, required=True, help="file of export_decisions")
        parser.add_argument("--markdown", type=Path, help="also write the figures into this file")

    def handle(self, *_args: Any, **options: Any) -> None:
        text = report(judge(self._rows(options["labels"]), self._rows(options["decisions"])))
        if options["markdown"]:
            options["markdown"].write_text(text, encoding="utf-8")
        self.stdout.write(text)

    def _rows(self, path: Path) -> list[Mapping[str, Any]]:
        try:
            with path.open(encoding="utf-8") as file:
                return list(read_lines(file))
        except OSError as error:
            raise CommandError(f"cannot read {path}: {error.strerror}") from error
        except (json.JSONDecodeError, ValueError) as error:
            raise CommandError(f"{path}: {error}") from error
