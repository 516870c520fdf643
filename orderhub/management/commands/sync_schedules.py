"""`manage.py sync_schedules`: write the table of periodic jobs to django-q2."""

from typing import Any

from django.core.management.base import BaseCommand

from orderhub import schedules


class Command(BaseCommand):
    help = "Make the schedule rows what orderhub/schedules.py says; rows that are not of it are removed."

    def handle(self, *_args: Any, **_options: Any) -> None:
        changed = schedules.sync()
        self.stdout.write(f"schedules: {', '.join(changed) if changed else 'as they should be'}")
