"""`manage.py run`: the whole hub on one machine with demo data and the platform sandbox; Ctrl-C ends all of it."""

import logging
import signal
import socket
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from channels_sync.sandbox.credentials import Credentials
from orderhub.core import env
from orderhub.core.local import embedded_server, var_dir
from orderhub.core.supervisor import Program, Supervisor
from orderhub.management.demo import MINI_SHOP, TAOBAO_SHOP, sandbox_token
from orderhub.management.output import Output

HOST = "127.0.0.1"
STOP_SECONDS = 20
SHARES = "taobao=2,mini=2,wechat=1,jd=1,douyin=1"
"""Weight of each demo shop among the orders."""
WAREHOUSE_SECONDS = 45
"""From taking an order to its hand-over, so that parcels leave while one looks on."""
GATEWAYS = {
    "HUB_TAOBAO_GATEWAY_URL": "/router/rest",
    "HUB_WECHAT_GATEWAY_URL": "/wechat",
    "HUB_JD_GATEWAY_URL": "/jd/routerjson",
    "HUB_JD_OAUTH_URL": "/jd/oauth2",
    "HUB_DOUYIN_GATEWAY_URL": "/douyin",
    "HUB_QIMEN_GATEWAY_URL": "/router/qimen/service",
}
"""Where the sandbox answers for each platform and for the warehouse."""
BACKLOG = 300
"""Orders of the hours before, so that the first look is not at empty pages."""


class Command(BaseCommand):
    help = "Run web, jobs, stock lane, watch and the platform sandbox on this machine, with demo data."

    def add_arguments(self, parser: ArgumentParser) -> None:
        port = env.number("PORT", 8000, low=1, high=65_535)
        sandbox_port = env.number("SANDBOX_PORT", 8790, low=1, high=65_535)
        parser.add_argument("--port", type=int, default=port, help="web port")
        parser.add_argument("--sandbox-port", type=int, default=sandbox_port, help="sandbox port")
        parser.add_argument("--no-sandbox", action="store_true", help="no demo data and no emulated platforms")
        parser.add_argument("--rate", type=float, default=120, help="sandbox orders a minute")
        parser.add_argument(
            "--backlog", type=int, default=BACKLOG, help="orders of the past three hours in a new sandbox"
        )
        parser.add_argument("--verbose", action="store_true", help="show every log line, not only warnings")

    def handle(self, *_args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("`run` is for one machine with demo data; docs/operating.md tells how to deploy.")
        port, sandbox_port = options["port"], None if options["no_sandbox"] else options["sandbox_port"]
        for name, wanted in (("PORT", port), ("SANDBOX_PORT", sandbox_port)):
            refuse_taken_port(name, wanted)
        # The processes log for themselves; of this one only what is wrong belongs on the terminal.
        logging.getLogger().setLevel(logging.WARNING)
        call_command("setup", interactive=False, verbosity=0)
        running = programs(port)
        if sandbox_port:
            call_command("demo", stdout=self.stdout)
            point_at_sandbox(sandbox_port)
            running.insert(0, sandbox(port, sandbox_port, options["rate"], options["backlog"]))
        connections.close_all()
        self.stdout.write(welcome(port, sandbox_port))
        # Into a file or pipe the passwords would otherwise stay in the buffer until something else fills it.
        self.stdout.flush()
        self._supervise(running, verbose=options["verbose"])

    def _supervise(self, running: list[Program], *, verbose: bool) -> None:
        output = Output(var_dir() / "log", self.stdout, verbose=verbose)
        supervisor = Supervisor(running, output.take)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: supervisor.stop())
        server = embedded_server()
        supervisor.run(server.mend)
        self.stdout.write("Stopping …")
        if not server.leave(STOP_SECONDS):
            self.stdout.write("PostgreSQL goes on: another command uses it.")


def programs(port: int) -> list[Program]:
    """Return what runs side by side; the web server is the one production uses."""
    gunicorn = [sys.executable, "-m", "gunicorn", "--config", str(settings.BASE_DIR / "gunicorn.conf.py")]
    return [
        Program("web", [*gunicorn, "--bind", f"{HOST}:{port}", "orderhub.wsgi:application"]),
        Program("jobs", manage("qcluster")),
        Program("stock", manage("show_stock")),
        Program("watch", manage("watch")),
    ]


def sandbox(port: int, sandbox_port: int, rate: float, backlog: int = BACKLOG) -> Program:
    """Return the emulated platforms: they answer, and those that push their orders push to the hub."""
    words = ["--port", str(sandbox_port), "--hub", f"http://{HOST}:{port}", "--state-dir", str(var_dir() / "sandbox")]
    words += ["--rate", str(rate), "--backlog", str(backlog), "--shares", SHARES]
    shops = ["--shop-mini", MINI_SHOP, "--shop-taobao", TAOBAO_SHOP]
    warehouse = Credentials.from_environment().warehouse_code
    shops += ["--warehouse", warehouse, "--warehouse-seconds", str(WAREHOUSE_SECONDS)]
    # The token travels in the environment: a command line can be read by every user of the machine.
    return Program("sandbox", manage("sandbox", *words, *shops), {"SANDBOX_HUB_TOKEN": sandbox_token()})


def point_at_sandbox(sandbox_port: int) -> None:
    """Let the processes that are started from here talk to the sandbox, whatever `.env` says: the demo's shops are none
    of a platform."""
    address = f"http://{HOST}:{sandbox_port}"
    for name, path in GATEWAYS.items():
        env.put(name, f"{address}{path}")


def manage(*words: str) -> list[str]:
    """Return the command line of a management command."""
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), *words]


def refuse_taken_port(name: str, port: int | None) -> None:
    """Raise CommandError when somebody else listens on the port: better said now than in a restart loop."""
    if port is None:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise CommandError(f"Port {port} is in use; choose another, for example {name}={port + 1}.") from error


def welcome(port: int, sandbox_port: int | None) -> str:
    """Return the addresses, as the terminal shows them."""
    lines = [
        "",
        f"  Ops console   http://{HOST}:{port}/ops/",
        f"  Agents' desk  http://{HOST}:{port}/desk/",
        f"  API docs      http://{HOST}:{port}/api/docs/",
    ]
    if sandbox_port:
        lines.append(f"  Sandbox       http://{HOST}:{sandbox_port}/")
    return "\n".join([*lines, f"  Logs          {var_dir() / 'log'}", "", "  Ctrl-C stops everything.", ""])
