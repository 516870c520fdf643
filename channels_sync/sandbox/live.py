"""The running sandbox: new orders at a steady rate, older ones changing, every right answer written to the log."""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from channels_sync.sandbox import evolve
from channels_sync.sandbox.mix import Mix, Profile
from channels_sync.sandbox.orders import SandboxOrder, stamp
from channels_sync.sandbox.store import Store, unix
from channels_sync.sandbox.stream import SHANGHAI, Stream, first_serial, generate, number_all

PROFILES: dict[str, Profile] = {
    "taobao": "masked",
    "mini": "mini",
    "jd": "masked",
    "douyin": "masked",
    "wechat": "virtual",
    "webhook": "mini",
}
"""Every shop that is played, and what its platform shows of a buyer."""
BACKLOG_SERIAL = 10_000_000
"""How far the numbers of a backlog lie above a given first one: it may come after orders made one by one."""
BURST = 5.0
"""Seconds of orders that are made up for at most after the process was held up; a long pause is not caught up."""


class LabelLog:
    """`labels.ndjson`: one line per order and per change of its right answer; the last line of a number counts."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, orders: Iterable[SandboxOrder]) -> None:
        """Append the labels of these orders."""
        if self._path is None:
            return
        text = "".join(json.dumps(order.label(), ensure_ascii=False) + "\n" for order in orders)
        with self._lock, self._path.open("a", encoding="utf-8") as log:
            log.write(text)


class Live:
    """Makes and changes orders. `rate` is orders per minute over all shops, `shares` each shop's weight; without it
    `taobao_share` is the part of Taobao and the rest goes to the own shop."""

    def __init__(
        self,
        store: Store,
        labels: LabelLog,
        now: Callable[[], datetime],
        *,
        seed: int,
        rate: float,
        mix: Mix,
        taobao_share: float = 0.5,
        shares: Mapping[str, float] | None = None,
        serial: int = 0,
    ) -> None:
        self._store = store
        self._labels = labels
        self.now = now
        self._lock = threading.Lock()
        self._seed, self._mix, self.rate = seed, mix, rate
        self._shares = _weights(shares or {"taobao": taobao_share, "mini": 1 - taobao_share})
        self._first = serial
        serial = max(serial or first_serial(now()), int(store.fact("next_serial", "0")))
        self._rng = Random(f"{seed}/live/{serial}")  # noqa: S311
        self._streams = {
            shop: Stream(seed=seed, profile=profile, serial=serial, mix=mix, shop=shop)
            for shop, profile in PROFILES.items()
        }
        self._owed = 0.0

    def beat(self, seconds: float) -> int:
        """Make the orders of the last `seconds`, apply the changes that are due; return how many orders were made."""
        with self._lock:
            self._owed += self.rate / 60 * min(seconds, BURST)
            made = 0
            while self._owed >= 1:
                group = self._next_group(self.now())
                self._keep(group)
                made += len(group)
                self._owed -= len(group)
            self._change_due()
        return made

    def make(self, count: int) -> list[str]:
        """Make `count` orders that show at once, and return their numbers."""
        now = self.now().astimezone(SHANGHAI)
        orders: list[SandboxOrder] = []
        with self._lock:
            while len(orders) < count:
                orders += self._next_group(now - timedelta(minutes=12), room=count - len(orders))
            for order in orders:
                order.draft["modified_at"] = stamp(now)
            self._keep(orders)
        return [order.draft["external_no"] for order in orders]

    def backlog(self, count: int, hours: float) -> None:
        """Fill an empty sandbox with orders of the last hours, along the day's curve."""
        start = self.now().astimezone(SHANGHAI) - timedelta(hours=hours)
        left, last = count, next(reversed(self._shares))
        for shop, share in self._shares.items():
            part = left if shop == last else min(round(count * share), left)
            left -= part
            profile, first = PROFILES[shop], self._first + BACKLOG_SERIAL if self._first else 0
            self._keep(
                generate(
                    part, seed=self._seed, profile=profile, start=start, hours=hours, mix=self._mix, shop=shop,
                    serial=first,
                )
            )  # fmt: skip

    def change(self, external_no: str, name: str, *, is_quiet: bool = False) -> SandboxOrder | None:
        """Apply one change now, which `is_quiet` moves no modification time; None for an unknown order. Raises KeyError
        for an unknown change."""
        with self._lock, self._store.transaction():
            order = self._store.get(external_no)
            if order is not None:
                self._apply(order, name, is_quiet=is_quiet)
        return order

    def _next_group(self, at: datetime, room: int | None = None) -> list[SandboxOrder]:
        stream = self._streams[self._next_shop()]
        group = stream.group(at.astimezone(SHANGHAI), room)
        number_all(stream, group)
        return group

    def _next_shop(self) -> str:
        roll = self._rng.random()
        for shop, share in self._shares.items():
            if roll < share:
                return shop
            roll -= share
        return next(reversed(self._shares))

    def _keep(self, orders: list[SandboxOrder]) -> None:
        changes = {}
        for order in orders:
            plan = evolve.next_change(self._rng, order)
            if plan:
                changes[order.draft["external_no"]] = (plan[0], unix(order.draft["modified_at"]) + plan[1])
        with self._store.transaction():
            self._store.add(orders, changes)
            self._store.set_fact("next_serial", str(max(stream.serial for stream in self._streams.values())))
        self._labels.write(orders)

    def _change_due(self) -> None:
        with self._store.transaction():
            for order, name in self._store.due_changes(unix(self.now().isoformat())):
                self._apply(order, name)

    def _apply(self, order: SandboxOrder, name: str, *, is_quiet: bool = False) -> None:
        now = self.now().astimezone(SHANGHAI)
        evolve.apply(name, self._rng, order, now, is_quiet=is_quiet)
        self._store.save(order)
        plan = evolve.next_change(self._rng, order) if name in evolve.LEADS_ON else None
        self._store.plan(order.draft["external_no"], (plan[0], unix(stamp(now)) + plan[1]) if plan else None)
        self._labels.write([order])


def _weights(shares: Mapping[str, float]) -> dict[str, float]:
    """Return the shares as parts of one. Raises ValueError for an unknown shop or a share that is none."""
    unknown = set(shares) - set(PROFILES)
    if unknown or min(shares.values()) < 0 or sum(shares.values()) <= 0:
        raise ValueError(f"shares are numbers from 0 for some of {', '.join(PROFILES)}")
    return {shop: share / sum(shares.values()) for shop, share in shares.items()}
