"""The HTTP server of the sandbox and the threads that keep its world moving."""

import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from channels_sync.sandbox.chaos import Chaos
from channels_sync.sandbox.control import Control
from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.douyin import DouyinGateway
from channels_sync.sandbox.douyin_push import DouyinPush
from channels_sync.sandbox.faults import Faults
from channels_sync.sandbox.floor import Floor, Pace
from channels_sync.sandbox.jd import JdGateway
from channels_sync.sandbox.live import LabelLog, Live
from channels_sync.sandbox.mix import Mix
from channels_sync.sandbox.qimen import Warehouse
from channels_sync.sandbox.replies import Reply, json_reply
from channels_sync.sandbox.shop_push import Hub, ShopPush
from channels_sync.sandbox.store import Store
from channels_sync.sandbox.top import TopGateway
from channels_sync.sandbox.webhook_push import WebhookPush
from channels_sync.sandbox.wechat import WechatShop
from channels_sync.sandbox.wechat_push import WechatPush

LARGEST_BODY = 16 * 1024 * 1024
BEAT = 0.5
"""Seconds between two looks at what is due."""


def utc_now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


class Emulator(Protocol):
    """One more platform: it answers everything below its path prefix."""

    prefix: str

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Reply:
        """Answer one request; header names are lower case."""


class Pusher(Protocol):
    """A platform that tells the hub of its orders by itself."""

    def step(self) -> float:
        """Send one push if one is due; return the seconds to wait before the next step."""


@dataclass(frozen=True, slots=True)
class Options:
    """How one sandbox runs. No `state_dir` keeps everything in memory; no `hub` leaves the own shop silent."""

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 11
    serial: int = 0
    """Number of the first order, on which its content depends; 0: by the clock, so that later runs go on above it."""
    rate: float = 0.0
    mix: Mix = field(default_factory=Mix)
    taobao_share: float = 0.5
    shares: Mapping[str, float] = field(default_factory=dict)
    """Weight of each shop by name (`live.PROFILES`); empty: Taobao and the own shop by `taobao_share`."""
    state_dir: Path | None = None
    labels: Path | None = None
    hub: Hub | None = None
    hooks: Mapping[str, str] = field(default_factory=dict)
    """Where platforms push their orders to, by shop name: `<hub>/hooks/<shop code>/`; silent without."""
    pace: Pace = field(default_factory=Pace)
    """How the warehouse works on what it took; it does when `hooks` names a `warehouse`."""
    fault_rate: float = 0.0
    """Chance of a random fault at each point where a platform can go wrong (`chaos`)."""
    repeat_is_success: bool = False
    backlog: int = 0
    backlog_hours: float = 3.0
    credentials: Credentials = field(default_factory=Credentials)
    moves: bool = True
    """Whether time makes orders and changes them; without it only the side door does."""


