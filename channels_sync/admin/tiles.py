"""One shop on the board: its health in a word, its troubles in words, its figures in cells."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from channels_sync.admin.words import MARKS, Told, shop_link, tell
from channels_sync.models import TokenState
from channels_sync.selectors.board import ChannelFacts, Waiting
from channels_sync.selectors.silence import OK, SILENT
from channels_sync.selectors.sync import is_late
from channels_sync.selectors.troubles import Level, level_of, troubles
from orderhub.console import columns
from orderhub.core.words import EffectState

HEALTHY = gettext_lazy("Healthy")
LONGEST_SPAN = 60
"""Minutes; what is expected within a longer span says nothing beside orders of an hour."""
BY_ITSELF = gettext_lazy("Sends by itself")
OFF = gettext_lazy("Switched off")


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure: what it is, its value, a second line, and its definition on hover."""

    label: str | Promise
    value: SafeString | str
    note: SafeString | str = ""
    tone: str = ""
    hint: str | Promise = ""


@dataclass(frozen=True, slots=True)
class Tile:
    """One shop as it is shown."""

    facts: ChannelFacts
    link: str
    level: Level
    mark: str
    word: str | Promise
    tone: str
    troubles: list[Told]
    cells: list[Cell]

    @property
    def first(self) -> Told | None:
        """The trouble that is shown in full."""
        return self.troubles[0] if self.troubles and self.troubles[0].level > Level.NOTE else None

    @property
    def others(self) -> list[Told]:
        """The other troubles, by their word."""
        return [told for told in self.troubles if told is not self.first]


def tile(facts: ChannelFacts, now: datetime) -> Tile:
    """Return one shop as it is shown."""
    found = troubles(facts, now)
    level = level_of(found)
    told = [tell(trouble, facts) for trouble in found]
    mark, tone = MARKS[level]
    word: str | Promise = told[0].word if level > Level.NOTE else HEALTHY
    if not facts.shop.is_active:
        mark, word, tone = "–", OFF, "faint"
    elif level <= Level.NOTE and not facts.pulls:
        mark, word, tone = "—", BY_ITSELF, "faint"
    elif level is Level.NOTE:
        mark, tone = MARKS[Level.FINE]
    return Tile(facts, shop_link(facts), level, mark, word, tone, told, cells(facts, now))


def worst_first(tiles: list[Tile]) -> list[Tile]:
    """Return the tiles with the broken shops first and the switched-off ones last."""
    return sorted(tiles, key=lambda one: (not one.facts.shop.is_active, -one.level, one.facts.shop.code))


def cells(facts: ChannelFacts, now: datetime) -> list[Cell]:
    """Return the figures of one shop, always the same ones in the same order."""
    return [
        _lag(facts), _success(facts, now), _orders(facts), _deliveries(facts), _inbox(facts, now), _gate(facts),
        _token(facts, now), _waiting(_("Rejects open"), facts.rejects, _("Orders that could not be read.")),
        _waiting(_("Dead letters"), facts.dead, _("Effects that were given up.")), _stock(facts),
    ]  # fmt: skip


