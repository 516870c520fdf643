"""`manage.py setup`: everything a database needs before the hub runs; run it after each update. Idempotent."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from orderhub import schedules
from orderhub.services.roles import sync_roles
from orderhub.services.sessions import limit_idle_transactions
from triage.services import load_defaults


class Command(BaseCommand):
    help = "Migrate, make the cache table, load roles, rules and vocabularies, write the schedules."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-input", action="store_false", dest="interactive", help="ask nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        quiet = min(options["verbosity"], 1)
        call_command("migrate", interactive=options["interactive"], verbosity=quiet)
        call_command("createcachetable", verbosity=quiet)
        limit_idle_transactions()
        sync_roles()
        load_defaults()
        schedules.sync()
        self.stdout.write(self.style.SUCCESS("The database is ready."))
