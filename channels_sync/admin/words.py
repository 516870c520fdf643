"""How the troubles of a channel are told: what it is, what to do next, where to do it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.contrib import admin
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from channels_sync.admin.advice import advice
from channels_sync.connectors.causes import Cause
from channels_sync.models import ErrorKind, Listing
from channels_sync.selectors.board import ChannelFacts
from channels_sync.selectors.troubles import Level, Trouble
from orderhub.console.columns import exact, relative

MARKS: dict[Level, tuple[str, str]] = {
    Level.BAD: ("◆", "red"), Level.WARN: ("●", "amber"), Level.NOTE: ("○", "plain"), Level.FINE: ("✓", "green"),
}  # fmt: skip
"""Shape and colour of each level."""

WORDS: dict[str, str | Promise] = {
    "error": gettext_lazy("Cannot be pulled"),
    "never": gettext_lazy("Not pulled yet"),
    "late": gettext_lazy("Behind"),
    "clock": gettext_lazy("Clock ahead"),
    "short": gettext_lazy("Fewer than counted"),
    "given_up": gettext_lazy("Orders missing"),
    "silent": gettext_lazy("Silent"),
    "token_refused": gettext_lazy("Authorisation refused"),
    "token_over": gettext_lazy("Authorisation over"),
    "token_failing": gettext_lazy("Authorisation not renewed"),
    "token_soon": gettext_lazy("Authorisation ends"),
    "paused": pgettext_lazy("gate", "Paused"),
    "trickle": pgettext_lazy("gate", "Throttled"),
    "draining": gettext_lazy("Backlog drains"),
    "inbox": gettext_lazy("Intake waits"),
    "set_aside": gettext_lazy("Deliveries set aside"),
    "rejects": gettext_lazy("Rejects"),
    "no_warehouse": gettext_lazy("No warehouse"),
    "dead": gettext_lazy("Dead letters"),
    "unmatched": gettext_lazy("Unmatched items"),
    "stock_failing": gettext_lazy("Stock not taken"),
    "stock_refused": gettext_lazy("Stock not taken"),
    "stock_waiting": gettext_lazy("Stock waits"),
}
_KINDS = {
    ErrorKind.AUTHORISATION: Cause.SESSION, ErrorKind.THROTTLED: Cause.LIMIT, ErrorKind.TEMPORARY: Cause.SERVICE,
}  # fmt: skip
"""For failures noted by versions that did not store the cause."""


@dataclass(frozen=True, slots=True)
class Told:
    """One trouble for people. `word` names it in two or three words; `own` are the platform's own ones."""

    key: str
    level: Level
    word: str | Promise
    what: str
    todo: str
    link: str = ""
    link_title: str | Promise = ""
    own: str = ""

    @property
    def mark(self) -> str:
        """The shape that goes with the level."""
        return MARKS[self.level][0]

    @property
    def tone(self) -> str:
        """The colour that goes with the level."""
        return MARKS[self.level][1]


def tell(trouble: Trouble, facts: ChannelFacts) -> Told:
    """Return one trouble in words."""
    if trouble.key == "error":
        return _tell_error(trouble, facts)
    what, todo = _TEXTS[trouble.key](trouble, facts)
    link, title = _link(trouble.key, facts)
    own = facts.sync.token_error if facts.sync and trouble.key.startswith("token") else ""
    if trouble.key in {"stock_failing", "stock_refused"} and facts.stock:
        own = facts.stock.error
    return Told(trouble.key, trouble.level, WORDS[trouble.key], what, todo, link, title, own)


def shop_link(facts: ChannelFacts) -> str:
    """Return the address of the shop's own page."""
    return reverse("admin:channels_sync_channel", args=[facts.shop.code])


def cause_of(facts: ChannelFacts) -> str:
    """Return why the shop's pull fails, as a word of `Cause`."""
    if facts.connector is None:
        return Cause.PLATFORM.value
    if facts.sync is None:
        return Cause.NONE.value
    if facts.sync.error_cause:
        return facts.sync.error_cause
    kind = ErrorKind(facts.sync.error_kind) if facts.sync.error_kind in ErrorKind.values else ErrorKind.PERMANENT
    return _KINDS.get(kind, Cause.REFUSED).value


