"""Random faults: at random moments every emulated platform goes wrong in one of its ways. Seeded, bounded, logged."""

import json
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

PREFIXES = {
    "taobao.qimen.": "warehouse",
    "qimen.": "warehouse",
    "deliveryorder.": "warehouse",
    "orderprocess.": "warehouse",
    "stockchange.": "warehouse",
    "inventory.": "warehouse",
    "taobao.": "taobao",
    "jingdong.": "jd",
    "oauth2.": "jd",
    "/": "wechat",
    "wechat.": "wechat",
    "webhook.": "webhook",
}
"""How the methods of each platform begin; Douyin's have no beginning of their own."""

ANSWERS = (1, 1, 1, 2, 3, 6)
"""How many requests one random fault answers."""
SECONDS: dict[str, tuple[float, float]] = {
    "throttle": (1, 5),
    "slow": (0.2, 2),
    "timeout": (1, 4),
    "clock_skew": (700, 3600),
}
ROWS = (1, 30)
"""Rows of `duplicates` and `mutate_while_paging`."""
ROWS_DOUBLED_BY_A_CALLBACK = 2
NEVER = frozenset({"address", "failure", "refused"})
"""Refusals that only a person ends (an address that is not allowed) or that are the other side's last word."""
LONGEST = 60.0
"""Seconds after which a random fault is over, used up or not."""
KEPT = 1000


@dataclass(frozen=True, slots=True)
class Strike:
    """One random fault, as the log has it: from `at` on, up to `times` requests of `platform` (of `method` only, if
    that is given)."""

    at: str
    platform: str
    method: str
    kind: str
    times: int
    seconds: float
    orders: int


class Chaos:
    """Says when something goes wrong, and how. `rate` is the chance of it at each point where a fault may happen.

    Each platform has at most one random fault at a time; it is over after a minute or after the answers it was made
    for. Each platform draws from a sequence of its own: same seed and same requests, same faults.
    """

    def __init__(self, rate: float, seed: int, now: Callable[[], datetime], log: Path | None = None) -> None:
        self.set_rate(rate)
        self.seed = seed
        self._now, self._log = now, log
        self._lock = threading.Lock()
        self._randoms: dict[str, Random] = {}
        self._open_until: dict[str, float] = {}
        self._strikes: deque[Strike] = deque(maxlen=KEPT)
        self._count: Counter[tuple[str, str]] = Counter()

    def strike(self, method: str, kinds: tuple[str, ...]) -> Strike | None:
        """Return the fault that begins with this request, one of `kinds`; None nearly always."""
        platform = platform_of(method)
        possible = [kind for kind in kinds if kind not in NEVER]
        if not platform or not possible or not self.rate:
            return None
        with self._lock:
            rng = self._randoms.setdefault(platform, Random(f"{self.seed}/faults/{platform}"))  # noqa: S311
            moment = self._now().timestamp()
            if rng.random() >= self.rate or self._open_until.get(platform, 0.0) > moment:
                return None
            found = self._made(rng, platform, method, rng.choice(possible))
            self._open_until[platform] = moment + LONGEST
            self._strikes.append(found)
            self._count[platform, found.kind] += 1
            self._write(found)
        return found

    def set_rate(self, rate: float) -> None:
        """Change the rate while running; 0 ends it. Raises ValueError."""
        if not 0 <= rate <= 1:
            raise ValueError("a fault rate lies between 0 and 1")
        self.rate = rate

    def lasts(self, platform: str) -> bool:
        """Whether the last random fault of this platform still has time."""
        with self._lock:
            return self._open_until.get(platform, 0.0) > self._now().timestamp()

    def over(self, platform: str) -> None:
        """Let the next random fault of this platform come: the last one is used up."""
        with self._lock:
            self._open_until.pop(platform, None)

    def report(self) -> dict[str, Any]:
        """Return rate, seed, counts by platform and kind, and the latest strikes."""
        with self._lock:
            counts: dict[str, dict[str, int]] = {}
            for (platform, kind), count in sorted(self._count.items()):
                counts.setdefault(platform, {})[kind] = count
            latest = [asdict(strike) for strike in list(self._strikes)[-50:]]
            return {"rate": self.rate, "seed": self.seed, "struck": self._count.total(), "by": counts, "latest": latest}

    def _made(self, rng: Random, platform: str, method: str, kind: str) -> Strike:
        low, high = SECONDS.get(kind, (0.0, 0.0))
        is_callback = platform == "warehouse" and kind == "duplicates"
        return Strike(
            at=self._now().isoformat(timespec="seconds"),
            platform=platform,
            method=method if rng.random() < 0.5 else "",
            kind=kind,
            times=rng.choice(ANSWERS),
            seconds=round(rng.uniform(low, high), 2),
            orders=ROWS_DOUBLED_BY_A_CALLBACK if is_callback else rng.randint(*ROWS),
        )

    def _write(self, strike: Strike) -> None:
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as log:
                log.write(json.dumps(asdict(strike)) + "\n")


def platform_of(method: str) -> str:
    """Return whose method this is; empty for none."""
    for beginning, platform in PREFIXES.items():
        if method.startswith(beginning):
            return platform
    return "douyin" if method else ""
