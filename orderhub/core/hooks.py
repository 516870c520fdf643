"""Slots through which lower layers reach the pipeline, which they must not import.

`orderhub.apps` fills each slot once at start; calling an empty one is a programming error and says so.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Generic, ParamSpec, TypeVar

from orderhub.core.opening import Opening, OpeningQuota
from orderhub.core.results import IntakeResult

P = ParamSpec("P")
R = TypeVar("R")


class Hook(Generic[P, R]):
    """One slot for one function."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._function: Callable[P, R] | None = None

    def fill(self, function: Callable[P, R]) -> None:
        """Put the function in."""
        self._function = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function in the slot."""
        if self._function is None:
            raise RuntimeError(f"nothing fills the hook {self.name}")
        return self._function(*args, **kwargs)


process_inbox: Hook[[int], IntakeResult] = Hook("process_inbox")
"""Take one stored delivery in: `process_inbox(item_id)`."""

rerun_reject: Hook[[int, str], bool | None] = Hook("rerun_reject")
"""Try a rejected row again: `rerun_reject(reject_id, actor)`; true when it was taken in, None when its platform is
asked for the order once more."""

retriage: Hook[[Sequence[int], str], int] = Hook("retriage")
"""Judge orders again: `retriage(order_ids, actor)`; returns how many were judged."""

remap: Hook[[Sequence[int], str, int], tuple[int, int]] = Hook("remap")
"""Let open orders follow changed channel items: `remap(listing_ids, actor, most)`; returns how many orders changed, and
how many beyond `most` were left to the job."""

start_pull: Hook[[int], None] = Hook("start_pull")
"""Ask the workers to pull one shop now, whatever it waits for: `start_pull(shop_id)`."""

open_at_platform: Hook[[int, int, Sequence[str]], Opening | None] = Hook("open_at_platform")
"""Ask the platform for texts that it keeps back: `open_at_platform(order_id, user_id, parts)`, metered and logged; None
where it has nothing more to tell."""

opening_quota: Hook[[int, int], OpeningQuota | None] = Hook("opening_quota")
"""What may still be asked: `opening_quota(order_id, user_id)`; None where there is nothing to ask."""

hidden_facts: Hook[[str], Mapping[str, str]] = Hook("hidden_facts")
"""What a platform keeps back: `hidden_facts(platform)` returns the reason by fact (`receiver.phone`), in the reader's
language; nothing for a platform that nobody knows."""

open_reasons: Hook[[Sequence[int]], Mapping[int, Sequence[str]]] = Hook("open_reasons")
"""What a release of orders would accept: `open_reasons(order_ids)` returns a mark for each reason, by order. The marks
go with the page that asks, lest a person accepts what nobody has shown."""

release_order: Hook[[int, str, str, bool, Collection[str]], None] = Hook("release_order")
"""Let a held order go: `release_order(order_id, actor, reason, may_release_abnormal, seen)`; `seen` are the marks."""