def _tell_error(trouble: Trouble, facts: ChannelFacts) -> Told:
    cause = cause_of(facts)
    told = advice(facts.shop.platform, cause)
    word = dict(Cause.choices).get(cause) or WORDS["error"]
    own = facts.sync.last_error if facts.sync else ""
    todo = str(told.todo)
    if told.passes and trouble.level is Level.BAD:
        todo = _("This has lasted for long: check this server's network and the platform's status page. %(todo)s") % {
            "todo": todo
        }
    return Told("error", trouble.level, word, str(told.what), todo, own=own)


def _link(key: str, facts: ChannelFacts) -> tuple[str, str | Promise]:
    shop = facts.shop.pk
    match key:
        case "rejects":
            return f"{reverse('admin:orderhub_reject_changelist')}?shop={shop}", WORDS["rejects"]
        case "inbox" | "set_aside":
            view = "waiting" if key == "inbox" else "dead"
            link = reverse("admin:orderhub_inboxitem_changelist")
            return f"{link}?shop={shop}&view={view}", gettext_lazy("Inbox")
        case "short" | "given_up":
            view = "open" if key == "short" else "failed"
            link = reverse("admin:channels_sync_backfill_changelist")
            return f"{link}?shop={shop}&view={view}", gettext_lazy("Back-fills")
        case "dead":
            return f"{reverse('admin:orderhub_effect_changelist')}?shop={shop}&view=dead", WORDS["dead"]
        case "no_warehouse":
            return reverse("admin:orderhub_shop_change", args=[shop]), gettext_lazy("Shop settings")
        case "unmatched" | "stock_failing" | "stock_refused" | "stock_waiting" if admin.site.is_registered(Listing):
            view = {"unmatched": "unmatched", "stock_failing": "failing"}.get(key, "waiting")
            link = reverse("admin:channels_sync_listing_changelist")
            return f"{link}?shop={shop}&view={view}", gettext_lazy("Channel items")
    return "", ""


def _ago(moment: datetime | None) -> str:
    return relative(moment, timezone.now()) if moment else "—"


def _ends(trouble: Trouble) -> str:
    return exact(trouble.at) if trouble.at else "—"


def _renew(facts: ChannelFacts) -> str:
    if facts.connector and facts.connector.refreshes:
        return _("Press “Renew authorisation” on the shop's page; if that fails, authorise the shop again.")
    return _("Authorise the shop again on the platform and enter the new token on the shop's page.")


