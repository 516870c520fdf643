"""`manage.py demo`: accounts, shops and stock for the platform sandbox. Idempotent; never in production."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from channels_sync.sandbox.credentials import Credentials
from orderhub.management import demo


class Command(BaseCommand):
    help = "Make demo accounts, shops, campaign prices and stock that fit the platform sandbox."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--new-passwords", action="store_true", help="give the demo accounts new passwords")

    def handle(self, *_args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("Demo accounts and shops are not for production.")
        keys = Credentials.from_environment()
        demo.make_shops(keys)
        demo.load_stock(keys)
        demo.load_prices(keys)
        passwords = demo.make_accounts(renew=options["new_passwords"])
        if passwords:
            self.stdout.write(
                "\nDemo accounts; the passwords are shown this once (new ones: manage.py demo --new-passwords):"
            )
            for name, password in passwords.items():
                self.stdout.write(f"  {name:<12} {password}")
