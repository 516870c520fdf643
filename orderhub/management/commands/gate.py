"""`manage.py gate`: look at the intake gate, or set it (docs/operating.md)."""

import getpass
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from orderhub.core.errors import FieldError
from orderhub.core.words import GateState
from orderhub.models import Shop
from orderhub.selectors.gate import GateOverview, GateView, gate_overview
from orderhub.services.gate import set_gate


class Command(BaseCommand):
    help = "Show the intake gate, or set it for all or one shop: open, paused, or a trickle of so many orders a minute."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("state", nargs="?", choices=GateState.values, help="left out: show how it stands")
        parser.add_argument("--shop", default="", help="code of a shop; left out: the gate of all shops")
        parser.add_argument("--rate", type=int, help="orders a minute: of a trickle, or of the backlog of an open gate")
        parser.add_argument("--reason", default="", help="kept in the history, shown to everybody")
        parser.add_argument("--json", action="store_true", help="one JSON object, for scripts")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["state"]:
            self._set(options)
        overview = gate_overview()
        if options["json"]:
            self.stdout.write(orjson.dumps(overview.as_json()).decode())
            return
        for line in gate_lines(overview):
            self.stdout.write(line)

    def _set(self, options: dict[str, Any]) -> None:
        shop_id = None
        if options["shop"]:
            shop_id = Shop.objects.filter(code=options["shop"]).values_list("pk", flat=True).first()
            if shop_id is None:
                raise CommandError(f"--shop: there is no shop {options['shop']!r}")
        try:
            set_gate(
                shop_id=shop_id, state=options["state"], rate_per_minute=options["rate"], reason=options["reason"],
                actor=f"manage.py:{_person()}",
            )  # fmt: skip
        except FieldError as error:
            name = {"rate_per_minute": "rate"}.get(error.path, error.path)
            raise CommandError(f"--{name}: {error.reason}") from error


def gate_lines(overview: GateOverview) -> list[str]:
    """Return the gate in lines for a terminal; a gate that is not open is written large."""
    lines = [f"Gate     {_told(overview.of_all)}"]
    for shop in overview.shops:
        lines.append(f"  {shop.code:<20} {_told(shop.own)}")
        if shop.waiting:
            waits = f"{shop.waiting:,} waiting, first to ship by {_time(shop.oldest)}"
            lines.append(f"  {'':<20} {waits}, {_end(shop.ends_at)}")
    if overview.waiting:
        lines.append(f"  {overview.waiting:,} orders wait before the gate, {_end(overview.ends_at)}")
    return lines


def _told(view: GateView) -> str:
    word = "open" if view.is_open else view.state.value.upper()
    rate = f", {view.rate_per_minute:,} orders a minute" if view.rate_per_minute else ""
    if view.changed_at is None:
        return word
    return f"{word}{rate}, since {_time(view.changed_at)} by {view.actor}: {view.reason}"


def _time(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else "—"


def _end(moment: datetime | None) -> str:
    return f"all in by {_time(moment)}" if moment else "as long as the gate is paused"


def _person() -> str:
    """Return who runs the command; a container may have no name for its user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
