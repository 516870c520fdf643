"""`manage.py compilemessages`: Django's command of this name, without the need for gettext."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from orderhub.core.catalogues import compile_one


class Command(BaseCommand):
    help = "Compile the translation catalogues (needs no gettext)."
    requires_system_checks = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        for folder in settings.LOCALE_PATHS:
            for po in sorted(folder.glob("*/LC_MESSAGES/*.po")):
                self.stdout.write(str(compile_one(po).relative_to(settings.BASE_DIR)))