class Sandbox:
    """One running sandbox: `start()`, `url`, `stop()`; also a context manager."""

    def __init__(self, options: Options, now: Callable[[], datetime] = utc_now) -> None:
        self.options, self.now = options, now
        if options.state_dir:
            options.state_dir.mkdir(parents=True, exist_ok=True)
        self.store = Store(options.state_dir / "sandbox.sqlite3" if options.state_dir else None)
        log = options.state_dir / "faults.ndjson" if options.state_dir else None
        self.faults = Faults(Chaos(options.fault_rate, options.seed, now, log))
        self.stopping = threading.Event()
        self.live = Live(
            self.store, LabelLog(options.labels), now,
            seed=options.seed, rate=options.rate, mix=options.mix, taobao_share=options.taobao_share,
            shares=options.shares, serial=options.serial,
        )  # fmt: skip
        self.warehouse = Warehouse(self.store, options.credentials, self.faults, now)
        self.warehouse.repeat_is_success = options.repeat_is_success
        self.push = ShopPush(self.store, options.hub, now) if options.hub else None
        self.top = TopGateway(self.store, options.credentials, self.faults, now)
        self.emulators: list[Emulator] = [JdGateway(self.store, options.credentials, self.faults, now)]
        self.pushers: list[Pusher] = []
        self.wechat = WechatShop(self.store, options.credentials, self.faults, now)
        self.emulators.append(self.wechat)
        if "wechat" in options.hooks:
            self.pushers.append(WechatPush(self.store, options.credentials, self.faults, options.hooks["wechat"], now))
        self.douyin = DouyinGateway(self.store, options.credentials, self.faults, now)
        self.emulators.append(self.douyin)
        if "douyin" in options.hooks:
            hook = options.hooks["douyin"]
            self.pushers.append(DouyinPush(self.store, options.credentials, self.faults, now, hook))
        if "webhook" in options.hooks:
            hook = options.hooks["webhook"]
            self.pushers.append(WebhookPush(self.store, options.credentials, self.faults, now, hook))
        if "warehouse" in options.hooks:
            hook = options.hooks["warehouse"]
            floor = Floor(self.store, options.credentials, self.faults, now, hook, options.seed)
            floor.pace = options.pace
            self.warehouse.floor = floor
            self.pushers.append(floor)
        self.control = Control(
            self.store, options.credentials, self.faults, self.live, self.warehouse, self.push, self.wechat.contacts
        )
        self._server = _Server((options.host, options.port), self)
        self._threads: list[threading.Thread] = []
        if options.backlog and self.store.is_empty():
            self.live.backlog(options.backlog, options.backlog_hours)

    @property
    def url(self) -> str:
        """Return the base address."""
        host, port = self._server.server_address[:2]
        return f"http://{host if isinstance(host, str) else host.decode()}:{port}"

    def start(self) -> "Sandbox":
        """Serve and move, in threads of their own."""
        works: list[Callable[[], None]] = [self._serve]
        if self.options.moves:
            works.append(self._beat)
        if self.options.moves:
            works += [partial(self._push, pusher) for pusher in (*([self.push] if self.push else []), *self.pushers)]
        self._threads = [threading.Thread(target=work, name="sandbox", daemon=True) for work in works]
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Stop serving, let the threads end, close the store."""
        self.stopping.set()
        if self._threads:
            self._server.shutdown()
        for thread in self._threads:
            thread.join(timeout=10)
        self._server.server_close()
        self.store.close()

    def __enter__(self) -> "Sandbox":
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.1)

    def _beat(self) -> None:
        last = time.monotonic()
        while not self.stopping.wait(BEAT):
            now = time.monotonic()
            self.live.beat(now - last)
            last = now

    def _push(self, pusher: Pusher) -> None:
        pause = 0.0
        while not self.stopping.wait(pause):
            pause = pusher.step()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    block_on_close = False

    def __init__(self, address: tuple[str, int], sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away; show anything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    # Head and body leave in one packet; with keep-alive the second would wait for an acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 120

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def finish(self) -> None:
        """Close both ends; a client that went away early must not leave the reading one open."""
        for stream in (self.wfile, self.rfile):
            with suppress(OSError):
                stream.close()

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Date an answer by the clock of the platform that gives it."""
        moment = time.time() if timestamp is None else timestamp
        return super().date_time_string(moment + self._sandbox.faults.skew())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Stay silent: requests carry tokens and receivers."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > LARGEST_BODY:
            self.close_connection = True
            self._send(json_reply({"error": "body too large"}, 413))
            return
        self._send(self._route(self.rfile.read(length)))

    def _route(self, raw: bytes) -> Reply:
        sandbox = self._sandbox
        body = raw.decode("utf-8", errors="replace")
        address = urlsplit(self.path)
        params = dict(parse_qsl(address.query, keep_blank_values=True))
        if address.path == "/router/rest":
            return sandbox.top.answer({**params, **dict(parse_qsl(body, keep_blank_values=True))})
        if address.path == "/router/qimen/service":
            return sandbox.warehouse.answer(params, body)
        for emulator in sandbox.emulators:
            if address.path.startswith(emulator.prefix):
                headers = {name.lower(): value for name, value in self.headers.items()}
                return emulator.answer(self.command, address.path, params, headers, raw)
        if address.path.startswith("/_sandbox/"):
            return sandbox.control.answer(
                self.command, address.path.removeprefix("/_sandbox/").strip("/"), params, body
            )
        return json_reply({"error": "not here: /router/rest, /router/qimen/service, /_sandbox/state"}, 404)

    def _send(self, reply: Reply) -> None:
        if reply.wait:
            self._sandbox.stopping.wait(reply.wait)
        if reply.drop:
            self.close_connection = True
            return
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    @property
    def _sandbox(self) -> Sandbox:
        assert isinstance(self.server, _Server)
        return self.server.sandbox
