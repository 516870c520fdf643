"""`manage.py sandbox`: run the local stand-ins for the platforms, the warehouse and the own mini-program shop."""

import os
import signal
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.floor import Pace
from channels_sync.sandbox.mix import Mix
from channels_sync.sandbox.server import Options, Sandbox
from channels_sync.sandbox.shop_push import Hub

HOOKED = ("wechat", "douyin")
"""Platforms that push their orders; without another word their shops have these codes in the hub."""


class Command(BaseCommand):
    help = "Run a local server that speaks the platforms' protocols and makes orders (docs/sandbox.md)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8790)
        parser.add_argument("--rate", type=float, default=120, help="orders per minute over all shops")
        parser.add_argument("--mix", type=Mix.parse, default=Mix(), help="shares, e.g. abnormal=0.07,urgent=0.05")
        parser.add_argument("--taobao-share", type=float, default=0.5, help="part of the orders that go to Taobao")
        parser.add_argument(
            "--shares", type=_shares, default={}, help="weight of each shop instead, e.g. taobao=2,mini=1,jd=1"
        )
        parser.add_argument("--seed", type=int, default=11)
        parser.add_argument(
            "--fault-rate", type=float, default=0.0,
            help="chance of a random fault at each point where a platform can go wrong, e.g. 0.01; drawn from --seed",
        )  # fmt: skip
        parser.add_argument("--hub", help="base address of the hub to which the mini-program shop pushes")
        parser.add_argument("--token", default=os.environ.get("SANDBOX_HUB_TOKEN", ""), help="API token for the push")
        parser.add_argument("--shop-mini", default="mini", help="code of the mini-program shop in the hub")
        parser.add_argument(
            "--shop-taobao", default="taobao", help="code of the Taobao shop in the hub, for the banner"
        )
        parser.add_argument(
            "--hooks", type=_codes, default={name: name for name in HOOKED},
            help="code in the hub of each shop whose platform pushes, e.g. wechat=wx",
        )  # fmt: skip
        parser.add_argument(
            "--warehouse", default="", help="code of the warehouse in the hub, which is told what became of its orders"
        )
        parser.add_argument(
            "--warehouse-seconds", type=float, default=Pace().seconds, help="from taking an order to its hand-over"
        )
        parser.add_argument(
            "--warehouse-split", type=float, default=Pace().split, help="part of the orders that leave in two parcels"
        )
        parser.add_argument(
            "--warehouse-gives-back", type=float, default=Pace().gives_back, help="part of the orders it gives back"
        )
        parser.add_argument("--state-dir", type=Path, help="where orders are kept over a restart; memory without it")
        parser.add_argument("--labels", type=Path, help="log of the right answers; labels.ndjson in the state dir")
        parser.add_argument("--repeat-is-success", action="store_true", help="answer a repeated delivery order with ok")
        parser.add_argument("--backlog", type=int, default=0, help="orders of the past hours to start with")
        parser.add_argument("--backlog-hours", type=float, default=3.0)

    def handle(self, **given: Any) -> None:
        try:
            sandbox = Sandbox(_options(given))
        except ValueError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"cannot listen on {given['host']}:{given['port']}: {error}") from error
        stop = threading.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: stop.set())
        with sandbox:
            self.stdout.write(f"Sandbox at {sandbox.url}: {sandbox.options.rate:g} orders a minute; Ctrl-C stops it.")
            self.stdout.write(f"  Taobao ({given['shop_taobao']})  {sandbox.url}/router/rest")
            self.stdout.write(f"  WeChat shop  {sandbox.url}/wechat")
            self.stdout.write(f"  JD  {sandbox.url}/jd/routerjson")
            self.stdout.write(f"  Douyin  {sandbox.url}/douyin")
            self.stdout.write(f"  Qimen  {sandbox.url}/router/qimen/service")
            self.stdout.write(f"  Mini-program shop ({given['shop_mini']}) -> {given['hub'] or 'no hub given, silent'}")
            self.stdout.write(f"  Side door  {sandbox.url}/_sandbox/state")
            self.stdout.flush()
            stop.wait()


def _codes(text: str) -> dict[str, str]:
    """Return `wechat=wx,douyin=dy` as a dictionary."""
    parts = (part.partition("=") for part in text.split(",") if part.strip())
    return {name.strip(): code.strip() for name, _, code in parts}


def _shares(text: str) -> dict[str, float]:
    """Return `taobao=2,jd=1` as a dictionary. Raises ValueError."""
    parts = (part.partition("=") for part in text.split(",") if part.strip())
    return {name.strip(): float(value) for name, _, value in parts}


def _options(given: dict[str, Any]) -> Options:
    state_dir, labels = given["state_dir"], given["labels"]
    if labels is None and state_dir:
        labels = state_dir / "labels.ndjson"
    hub = Hub(given["hub"], given["token"], given["shop_mini"]) if given["hub"] else None
    hooks = {name: f"{given['hub'].rstrip('/')}/hooks/{code}/" for name, code in given["hooks"].items()} if hub else {}
    if hub and given["warehouse"]:
        hooks["warehouse"] = f"{given['hub'].rstrip('/')}/hooks/warehouse/{given['warehouse']}/"
    same = (
        "host", "port", "rate", "mix", "taobao_share", "shares", "seed", "fault_rate", "repeat_is_success", "backlog",
        "backlog_hours",
    )  # fmt: skip
    return Options(
        state_dir=state_dir,
        labels=labels,
        hub=hub,
        hooks=hooks,
        credentials=Credentials.from_environment(),
        pace=Pace(
            seconds=given["warehouse_seconds"], split=given["warehouse_split"], gives_back=given["warehouse_gives_back"]
        ),
        **{name: given[name] for name in same},
    )
