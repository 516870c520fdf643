"""`manage.py watch`: the dead-man switch beside the job cluster."""

import signal
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from orderhub.core.local import var_dir
from orderhub.watch import Alarms, Watch, read_state


class Command(BaseCommand):
    help = "Notice silent jobs, a stopped cluster and a lost database; start drains between two minutes."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="only look, once; exit code 1 when something is wrong")
        parser.add_argument(
            "--check", action="store_true", help="ask a running watch through its state file, without the database"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        state_file = var_dir() / "watch.json"
        if options["check"]:
            self._answer(read_state(state_file))
        elif options["once"]:
            self._answer(Watch(state_file, patience=False).judge())
        else:
            state_file.parent.mkdir(parents=True, exist_ok=True)
            self._loop(Watch(state_file))

    def _loop(self, watch: Watch) -> None:
        ending: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda got, _frame: ending.append(got))
        while not ending:
            watch.look()
            time.sleep(settings.HUB_WATCH_SECONDS)

    def _answer(self, alarms: Alarms) -> None:
        for text in alarms.values():
            self.stdout.write(text)
        if alarms:
            raise CommandError("something is wrong", returncode=1)
        self.stdout.write("all is well")
