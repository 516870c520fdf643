"""What is wrong with a channel, the worst first: the rules by which the board judges, as plain functions."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from channels_sync.models import ErrorKind, TokenState
from channels_sync.selectors.board import ChannelFacts
from channels_sync.selectors.silence import SILENT
from channels_sync.selectors.sync import is_late
from orderhub.core.words import EffectState, GateState

FAR_BEHIND = timedelta(minutes=30)
"""A lag from which orders miss their inner clock: a person must look, whatever the cause."""
INBOX_PATIENCE, INBOX_LIMIT = timedelta(minutes=5), timedelta(minutes=30)
STOCK_PATIENCE = timedelta(minutes=5)
TOKEN_NEAR, TOKEN_SOON = timedelta(hours=2), timedelta(hours=24)


class Level(IntEnum):
    """How bad it is; a shop is as bad as its worst trouble."""

    FINE = 0
    NOTE = 1
    """Known and wanted, or small."""
    WARN = 2
    """Passes by itself, or can wait an hour."""
    BAD = 3
    """A person must act now."""


@dataclass(slots=True, frozen=True)
class Trouble:
    """One thing that is wrong: a word that texts are looked up by, how bad, how many, and since or until when."""

    key: str
    level: Level
    count: int = 0
    at: datetime | None = None


def troubles(facts: ChannelFacts, now: datetime) -> list[Trouble]:
    """Return what is wrong with one channel, the worst first; nothing for a shop that is switched off."""
    if not facts.shop.is_active:
        return []
    found = [
        *_sync(facts, now), *_short(facts), *_token(facts, now), *_silence(facts), *_gate(facts), *_intake(facts, now),
        *_out(facts, now),
    ]  # fmt: skip
    return sorted(found, key=lambda trouble: -trouble.level)


def level_of(found: list[Trouble]) -> Level:
    """Return the level of the worst trouble."""
    return max((trouble.level for trouble in found), default=Level.FINE)


def _sync(facts: ChannelFacts, now: datetime) -> Iterator[Trouble]:
    sync = facts.sync
    if facts.connector is None:
        yield Trouble("error", Level.BAD)
        return
    if not facts.pulls:
        return
    if sync is None or (sync.cursor is None and not sync.consecutive_failures):
        yield Trouble("never", Level.WARN)
        return
    if sync.clock_ahead:
        yield Trouble("clock", Level.WARN, sync.clock_ahead)
    is_far = is_late(sync, FAR_BEHIND)
    if sync.consecutive_failures or sync.error_kind:
        needs_person = sync.error_kind in {ErrorKind.AUTHORISATION, ErrorKind.PERMANENT}
        yield Trouble("error", Level.BAD if needs_person or is_far else Level.WARN, sync.consecutive_failures)
    elif is_late(sync):
        yield Trouble("late", Level.BAD if is_far else Level.WARN, at=sync.cursor)


def _short(facts: ChannelFacts) -> Iterator[Trouble]:
    if facts.given_up.count:
        yield Trouble("given_up", Level.BAD, facts.given_up.count, facts.given_up.oldest)
    if facts.short.count:
        yield Trouble("short", Level.WARN, facts.short.count, facts.short.oldest)


def _token(facts: ChannelFacts, now: datetime) -> Iterator[Trouble]:
    sync = facts.sync
    if sync is None or facts.connector is None:
        return
    if sync.token_state == TokenState.REFUSED and sync.error_kind != ErrorKind.AUTHORISATION:
        yield Trouble("token_refused", Level.BAD)
        return
    ends = sync.token_expires_at
    if ends is not None and ends <= now:
        yield Trouble("token_over", Level.BAD, at=ends)
    elif ends is not None and sync.token_error and ends <= now + TOKEN_NEAR:
        yield Trouble("token_failing", Level.BAD, at=ends)
    elif sync.token_error:
        yield Trouble("token_failing", Level.WARN, at=ends)
    elif ends is not None and not facts.connector.refreshes and ends <= now + TOKEN_SOON:
        yield Trouble("token_soon", Level.BAD if ends <= now + TOKEN_NEAR else Level.WARN, at=ends)


def _silence(facts: ChannelFacts) -> Iterator[Trouble]:
    flow = facts.flow
    if flow is not None and flow.state == SILENT:
        yield Trouble("silent", Level.BAD, flow.seen, flow.last_order_at)


def _gate(facts: ChannelFacts) -> Iterator[Trouble]:
    if facts.gate.state is GateState.PAUSED:
        yield Trouble("paused", Level.WARN, facts.parked, facts.gate.changed_at)
    elif facts.gate.state is GateState.TRICKLE:
        yield Trouble("trickle", Level.WARN, facts.parked, facts.gate.changed_at)
    elif facts.parked:
        yield Trouble("draining", Level.NOTE, facts.parked, facts.parked_until)


def _intake(facts: ChannelFacts, now: datetime) -> Iterator[Trouble]:
    oldest = facts.inbox.oldest
    if oldest is not None and oldest < now - INBOX_PATIENCE:
        level = Level.BAD if oldest < now - INBOX_LIMIT else Level.WARN
        yield Trouble("inbox", level, facts.inbox.count, oldest)
    if facts.set_aside:
        yield Trouble("set_aside", Level.WARN, facts.set_aside)
    if facts.rejects.count:
        yield Trouble("rejects", Level.WARN, facts.rejects.count, facts.rejects.oldest)


def _out(facts: ChannelFacts, now: datetime) -> Iterator[Trouble]:
    if facts.shop.active_warehouse is None:
        yield Trouble("no_warehouse", Level.WARN)
    if facts.dead.count:
        yield Trouble("dead", Level.WARN, facts.dead.count, facts.dead.oldest)
    if facts.unmatched:
        yield Trouble("unmatched", Level.NOTE, facts.unmatched)
    stock = facts.stock
    if stock is None:
        return
    if stock.failing:
        yield Trouble("stock_failing", Level.WARN, stock.failing)
    elif stock.state == EffectState.DEAD or (stock.differing and stock.error):
        yield Trouble("stock_refused", Level.WARN, stock.differing)
    elif stock.differing and facts.told_at is not None and facts.told_at < now - STOCK_PATIENCE:
        yield Trouble("stock_waiting", Level.WARN, stock.differing, facts.told_at)
