"""The contract of what carries an effect out: one handler per kind, registered by a feature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from orderhub.core.errors import HubError
from orderhub.core.registry import Registry


@dataclass(slots=True, frozen=True)
class Job:
    """One leased outbox row, as its handler sees it."""

    effect_id: int
    key: str
    shop_id: int
    order_id: int | None
    payload: Mapping[str, Any] | None
    attempts: int
    due_at: datetime | None = None


class EffectHandler(Protocol):
    """Carries one kind of effect out, a batch at a time."""

    concurrency: int
    """How many `send` calls may run at once in one worker."""

    def prepare(self, jobs: Sequence[Job]) -> Mapping[int, Any]:
        """Read, set-wise, what sending needs, by effect id. A job left out is no longer wanted: it is cancelled, unless
        somebody wanted it again since it was leased."""

    def send(self, prepared: Any) -> Any:
        """Do it over the network and return the answer; raises HubError, permanent or temporary. No database."""

    def settle(self, done: Sequence[tuple[Job, Any]]) -> None:
        """Write, set-wise, what the answers mean; runs in the transaction that has marked the effects done."""


@runtime_checkable
class GivesUp(Protocol):
    """A handler that has something to write when its effects became dead letters."""

    def give_up(self, dead: Sequence[tuple[Job, HubError]]) -> None:
        """Write, set-wise, what a final failure means; runs in the transaction that sets the effects aside."""


effect_handlers: Registry[EffectHandler] = Registry("effect handler")


def shared_kinds() -> list[str]:
    """Return the kinds that the common drain of the outbox carries out: those whose handler has no lane of its own."""
    return [kind for kind, handler in effect_handlers.items() if not getattr(handler, "own_lane", False)]