def span(seconds: float) -> str:
    """Return a span of time in its largest two units: `42 s`, `12 min`, `3 h 20 min`, `2 d 4 h`, `31 days`."""
    whole = max(int(seconds), 0)
    if whole < 120:
        return _("%(count)s s") % {"count": whole}
    if whole < 7200:
        return _("%(count)s min") % {"count": whole // 60}
    if whole < 2 * 86400:
        return _("%(hours)s h %(minutes)s min") % {"hours": whole // 3600, "minutes": whole % 3600 // 60}
    if whole < 7 * 86400:
        return _("%(days)s d %(hours)s h") % {"days": whole // 86400, "hours": whole % 86400 // 3600}
    return _("%(days)s days") % {"days": whole // 86400}


def ago(moment: datetime | None, now: datetime) -> SafeString:
    """Return how long ago a moment was in few letters, exact on hover."""
    if moment is None:
        return columns.NOTHING
    text = _("%(span)s ago") % {"span": span((now - moment).total_seconds())}
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), columns.exact(moment), text)


def _lag(facts: ChannelFacts) -> Cell:
    hint = _("How far the pool is behind the channel: everything modified before is in.")
    sync = facts.sync
    if not facts.pulls or sync is None or sync.lag is None or sync.cursor is None:
        return Cell(_("Lag"), columns.NOTHING, hint=hint)
    tone = "bad" if is_late(sync) else ""
    note = _("up to %(when)s") % {"when": columns.exact(sync.cursor)[11:]}
    if sync.lag > timedelta(hours=12):
        note = _("up to %(when)s") % {"when": columns.exact(sync.cursor)[5:16]}
    return Cell(_("Lag"), span(sync.lag.total_seconds()), note, tone, hint)


def _success(facts: ChannelFacts, now: datetime) -> Cell:
    hint = _("When a pull last ended with everything up to then taken in.")
    sync = facts.sync
    if not facts.pulls:
        return Cell(_("Last delivery"), ago(facts.last_delivery_at, now), hint=_("Within the last hour."))
    if sync is None:
        return Cell(_("Last success"), columns.NOTHING, hint=hint)
    note: SafeString | str = ""
    if sync.next_attempt_at:
        note = _("next try %(when)s") % {"when": columns.exact(sync.next_attempt_at)[11:]}
    return Cell(_("Last success"), ago(sync.last_success_at, now), note, hint=hint)


def _orders(facts: ChannelFacts) -> Cell:
    hint = _("New orders that came in during the last 10 minutes and the last hour.")
    value = format_html("{}<small> / {}</small>", f"{facts.orders_10:,}", f"{facts.orders_60:,}")
    flow = facts.flow
    if flow is None or flow.state not in {OK, SILENT} or flow.minutes > LONGEST_SPAN:
        return Cell(_("Orders 10 min / 1 h"), value, hint=hint)
    note = _("%(count)s usual in %(span)s") % {"count": f"{flow.expected:,.0f}", "span": span(flow.minutes * 60)}
    return Cell(_("Orders 10 min / 1 h"), value, note, "bad" if flow.state == SILENT else "", hint)


def _deliveries(facts: ChannelFacts) -> Cell:
    hint = _("Deliveries of the last hour: pushed by the platform, and pages that the hub fetched.")
    if facts.connector is None or not (facts.connector.pulls or facts.connector.pushes):
        return Cell(_("Deliveries 1 h"), f"{facts.others:,}", hint=_("Deliveries of the last hour."))
    value = format_html("{}<small> / {}</small>", f"{facts.pushes:,}", f"{facts.polls:,}")
    note = "" if facts.connector.pushes or facts.connector.keeps_events else _("does not push")
    return Cell(_("Pushes / pulls 1 h"), value, note, hint=hint)


def _inbox(facts: ChannelFacts, now: datetime) -> Cell:
    hint = _("Deliveries that are stored but not taken in yet.")
    waits = facts.inbox.oldest is not None and facts.inbox.oldest < now - timedelta(minutes=5)
    return _waiting(_("Inbox waiting"), facts.inbox, hint, tone="bad" if waits else "")


def _gate(facts: ChannelFacts) -> Cell:
    hint = _("Whether orders enter the pool, and how many wait before the gate.")
    gate, parked = facts.gate, facts.parked
    note = _("%(count)s wait") % {"count": f"{parked:,}"} if parked else ""
    if gate.is_open:
        return Cell(_("Gate"), str(gate.state.label), note, hint=hint)
    value = str(gate.state.label)
    if gate.rate_per_minute:
        value = _("%(count)s / min") % {"count": f"{gate.rate_per_minute:,}"}
    return Cell(_("Gate"), value, note or (_("all shops") if gate.shop_id is None else ""), "warn", hint)


def _token(facts: ChannelFacts, now: datetime) -> Cell:
    hint = _("How long the platform still accepts the shop's authorisation.")
    sync = facts.sync
    if sync is None or facts.connector is None or not facts.connector.credential_fields:
        return Cell(_("Authorisation"), columns.NOTHING, hint=hint)
    if sync.token_state == TokenState.REFUSED:
        return Cell(_("Authorisation"), pgettext("token", "refused"), tone="bad", hint=hint)
    renews = _("renewed by itself") if facts.connector.refreshes else ""
    if sync.token_expires_at is None:
        word = pgettext("session", "accepted") if sync.token_state == TokenState.VALID else _("not tried yet")
        return Cell(_("Authorisation"), word, _("no end known"), hint=hint)
    left = (sync.token_expires_at - now).total_seconds()
    if left <= 0:
        return Cell(_("Authorisation"), _("over"), columns.when(sync.token_expires_at), "bad", hint)
    return Cell(_("Authorisation"), span(left), _("not renewed") if sync.token_error else renews,
                "bad" if sync.token_error else "", hint)  # fmt: skip


def _waiting(label: str, waiting: Waiting, hint: str, tone: str = "bad") -> Cell:
    if not waiting.count:
        return Cell(label, format_html('<span class="dim">{}</span>', "0"), hint=hint)
    return Cell(label, f"{waiting.count:,}", columns.when(waiting.oldest), tone, hint)


def _stock(facts: ChannelFacts) -> Cell:
    hint = _("Items whose stock the channel must still be told, and when it was last told one.")
    if facts.stock is None:
        return Cell(_("Stock to tell"), columns.NOTHING, _("not written"), hint=hint)
    if not facts.matched:
        return Cell(_("Stock to tell"), columns.NOTHING, _("no items yet"), hint=hint)
    told = columns.when(facts.told_at) if facts.told_at else _("never told")
    failing = facts.stock.failing
    if failing:
        value = format_html("{}<small> / {}</small>", f"{facts.stock.differing:,}", f"{facts.matched:,}")
        return Cell(_("Stock to tell"), value, _("%(count)s refused") % {"count": f"{failing:,}"}, "bad", hint)
    sends = facts.stock.state == EffectState.SENDING
    value = format_html("{}<small> / {}</small>", f"{facts.stock.differing:,}", f"{facts.matched:,}")
    return Cell(_("Stock to tell"), value, _("being told") if sends else told, hint=hint)
