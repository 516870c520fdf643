"""`manage.py rotate_keys`: re-encrypt everything with the first key of HUB_DATA_KEYS."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from orderhub.services.rotation import left_behind, rotate


class Command(BaseCommand):
    help = "Re-encrypt sealed data with the first key of HUB_DATA_KEYS; can be stopped and run again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch", type=int, default=500, help="values per transaction (default 500)")
        parser.add_argument("--check", action="store_true", help="only count what still needs an older key")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            for table, count in left_behind().items():
                self.stdout.write(f"{table}: {count}")
            return
        with tqdm(total=sum(left_behind().values()), unit="values") as bar:
            total = rotate(batch_size=options["batch"], progress=lambda _table, count: bar.update(count))
        # Counted again: what still runs with an older key first has gone on sealing with it.
        left = {table: count for table, count in left_behind().items() if count}
        if not left:
            self.stdout.write(
                f"{total.done} values re-encrypted. The older keys can be taken out of HUB_DATA_KEYS now."
            )
            return
        self.stdout.write(f"{total.done} values re-encrypted.")
        if total.unreadable:
            others = " All others need the first key only." if left == total.unreadable else ""
            raise CommandError(
                f"{_named(total.unreadable)} are opened by no key of HUB_DATA_KEYS and stay as they are; the log names "
                f"them. Add the key that sealed them, if there still is one, and run this again.{others}"
            )
        raise CommandError(
            f"{_named(left)} still need an older key: keep it. "
            "Restart every process with the new key first in HUB_DATA_KEYS, then run this again."
        )


def _named(counts: dict[str, int]) -> str:
    where = ", ".join(f"{table} {count}" for table, count in counts.items())
    return f"{sum(counts.values())} values ({where})"
