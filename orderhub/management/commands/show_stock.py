"""`manage.py show_stock`: tells channels within seconds what is left."""

import signal
from typing import Any

from django.core.management.base import BaseCommand

from orderhub.stock_lane import StockLane


class Command(BaseCommand):
    help = "Keep what channels show up to date: runs beside the job cluster, any number of times."
    requires_system_checks = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        ending: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda got, _frame: ending.append(got))
        StockLane().run(lambda: bool(ending))
