"""The contract of a predicate: a typed fact, computed for a whole batch at once.

A predicate sees values only. What it needs from the database is named in `needs`, fetched once per batch and handed
in as the batch's `context`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeVar, cast

from django.utils.functional import Promise

from orderhub.core.draft import LineDraft, OrderDraft
from orderhub.core.registry import Registry
from orderhub.core.told import sold_lines, with_goods_only
from triage.decisions import Candidate
from triage.matchers import Words

_EVER = datetime.min.replace(tzinfo=UTC)
T = TypeVar("T")
Text = str | Promise


class FactType(StrEnum):
    """What a fact's values are; the operators follow from it."""

    NUMBER = "number"
    MONEY = "money"
    PERCENT = "percent"
    TEXT = "text"
    WORD = "word"
    WORDS = "words"
    TEXTS = "texts"
    FLAG = "flag"


class Need(StrEnum):
    """What the context can hold; fetched only for facts that are used."""

    SHOPS = "shops"
    IP_ORDERS = "ip_orders"
    BOUGHT = "bought"
    PRICES = "prices"
    LISTED_BUYERS = "listed_buyers"
    NETWORKS = "networks"
    RETURNS = "returns"
    STOPS = "stops"


@dataclass(slots=True, frozen=True)
class ShopFacts:
    """What rules may ask about a shop."""

    code: str
    platform: str


@dataclass(slots=True, frozen=True)
class Bought:
    """One line that the same buyer ordered shortly before or after; `is_gone` once the warehouse has it, unless a
    person let it go as a repeat."""

    order_id: int
    at: datetime
    paid_at: datetime
    sku: str
    quantity: int
    is_gone: bool = False


@dataclass(slots=True, frozen=True)
class Campaign:
    """A promised price of one SKU from one moment to another; `shop_id` None means every shop."""

    id: int
    shop_id: int | None
    price_fen: int
    starts_at: datetime
    ends_at: datetime
    max_quantity: int | None


@dataclass(slots=True)
class PriceBook:
    """All prices known for the SKUs of one batch, in fen."""

    samples: Mapping[tuple[int, str], tuple[int, int | None]] = field(default_factory=dict)
    """Stored mean of the shop's own recent sales and the campaign they fell in, by shop and SKU."""
    since: datetime = _EVER
    """Orders of before are no part of what is stored, and not held against it."""
    settled: Mapping[tuple[int, str, int], int] = field(default_factory=dict)
    """Where nothing is stored: what recent sales have settled on, by shop, SKU and hour of the order."""
    campaigns: Mapping[str, Sequence[Campaign]] = field(default_factory=dict)
    list_prices: Mapping[str, int] = field(default_factory=dict)
    floors: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class Stop:
    """A region that cannot be shipped to for the moment; an empty `courier` means that none takes parcels there."""

    id: int
    region: str
    place: str
    prefix: str
    courier: str
    ends_at: datetime
    reason: str


@dataclass(slots=True, frozen=True)
class IpOrder:
    """One order from an internet address."""

    at: datetime
    order_id: int
    buyer_id: int | None


@dataclass(slots=True)
class Context:
    """What the database knows about a batch, fetched set-wise; a part that no fact needs stays empty."""

    now: datetime
    shops: Mapping[int, ShopFacts] = field(default_factory=dict)
    ip_orders: Mapping[str, Sequence[IpOrder]] = field(default_factory=dict)
    """Orders of the pool within an hour of the batch's own, by address."""
    bought: Mapping[int, Sequence[Bought]] = field(default_factory=dict)
    """Lines that the same buyers ordered at about the same time, by buyer."""
    prices: PriceBook = field(default_factory=PriceBook)
    denied: frozenset[tuple[int, str]] = frozenset()
    trusted: frozenset[tuple[int, str]] = frozenset()
    networks: tuple[tuple[int, int, int], ...] = ()
    """Address ranges of offices and campuses: (IP version, first, last)."""
    returns: Mapping[int, int] = field(default_factory=dict)
    """Refused or returned orders of the last 90 days by buyer."""
    stops: Sequence[Stop] = ()
    """Shipping stops that run at this moment, the one that ends last first."""
    couriers: Mapping[int, str] = field(default_factory=dict)
    """Courier of each shop's warehouse, where one is set; only known while a running stop names a courier."""


class Batch:
    """The orders to judge and all there is to know about them. Columns are computed once, when first asked for."""

    def __init__(
        self, candidates: Sequence[Candidate], everyone: Sequence[Candidate], context: Context, words: Words
    ) -> None:
        self.candidates = candidates
        self.drafts: list[OrderDraft] = [candidate.draft for candidate in candidates]
        self.everyone = everyone
        """The candidates and their siblings in the same delivery that are not judged (unpaid, held)."""
        self.context = context
        self.words = words
        self._columns: dict[str, list[Any]] = {}
        self._kept: dict[Callable[[Batch], Any], Any] = {}

    def __len__(self) -> int:
        return len(self.candidates)

    @cached_property
    def sold(self) -> list[Sequence[LineDraft]]:
        """The lines of every order as the channel sells them, without those that are no goods: a bundle is one line."""
        return [sold_lines(draft) for draft in self.kept]

    @cached_property
    def kept(self) -> list[OrderDraft]:
        """The orders without the lines that were refunded or put aside; one of which all lines were has none."""
        return [with_goods_only(draft) for draft in self.drafts]

    def column(self, key: str) -> list[Any]:
        """Return the fact's value for every order, None where it cannot be known."""
        column = self._columns.get(key)
        if column is None:
            column = self._columns[key] = facts.get(key).compute(self)
        return column

    def once(self, make: Callable[["Batch"], T]) -> T:
        """Return what `make` gives for this batch, computed once: several facts share one pass."""
        if make not in self._kept:
            self._kept[make] = make(self)
        return cast("T", self._kept[make])


@dataclass(slots=True, frozen=True)
class Detail:
    """A value that explains a hit and is no condition of its own, such as the baseline a price was held against."""

    key: str
    label: Text
    type: FactType
    choices: Mapping[str, Text] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class Fact:
    """One entry of the catalogue that rules are written with."""

    key: str
    label: Text
    type: FactType
    about: Text
    example: Any
    compute: Callable[[Batch], list[Any]]
    unit: Text = ""
    choices: Mapping[str, Text] = field(default_factory=dict)
    needs: frozenset[Need] = frozenset()
    details: tuple[Detail, ...] = ()
    explain: Callable[[Batch, int], Mapping[str, Any]] | None = None
    """Values of `details` for one hit."""
    basis: Callable[[OrderDraft], str] | None = None
    """The order's own data behind the fact; an accepted finding fires again only when this changes."""
    is_kept: bool = True
    """Whether the value may be stored with a finding: free text may hold personal data and is not."""

    @property
    def topic(self) -> str:
        """The part of the key before the dot."""
        return self.key.partition(".")[0]


facts: Registry[Fact] = Registry("fact", "triage.predicates")


def fact(
    key: str, label: Text, type_: FactType, *, about: Text, example: Any, needs: Sequence[Need] = (), **options: Any
) -> Callable[[Callable[[Batch], list[Any]]], Callable[[Batch], list[Any]]]:
    """Register the decorated function as the fact `key`.

    The function returns one value per order of the batch, None where the value cannot be known: an unknown value
    never makes a rule fire.
    """

    def register(compute: Callable[[Batch], list[Any]]) -> Callable[[Batch], list[Any]]:
        entry = Fact(key, label, type_, about, example, compute, needs=frozenset(needs), **options)
        facts.add(key, entry)
        return compute

    return register
