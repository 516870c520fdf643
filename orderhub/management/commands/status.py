"""`manage.py status`: the hub on one screen."""

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson
from django.core.management.base import BaseCommand

from channels_sync.selectors import Health, sync_health
from orderhub.core.effects import effect_handlers
from orderhub.management.commands.gate import gate_lines
from orderhub.selectors.books import Difference, differences
from orderhub.selectors.gate import gate_overview
from orderhub.selectors.hub_status import HubStatus, hub_status


class Command(BaseCommand):
    help = (
        "Show orders per status and lane, what waits, sync lag per shop, job heartbeats, the intake gate, "
        "and whether the books agree."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object, for scripts")

    def handle(self, *_args: Any, **options: Any) -> None:
        status, shops, books, gate = hub_status(), sync_health(), differences(), gate_overview()
        if options["json"]:
            document = {
                **status.as_json(),
                "gate": gate.as_json(),
                "shops": [shop_json(shop) for shop in shops],
                "differences": [asdict(difference) for difference in books],
            }
            self.stdout.write(orjson.dumps(document).decode())
            return
        for line in [*screen(status, shops), *gate_lines(gate), *disagreements(books)]:
            self.stdout.write(line)


def shop_json(health: Health) -> dict[str, Any]:
    """Return the synchronisation of one shop as plain values; lag in seconds, null while nothing was pulled."""
    return {
        "code": health.shop.code,
        "platform": health.shop.platform,
        "state": health.tone,
        "lag_seconds": health.lag_seconds,
        "error": health.sync.last_error if health.sync else "",
    }


def screen(status: HubStatus, shops: list[Health]) -> list[str]:
    """Return the lines for a terminal of 80 columns."""
    lines = [f"Order hub at {status.at:%Y-%m-%d %H:%M:%S} UTC", ""]
    lines.append(f"Orders   {status.orders:,}   urgent {status.urgent:,}")
    lines.append(f"  status  {counted(status.by_status)}")
    lines.append(f"  lane    {counted(status.by_lane)}")
    lines.append(f"Rejects  {counted(status.rejects)}")
    lines.append(f"Inbox    {counted(status.inbox)}")
    lines.append("Outbox")
    lines += [effects(kind, states) for kind, states in sorted(status.outbox.items())] or ["  empty"]
    lines.append("Shops")
    for health in shops:
        lag = f"lag {health.lag_seconds} s" if health.lag_seconds is not None else "lag —"
        error = f"  {health.sync.last_error}" if health.sync and health.sync.last_error else ""
        lines.append(f"  {health.shop.code:<20} {health.tone:<8} {lag}{error}")
    lines.append("Jobs")
    for job in status.jobs:
        result = "ok" if job.is_ok else f"failed: {job.message}"
        lines.append(f"  {job.name:<20} {job.age_seconds:>5} s ago  {job.took_ms:>6} ms  {result}")
    return lines


def effects(kind: str, states: Mapping[str, int]) -> str:
    """Return the line of one kind of effect; one that no handler carries out is no backlog."""
    return f"  {kind:<20} {counted(states)}{'' if kind in effect_handlers else '  (this version only keeps them)'}"


def disagreements(books: list[Difference]) -> list[str]:
    """Return a line for each figure that does not agree with the rows it stands for."""
    if not books:
        return ["Books    agree"]
    return ["Books    DISAGREE"] + [f"  {d.what}: {d.key}: booked {d.booked}, found {d.found}" for d in books]


def counted(counts: Mapping[str, int]) -> str:
    """Return counts in one line, the largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return " · ".join(f"{name} {count:,}" for name, count in ordered) or "none"