Teller = Callable[[Trouble, ChannelFacts], tuple[str, str]]
_TEXTS: dict[str, Teller] = {
    "never": lambda _t, _f: (
        _("Nothing has been pulled from this shop so far."),
        _("The first pull starts within a minute once the credentials are there. Try the connection."),
    ),
    "late": lambda t, _f: (
        _("Orders are complete only up to %(when)s.") % {"when": _ago(t.at)},
        _("The pull is catching up; watch whether the lag falls. If it grows, look at the runs on the shop's page."),
    ),
    "clock": lambda t, _f: (
        _("The clock of this machine is %(count)s s ahead of the platform.") % {"count": f"{t.count:,}"},
        _("Let the machine set its clock by the network (NTP). Orders come that much later; none is lost meanwhile."),
    ),
    "short": lambda t, _f: (
        _("The platform counted %(count)s orders that its list did not show, from %(when)s on.")
        % {"count": f"{t.count:,}", "when": _ends(t)},
        _("Nothing to do yet: that time is read again by itself, three times within half an hour."),
    ),
    "given_up": lambda t, _f: (
        _("The platform counted %(count)s orders, from %(when)s on, that its list never showed.")
        % {"count": f"{t.count:,}", "when": _ends(t)},
        _("Look there. Press “Go on” at the back-fill once the list is right, “Stop” if the count is wrong."),
    ),
    "token_refused": lambda _t, f: (_("The platform refuses the shop's authorisation."), _renew(f)),
    "token_over": lambda t, f: (_("The authorisation ended %(when)s.") % {"when": _ago(t.at)}, _renew(f)),
    "token_failing": lambda t, f: (
        _("The authorisation ends %(when)s and could not be renewed.") % {"when": exact(t.at)}
        if t.at
        else _("The authorisation could not be renewed."),
        _renew(f),
    ),
    "token_soon": lambda t, f: (_("The authorisation ends %(when)s.") % {"when": _ends(t)}, _renew(f)),
    "silent": lambda t, f: (
        _("%(seen)s orders within %(minutes)s minutes where %(expected)s are usual, the last one %(when)s.")
        % {
            "seen": f"{t.count:,}", "minutes": f.flow.minutes if f.flow else 0, "when": _ago(t.at),
            "expected": f"{f.flow.expected:,.0f}" if f.flow else "—",
        },
        _("Look whether the shop still sells; if it does, press “Back-fill” for these hours and ask the platform."),
    ),
    "paused": lambda t, f: (
        _("The intake gate is paused: %(reason)s. %(count)s orders wait.")
        % {"reason": f.gate.reason or "—", "count": f"{t.count:,}"},
        _("Receiving goes on and nothing is lost. Open the gate to let them in, the closest ship deadline first."),
    ),
    "trickle": lambda t, f: (
        _("The intake gate lets in %(rate)s orders a minute: %(reason)s. %(count)s orders wait.")
        % {"rate": f"{f.gate.rate_per_minute or 0:,}", "reason": f.gate.reason or "—", "count": f"{t.count:,}"},
        _("Open the gate when the cause is over."),
    ),
    "draining": lambda t, _f: (
        _("%(count)s orders that waited are on their way into the pool, the last one %(when)s.")
        % {"count": f"{t.count:,}", "when": _ago(t.at)},
        _("Nothing to do: they enter by their ship deadline."),
    ),
    "inbox": lambda t, _f: (
        _("%(count)s deliveries wait to be taken in, the oldest %(when)s.")
        % {"count": f"{t.count:,}", "when": _ago(t.at)},
        _("Check on the page of jobs that the job inbox runs."),
    ),
    "set_aside": lambda t, _f: (
        _("%(count)s deliveries of the last hour could not be taken in and were set aside.")
        % {"count": f"{t.count:,}"},
        _("Read the error in the inbox; after mending take them in again there."),
    ),
    "rejects": lambda t, _f: (
        _("%(count)s orders could not be read and are not in the pool, the oldest %(when)s.")
        % {"count": f"{t.count:,}", "when": _ago(t.at)},
        _("Open them: field and reason are there. Correct or run them again, or set them aside."),
    ),
    "no_warehouse": lambda _t, _f: (
        _("The shop has no active warehouse: its regular orders wait."),
        _("Choose a warehouse in the shop's settings, or switch its own on again; the orders go out by themselves."),
    ),
    "dead": lambda t, _f: (
        _("%(count)s effects were given up: the warehouse or the channel was not told.") % {"count": f"{t.count:,}"},
        _("Read the error in the outbox, mend its cause, retry them there."),
    ),
    "unmatched": lambda t, _f: (
        _("%(count)s channel items have no own SKU.") % {"count": f"{t.count:,}"},
        _("Match them: their stock is not told to the channel meanwhile."),
    ),
    "stock_failing": lambda t, _f: (
        _("The channel did not take the stock of %(count)s items.") % {"count": f"{t.count:,}"},
        _("It is tried again. Read the error at the items; a wrong item or SKU id is corrected on the platform."),
    ),
    "stock_refused": lambda t, _f: (
        _("The channel takes no stock; %(count)s items wait.") % {"count": f"{t.count:,}"}
        if t.count
        else _("The channel took no stock when it was last told."),
        _("It is tried again every few minutes. Read what the platform says and mend the cause there."),
    ),
    "stock_waiting": lambda t, _f: (
        _("%(count)s items show another stock than they should, the last was told %(when)s.")
        % {"count": f"{t.count:,}", "when": _ago(t.at)},
        _("Check on the page of jobs that the job outbox runs."),
    ),
}  # fmt: skip
