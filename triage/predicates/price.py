"""Unit prices against what the article should cost.

The seed's rule is ±30 % off the mean. The mean is the shop's own recent sales in the running campaign where there are
enough of them, else the price the campaign promises, else the list price; without any of them nothing is known.

A bundle is an article of its own, held as a whole against the price known by its name. What its parts cost one by one
says nothing about it: bundles are made to be cheaper.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from orderhub.core.draft import LineDraft, OrderDraft
from orderhub.core.told import Bundle, bundles_of, sold_lines
from triage.predicates.base import Batch, Campaign, Detail, FactType, Need, PriceBook, fact

MIN_SAMPLE = 30
"""Sales below which a mean says nothing (reference 4.10, rule 7)."""
SPREAD = 0.5
"""A sale further than this share from the median is left out of the mean: the anomalies must not move it."""
NEAR, AGREED = 0.15, 0.8
"""Sales nobody has passed yet are believed only where four in five lie within 15 % of their median …"""
LOWEST, HIGHEST = 0.3, 1.3
"""… and that median lies between these shares of the list price: a deeper discount must be entered as a campaign."""
SOURCES = {
    "sample": _("Mean of the shop's own sales"),
    "campaign": _("Campaign price"),
    "list": pgettext_lazy("price", "List price"),
}


class Off(NamedTuple):
    """The line whose price is furthest off; `percent` is signed."""

    percent: float
    sku: str
    unit_fen: int
    baseline_fen: int
    source: str


def running_campaign(campaigns: Sequence[Campaign], shop_id: int, at: datetime) -> Campaign | None:
    """Return the campaign that sets the price at that moment; a shop's own goes before one for all shops."""
    found: Campaign | None = None
    for campaign in campaigns:
        if campaign.starts_at <= at < campaign.ends_at and campaign.shop_id in {None, shop_id}:
            own = (campaign.shop_id is not None, campaign.starts_at)
            if found is None or own > (found.shop_id is not None, found.starts_at):
                found = campaign
    return found


def baseline(book: PriceBook, shop_id: int, sku: str, at: datetime) -> tuple[int, str]:
    """Return the price to hold a line against, in fen, and where it comes from; (0, "") when nothing is known."""
    campaigns = book.campaigns.get(sku)
    campaign = running_campaign(campaigns, shop_id, at) if campaigns else None
    mean = _mean(book, shop_id, sku, at, campaign)
    if mean:
        return mean, "sample"
    if campaign is not None:
        return campaign.price_fen, "campaign"
    price = book.list_prices.get(sku, 0)
    return (price, "list") if price else (0, "")


def _mean(book: PriceBook, shop_id: int, sku: str, at: datetime, campaign: Campaign | None) -> int:
    stored = book.samples.get((shop_id, sku)) if at > book.since else None
    if stored is not None:
        return stored[0] if stored[1] == (campaign.id if campaign else None) else 0
    return book.settled.get((shop_id, sku, hour_of(at)), 0) if book.settled and campaign is None else 0


def hour_of(at: datetime) -> int:
    """Return the hour of a moment: what recent sales say is worked out once for all orders of it."""
    return int(at.timestamp()) // 3600


