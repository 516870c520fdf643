"""`manage.py export_listings [--shop CODE] FILE`: write channel items and their SKUs into a file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from channels_sync.services.listing_files import export_items
from orderhub.core.errors import HubError
from orderhub.models import Shop


class Command(BaseCommand):
    help = (
        "Write channel items and their SKUs into a .csv, .xlsx or .ndjson file, in the form that import_listings reads."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--shop", default="", help="code of one shop; without it all shops")

    def handle(self, *args: Any, **options: Any) -> None:
        shop = Shop.objects.filter(code=options["shop"]).first() if options["shop"] else None
        if options["shop"] and shop is None:
            raise CommandError(f"there is no shop {options['shop']}")
        try:
            count = export_items(path=options["file"], shop=shop)
        except (HubError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{count} items -> {options['file']}")
