"""The contract of a connector: how orders of one platform are fetched. How to write one: `docs/adding.md`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from channels_sync.connectors.exchange import (
    Memo,
    MemoRules,
    NotOfferedError,
    Opened,
    PushAnswer,
    Pushed,
    PushRequest,
    Sealed,
    Shipment,
    StockWrite,
    WriteResult,
)
from channels_sync.connectors.known import Hidden
from channels_sync.connectors.readback import StockItem, StockShown
from orderhub.core.errors import HubError, TemporaryError
from orderhub.core.opening import PARTS
from orderhub.core.registry import Registry


class AuthorisationError(HubError):
    """The platform does not accept this shop's session: a person has to authorise it again."""

    concerns_all = True


class ThrottledError(TemporaryError):
    """The platform lets nothing through for `retry_after` seconds."""

    concerns_all = True
    is_narrow: bool = False
    """The limit counts one kind of calls by itself: the other queues of the application may go on."""


class QueueFullError(ThrottledError):
    """The hub's own queue for calls of an application is too long just now; the platform itself banned nobody."""


class TooManyRowsError(HubError):
    """A window holds more rows than one slice should; nothing was handed out yet, a shorter window is wanted."""

    def __init__(self, rows: int) -> None:
        super().__init__(_("%(rows)s orders in one window are more than can be listed.") % {"rows": rows})
        self.rows = rows


@dataclass(slots=True, frozen=True)
class CredentialField:
    """One value that a shop or warehouse needs; secret ones are never shown again."""

    name: str
    label: str | Promise
    is_secret: bool = False
    is_required: bool = True
    help: str | Promise = ""


@dataclass(slots=True, frozen=True)
class Window:
    """A span of the platform's modification times, both ends included."""

    start: datetime
    end: datetime

    @property
    def span(self) -> timedelta:
        """How long it is."""
        return self.end - self.start


@dataclass(slots=True, frozen=True)
class RawPage:
    """One delivery of a pull. The same content always has the same `delivery_key`, so that a repeat is stored once."""

    delivery_key: str
    body: bytes
    content_type: str
    reader: str
    rows: int
    is_last: bool = False
    later: Sequence[str] = ()
    """Orders of this page that could not be had just now, though others could: they are to be fetched by themselves."""


class CallBudget(Protocol):
    """How fast one application key may call, shared by all workers."""

    def take(self, calls: int) -> Sequence[float]:
        """Return a moment (`time.monotonic`) for each call before which it must not start.

        Raises ThrottledError when the first one is too far away to wait for.
        """

    def block(self, seconds: float) -> None:
        """Let nobody call for `seconds`, because the platform said so."""


def _unheard(_counted: int, _seen: int) -> None:
    """Nobody listens."""


@dataclass(slots=True, frozen=True)
class ShopAccess:
    """What a connector may know of a shop. `budget(key, calls_per_second)` gives the budget of an application key;
    `known({order number: modified})` returns the numbers that the pool has in this version or a newer one. With
    `short(counted, seen)` it tells, before its last page, that a list shows fewer rows than its platform counts however
    often it is read: what it showed is good, but not all."""

    shop_id: int
    code: str
    credentials: Mapping[str, Any]
    settings: Mapping[str, Any]
    budget: Callable[[str, float], CallBudget]
    known: Callable[[Mapping[str, datetime]], set[str]]
    short: Callable[[int, int], None] = _unheard

    def credential(self, name: str) -> str:
        """Return one credential. Raises AuthorisationError when it is missing."""
        value = self.credentials.get(name)
        if not isinstance(value, str) or not value:
            missing = AuthorisationError(f"{self.code}: {name} is not set")
            missing.cause = "missing"
            raise missing
        return value


