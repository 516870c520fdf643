"""Faults: on demand, each answering for a number of requests and counting how often it did, and at random."""

import re
import threading
from dataclasses import asdict, dataclass
from typing import Any

from channels_sync.sandbox.chaos import Chaos, platform_of

KINDS = {
    "throttle": "the platform's own call limit; TOP: code 7 with a ban of `seconds`, `scope` app, api or app_api",
    "http500": "HTTP 500 with an HTML body",
    "timeout": "no answer for `seconds`, then the connection is closed",
    "disconnect": "the connection is closed at once",
    "truncated": "the right answer, cut in half, with a matching length",
    "expired_token": "the platform's own refusal of a token; TOP: code 27",
    "remote_error": "the platform's own passing failure; TOP: code 15, sub_code isp.remote-service-timeout",
    "wrong_page": "an order list answers with the page after the one asked for",
    "mutate_while_paging": "after a page went out, `orders` of the window are modified now",
    "slow": "the right answer, `seconds` late",
    "failure": "Qimen flag failure with `message`",
    "duplicates": "an order list shows its first `orders` rows twice",
    "out_of_order": "an order list shows its rows in reverse",
    "address": "WeChat: HTTP 403, the caller's address is not on the allow list",
    "answer_lost": "TOP, WeChat: the call is carried out, its answer is lost",
    "changed_too_often": "WeChat: code 100003",
    "late_detail": "WeChat: a paid order still says unpaid",
    "lost_cursor": "WeChat: code 606006 for the next page",
    "too_many": "WeChat: code 31042 for a list",
    "refused": "JD: a look-up of one order (`number`; empty: any) or SKU is refused, the call itself went well",
    "clock_skew": "the platform's clock is `seconds` ahead of the true time (behind: negative); it dates the answers",
}
"""What may be set, and what it does."""


_NUMBER = re.compile(r'"(?:shop_order_id|order_id|orderId|after_sale_order_id|skuId)"\s*:\s*"?(\d+)')


def number_in(text: str) -> str:
    """Return the number of the one object that the JSON of a request asks about; empty where it names none."""
    found = _NUMBER.search(text)
    return found.group(1) if found else ""


@dataclass(slots=True)
class Fault:
    """One fault; `method` empty means any request of `platform`, which empty means any. With `number` it answers only
    requests about that order, after-sale or SKU (JD, Douyin, WeChat; broken answers and `refused`)."""

    kind: str
    times: int = 1
    method: str = ""
    seconds: float = 2.0
    scope: str = "api"
    orders: int = 1
    message: str = "系统繁忙,请稍后再试"
    fired: int = 0
    platform: str = ""
    is_random: bool = False
    number: str = ""

    def answers(self, method: str, about: str = "") -> bool:
        """Whether it is left for this method and the object that the request is about."""
        names = {"", method, method.removeprefix("taobao.qimen.")}
        is_mine = self.method in names and self.platform in {"", platform_of(method)} and self.number in {"", about}
        return self.fired < self.times and is_mine


class Faults:
    """The faults that are set. Safe for many threads."""

    def __init__(self, chaos: Chaos | None = None) -> None:
        self.chaos = chaos
        self._lock = threading.Lock()
        self._set: list[Fault] = []
        self._request = threading.local()

    def add(self, options: dict[str, Any]) -> Fault:
        """Set one fault. Raises ValueError for an unknown kind or option."""
        if options.get("kind") not in KINDS:
            raise ValueError(f"unknown fault {options.get('kind')!r}; one of {', '.join(KINDS)}")
        try:
            fault = Fault(**options)
            fault.times, fault.seconds, fault.orders = int(fault.times), float(fault.seconds), int(fault.orders)
        except TypeError as error:
            raise ValueError(str(error)) from error
        with self._lock:
            self._set.append(fault)
        return fault

    def clear(self) -> None:
        """Take all faults back."""
        with self._lock:
            self._set.clear()

    def take(self, method: str, *kinds: str, about: str = "") -> Fault | None:
        """Return the first fault of these kinds that is left for this method (and object), and count it."""
        fault = self._taken(method, kinds, about)
        if fault and fault.kind == "clock_skew":
            self._request.skew = fault.seconds
        return fault

    def _taken(self, method: str, kinds: tuple[str, ...], about: str) -> Fault | None:
        with self._lock:
            self._set = [fault for fault in self._set if not self._ran_out(fault)]
            for fault in self._set:
                if fault.kind in kinds and fault.answers(method, about):
                    fault.fired += 1
                    self._forget(fault)
                    return fault
            return self._random(method, kinds)

    def skew(self) -> float:
        """Return by how many seconds the request of this thread met a clock ahead; the next one starts from nothing."""
        seconds: float = getattr(self._request, "skew", 0.0)
        self._request.skew = 0.0
        return seconds

    def _random(self, method: str, kinds: tuple[str, ...]) -> Fault | None:
        strike = self.chaos.strike(method, kinds) if self.chaos else None
        if strike is None:
            return None
        fault = Fault(
            kind=strike.kind, times=strike.times, method=strike.method, seconds=strike.seconds, orders=strike.orders,
            fired=1, platform=strike.platform, is_random=True,
        )  # fmt: skip
        self._set.append(fault)
        self._forget(fault)
        return fault

    def _ran_out(self, fault: Fault) -> bool:
        """Whether a random fault lasted its time, used up or not: a platform has one of them, for a minute at most."""
        return fault.is_random and self.chaos is not None and not self.chaos.lasts(fault.platform)

    def _forget(self, fault: Fault) -> None:
        """Take a random fault off that is used up."""
        if fault.is_random and fault.fired >= fault.times and self.chaos:
            self._set.remove(fault)
            self.chaos.over(fault.platform)

    def listing(self) -> list[dict[str, Any]]:
        """Return all set faults with their counts."""
        with self._lock:
            return [asdict(fault) for fault in self._set]
