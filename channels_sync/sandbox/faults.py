"""Faults on demand: each set fault answers for a number of requests and counts how often it did."""

import threading
from dataclasses import asdict, dataclass
from typing import Any

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
    "clock_skew": "the platform's clock is `seconds` ahead of the true time",
}
"""What may be set, and what it does."""


@dataclass(slots=True)
class Fault:
    """One fault; `method` empty means any request of any platform."""

    kind: str
    times: int = 1
    method: str = ""
    seconds: float = 2.0
    scope: str = "api"
    orders: int = 1
    message: str = "系统繁忙,请稍后再试"
    fired: int = 0


class Faults:
    """The faults that are set. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set: list[Fault] = []

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

    def take(self, method: str, *kinds: str) -> Fault | None:
        """Return the first fault of these kinds that is left for this method, and count it."""
        short = method.removeprefix("taobao.qimen.")
        with self._lock:
            for fault in self._set:
                if fault.kind in kinds and fault.fired < fault.times and fault.method in {"", method, short}:
                    fault.fired += 1
                    return fault
        return None

    def listing(self) -> list[dict[str, Any]]:
        """Return all set faults with their counts."""
        with self._lock:
            return [asdict(fault) for fault in self._set]