class Connector:
    """One platform. A subclass says what it can do and implements the calls that go with it."""

    key: str
    label: str | Promise
    credential_fields: Sequence[CredentialField] = ()
    pulls: bool = False
    pushes: bool = False
    fetches: bool = False
    writes_stock: bool = False
    reads_stock: bool = False
    ships: bool = False
    writes_memo: bool = False
    refreshes: bool = False
    reveals: bool = False
    masks: bool = False
    rereads: bool = False
    keeps_events: bool = False
    pays_refunds_unseen: bool = False
    """A refund that was agreed may be paid without any list showing it: open ones are asked for one by one."""
    lasting_tokens: bool = True
    """The token of a receiver stays the same while the receiver does."""
    takes_parts: bool = True
    """Each parcel is told when it leaves; otherwise all of an order at once, with the last."""
    one_number_a_line: bool = False
    """The channel shows one tracking number for each line, also where its pieces left in several parcels."""
    stock_batch: int = 1
    """How many items one stock call takes."""
    authorises: bool = False
    """A person lets the hub in on a page of the platform; `obtain_token` exchanges the code that comes of it."""
    session_field: str = "access_token"
    """The credential that the calls carry."""
    account_field: str = ""
    """The credential that names the account at the platform; empty where a session does not tell whose it is."""
    renews_within: timedelta = timedelta(minutes=30)
    """How long before its end a session is renewed."""
    learns_end: bool = False
    """A renewal costs nothing, so that it is asked for when the end of a session is not known."""
    history: timedelta | None = None
    """How far back the platform lists changes, where it says so: a day less than it lists, for the length of months and
    the time that a pull takes."""
    reread_minutes: int = 0
    """How often open orders are read again, because some changes move no modification time; 0: never."""
    hidden_facts: Mapping[str, Hidden] = {}
    """Facts (`known.FACTS`) that the platform keeps back, each with how and why."""

    def pull(self, access: ShopAccess, window: Window) -> Iterator[RawPage]:
        """Yield every order modified in `window`, a page at a time, without empty pages; the last one says so.

        Raises HubError, permanent or temporary; TooManyRowsError only before the first page.
        """
        raise NotOfferedError(f"{self.key} is not pulled from")

    def reread(self, access: ShopAccess, window: Window) -> Iterator[RawPage]:
        """Yield every order *created* in `window` in its present version, whatever the pool has of it.

        For changes that do not move a platform's modification time, and for comparing both sides.
        """
        raise NotOfferedError(f"{self.key} is not read by creation time")

    def refresh_token(self, access: ShopAccess) -> dict[str, Any]:
        """Ask for a new session and return the credentials that change; `expires_at` is an ISO time in UTC.

        One call, nothing is stored. Raises AuthorisationError when only a person can help.
        """
        raise NotOfferedError(f"{self.key} has no session to refresh")

    def can_renew(self, credentials: Mapping[str, Any]) -> bool:
        """Tell whether what is stored suffices for a renewal without a person."""
        return bool(credentials.get("refresh_token"))

    def authorise_url(self, access: ShopAccess, redirect_uri: str, state: str) -> str:
        """Return the platform's page on which a person lets the hub in; it comes back to `redirect_uri` with a code and
        `state`."""
        raise NotOfferedError(f"{self.key} has no authorisation page")

    def obtain_token(self, access: ShopAccess, code: str) -> dict[str, Any]:
        """Exchange the code of an authorisation, once, and return the credentials that change, as `refresh_token` does.

        Raises HubError.
        """
        raise NotOfferedError(f"{self.key} exchanges no code")

    def sealed_of(self, external_no: str, extra: Mapping[str, Any], oaid: str) -> list[Sealed]:
        """Return what `reveal` and `mask` take of one order: `extra` is what its draft kept as `raw`, `oaid` its
        receiver's token. Each different cipher text counts once."""
        known = extra.get("sealed")
        texts = known if isinstance(known, dict) else {}
        return [Sealed(external_no, part, str(texts[part])) for part in PARTS if texts.get(part)]

    def mask(self, access: ShopAccess, values: Sequence[Sealed]) -> list[Opened]:
        """Return masked texts of cipher texts, one for each; the platform counts no quota for them."""
        raise NotOfferedError(f"{self.key} seals nothing")

    def reveal(self, access: ShopAccess, values: Sequence[Sealed]) -> list[Opened]:
        """Return the texts behind cipher texts, one for each; each counts against the platform's quota.

        Raises HubError, NotOpenedError where the platform opened nothing at all and surely counted nothing.
        """
        raise NotOfferedError(f"{self.key} seals nothing")

    def accept_push(self, access: ShopAccess, request: PushRequest) -> tuple[Sequence[Pushed], PushAnswer]:
        """Verify one push over its raw bytes and return its events and the answer; no network, no database.

        Raises PushRefusedError for a wrong signature, a clock too far off or a body that is not the platform's.
        """
        raise NotOfferedError(f"{self.key} does not push")

    def events(self, access: ShopAccess) -> Sequence[Pushed]:
        """Return the events that a platform keeps instead of pushing them; they come again until they are confirmed."""
        raise NotOfferedError(f"{self.key} keeps no events")

    def confirm(self, access: ShopAccess, delivery_keys: Sequence[str]) -> None:
        """Tell the platform that these events are stored; call it after the transaction that stored them."""
        raise NotOfferedError(f"{self.key} keeps no events")

    def fetch(self, access: ShopAccess, numbers: Sequence[str]) -> Iterator[RawPage]:
        """Yield the present version of single orders, for pushes that only name them and for re-reads."""
        raise NotOfferedError(f"{self.key} has no single orders to fetch")

    def write_stock(self, access: ShopAccess, rows: Sequence[StockWrite]) -> list[WriteResult]:
        """Set what channel items show, at most `stock_batch` of them; one result for each row."""
        raise NotOfferedError(f"{self.key} takes no stock")

    def read_stock(self, access: ShopAccess, items: Sequence[StockItem]) -> list[StockShown]:
        """Return how many pieces the platform shows of each item, in the sense in which it is told them."""
        raise NotOfferedError(f"{self.key} shows no stock")

    def tracking_numbers(self, row: Mapping[str, Any]) -> frozenset[str]:
        """Return the tracking numbers that an order names, as it stands in this connector's pages. No network."""
        return frozenset()

    def ship(self, access: ShopAccess, shipment: Shipment) -> None:
        """Tell the channel that a parcel was handed over; telling it again is no error."""
        raise NotOfferedError(f"{self.key} takes no shipments")

    def memo_rules(self, shop_settings: Mapping[str, Any]) -> MemoRules:
        """Return what the platform takes as remark and flag, with what the shop's settings change about it."""
        return MemoRules()

    def write_memo(self, access: ShopAccess, memo: Memo) -> None:
        """Set the seller's remark and flag of an order."""
        raise NotOfferedError(f"{self.key} takes no memos")