def settled_price(good: Sequence[int], every: Sequence[int], list_price: int) -> int:
    """Return the mean unit price that recent sales have settled on, in fen; 0 when they say nothing.

    `good` are sales that were not found abnormal. Without enough of them `every` sale speaks, but only where the sales
    agree: a campaign that nobody entered must not freeze a shop, nor may a slipped comma become the mean.
    """
    if len(good) >= MIN_SAMPLE:
        return _typical(good)
    if len(every) < MIN_SAMPLE:
        return 0
    median = sorted(every)[len(every) // 2]
    if list_price and not LOWEST * list_price <= median <= HIGHEST * list_price:
        return 0
    near = sum(abs(price - median) <= NEAR * median for price in every)
    return _typical(every) if near >= AGREED * len(every) else 0


def _typical(prices: Sequence[int]) -> int:
    median = sorted(prices)[len(prices) // 2]
    kept = [price for price in prices if abs(price - median) <= SPREAD * median]
    return round(sum(kept) / len(kept))


def judged_lines(sold: Sequence[LineDraft]) -> Sequence[LineDraft]:
    """Return the lines whose price means something: a free line beside a paid one is a gift."""
    if len(sold) == 1:
        return sold
    paid = [line for line in sold if line.unit_price_fen]
    return paid or sold


def _looked_at(batch: Batch) -> list[tuple[Off | None, tuple[str, ...]]]:
    """Return for each order the line furthest off, and the articles of which no price is known."""
    book = batch.context.prices
    found: list[tuple[Off | None, tuple[str, ...]]] = []
    for candidate, sold in zip(batch.candidates, batch.sold, strict=True):
        worst: Off | None = None
        size = -1.0
        missing: tuple[str, ...] = ()
        for line in judged_lines(sold):
            base, source = baseline(book, candidate.shop_id, line.sku, candidate.draft.created_at)
            if not base:
                missing = (*missing, line.sku or line.title)
                continue
            # An exact quotient rounds to exactly 30.0, so the edge itself never fires.
            percent = 100 * (line.unit_price_fen - base) / base
            if abs(percent) > size:
                size = abs(percent)
                worst = Off(percent, line.sku, line.unit_price_fen, base, source)
        found.append((worst, missing))
    return found


def unpriced(batch: Batch) -> list[tuple[str, ...]]:
    """Return for each order the articles that no price could be held against: their SKUs, the names of bundles."""
    return [tuple(dict.fromkeys(missing)) for _off, missing in batch.once(_looked_at)]


def _explain_off(batch: Batch, i: int) -> dict[str, object]:
    off, _missing = batch.once(_looked_at)[i]
    if off is None:
        return {}
    return {
        "price.change": round(off.percent, 1),
        "price.sku": off.sku,
        "price.unit": off.unit_fen,
        "price.baseline": off.baseline_fen,
        "price.source": off.source,
    }


def _basis(draft: OrderDraft) -> str:
    return ";".join(f"{line.sku}={line.unit_price_fen}" for line in sold_lines(draft))


@fact(
    "price.off_percent",
    _("Unit price off the baseline"),
    FactType.PERCENT,
    unit="%",
    about=_(
        "The line furthest off, up or down. Baseline: the shop's own sales (at least 30), else the campaign price, "
        "else the list price; unknown without any. Gifts beside paid lines do not count. A bundle counts whole, under "
        "its own code."
    ),
    example=30,
    needs=[Need.PRICES],
    details=(
        Detail("price.change", _("Off by"), FactType.PERCENT),
        Detail("price.sku", _("SKU"), FactType.TEXT),
        Detail("price.unit", _("Unit price"), FactType.MONEY),
        Detail("price.baseline", _("Baseline"), FactType.MONEY),
        Detail("price.source", _("Baseline from"), FactType.WORD, SOURCES),
    ),
    explain=_explain_off,
    basis=_basis,
)
def off_percent(batch: Batch) -> list[float | None]:
    """Return how far each order's oddest unit price is off, in percent without sign."""
    return [None if off is None else abs(off.percent) for off, _missing in batch.once(_looked_at)]


def _below(batch: Batch) -> list[tuple[str, int, int] | bool | None]:
    floors = batch.context.prices.floors
    if not floors:
        return [None] * len(batch)
    found: list[tuple[str, int, int] | bool | None] = []
    for draft, sold in zip(batch.kept, batch.sold, strict=True):
        answer: tuple[str, int, int] | bool | None = None
        bundles = {} if sold is draft.lines else bundles_of(draft)
        for line in judged_lines(sold):
            floor = floors.get(line.sku)
            if floor is None and line.line_no in bundles:
                floor = _floor_of(bundles[line.line_no], floors)
            if floor is not None:
                if line.unit_price_fen < floor:
                    answer = (line.sku, line.unit_price_fen, floor)
                    break
                answer = False
        found.append(answer)
    return found


def _floor_of(bundle: Bundle, floors: Mapping[str, int]) -> int | None:
    """Return what the parts of one bundle may cost least together, in fen; parts without a floor may cost nothing."""
    known = [floors[part.sku] * part.quantity for part in bundle.parts if part.sku in floors]
    return sum(known) // bundle.sold.quantity if known else None


def _explain_floor(batch: Batch, i: int) -> dict[str, object]:
    below = batch.once(_below)[i]
    if not isinstance(below, tuple):
        return {}
    return {"price.sku": below[0], "price.unit": below[1], "price.floor": below[2]}


@fact(
    "price.below_floor",
    _("Unit price under the floor price"),
    FactType.FLAG,
    about=_("Unknown where no line's SKU has a floor price. A bundle has the sum of its parts'."),
    example=True,
    needs=[Need.PRICES],
    details=(
        Detail("price.sku", _("SKU"), FactType.TEXT),
        Detail("price.unit", _("Unit price"), FactType.MONEY),
        Detail("price.floor", _("Floor price"), FactType.MONEY),
    ),
    explain=_explain_floor,
    basis=_basis,
)
def below_floor(batch: Batch) -> list[bool | None]:
    """Tell whether each order has a line under its floor price."""
    return [None if below is None else bool(below) for below in batch.once(_below)]