connectors: Registry[Connector] = Registry("connector", "channels_sync.connectors")
_NOTHING = Connector()


def abilities_of(platform: str) -> Connector:
    """Return the connector of a platform, to be asked what it can do; that of one without code can do nothing."""
    return connectors.get(platform) if platform in connectors else _NOTHING


def mark_last(pages: Iterator[RawPage]) -> Iterator[RawPage]:
    """Yield the pages with `is_last` set on the last one: each is held back until the next one is there.

    A page that was fetched is handed out even when fetching the next one fails.
    """
    held: RawPage | None = None
    try:
        for page in pages:
            if held is not None:
                yield held
            held = page
    except HubError:
        if held is not None:
            yield held
        raise
    if held is not None:
        yield replace(held, is_last=True)


PROVES_OUTAGE = 5
"""That many orders, and not one that can be shown: it is the platform."""


def not_now(answers: Mapping[str, Any], harmless: type[HubError]) -> set[str]:
    """Return the orders of a lot, by number, whose details failed in a way that passes and concerns them alone.

    One order that the platform cannot show must not stop a whole channel. Errors of the kind `harmless` are answers.
    Raises the error where it concerns all, does not pass, or every order of a lot failed that is large enough to prove
    something: the one that cannot be shown may be all that a page has left.
    """
    failed = {
        number: answer
        for number, answer in answers.items()
        if isinstance(answer, HubError) and not isinstance(answer, harmless)
    }
    for error in failed.values():
        if error.concerns_all or error.permanent or PROVES_OUTAGE <= len(failed) == len(answers):
            raise error
    return set(failed)


def has_lasting_tokens(platform: str) -> bool:
    """Tell whether another token of a receiver is another receiver; a platform without connector gives no tokens."""
    return platform not in connectors or connectors.get(platform).lasting_tokens
