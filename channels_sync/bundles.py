"""A channel's line as lines of own SKUs, and back: the money of a bundle is split to the fen, nothing is lost."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace

from orderhub.core.draft import LineDraft, OrderDraft
from orderhub.core.told import ARTICLE, TOLD, notes_of

LONGEST_NUMBER = 64
LONGEST_ARTICLE = 100
"""As long as a SKU: prices are kept by it."""
_DEFAULTS = dict(zip(LineDraft.__struct_fields__[-len(LineDraft.__struct_defaults__) :], LineDraft.__struct_defaults__,
                     strict=True))  # fmt: skip


@dataclass(slots=True, frozen=True)
class Part:
    """One own SKU of a channel item. `value_fen` is what a piece counts when the price is split, if known."""

    sku: str
    quantity: int = 1
    value_fen: int | None = None
    title: str = ""


def merchant_code(item_id: str, sku_id: str, code: str) -> str:
    """Return the merchant's code of a channel item; the platform's id stands in its place where there is none."""
    return "" if code in (sku_id, item_id) else code


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """Return `amount` in parts by weight that add up to it exactly; the same arguments give the same parts."""
    whole, so_far, given, shares = sum(weights), 0, 0, []
    for weight in weights:
        so_far += weight
        until = amount * so_far // whole
        shares.append(until - given)
        given = until
    return shares


def components(line: LineDraft, parts: Sequence[Part], taken: Iterable[str] = ()) -> list[LineDraft]:
    """Return the lines of own SKUs that one line of a channel stands for.

    A plain SKU keeps the line's number and title. The parts of a bundle are numbered `<no>.<k>`, past the numbers that
    are `taken`. Their `paid_fen` adds up to the line's; so do price times pieces, except for the fen that whole prices
    cannot express (none where a part has one piece).
    """
    if len(parts) == 1 and parts[0].quantity == 1:
        return [replace(line, sku=parts[0].sku)]
    prices = _prices(line.unit_price_fen, parts)
    worth = [price * part.quantity for price, part in zip(prices, parts, strict=True)]
    paid = split(line.paid_fen, worth if any(worth) else _weights(parts))
    numbers = _numbers(line.line_no, len(parts), set(taken))
    return [
        replace(
            line, line_no=number, sku=part.sku, title=part.title or line.title,
            quantity=line.quantity * part.quantity, unit_price_fen=price, paid_fen=share,
        )
        for number, part, price, share in zip(numbers, parts, prices, paid, strict=True)
    ]  # fmt: skip


def noted(line: LineDraft, becomes: Sequence[LineDraft], *, mark: str = "") -> dict[str, Any]:
    """Return what must be kept of a channel's line so that `as_told` can make it again, and others judge it: with a
    `mark` (`UNMATCHED`, `IGNORED`) where it stands for no own SKU."""
    if len(becomes) == 1 and becomes[0] is line:
        note: dict[str, Any] = {"line_no": line.line_no, "item_id": line.item_id, "sku_id": line.sku_id}
        return {**note, mark: True} if mark else note
    kept = {name: value for name in line.__struct_fields__ if (value := getattr(line, name)) != _DEFAULTS.get(name)}
    kept["as"] = [component.line_no for component in becomes]
    if kept["as"] != [line.line_no]:
        kept[ARTICLE] = _article(line, becomes)
    return kept


def formula(parts: Iterable[tuple[str, int]]) -> str:
    """Return SKUs and pieces as merchants write them: `A*2+B`."""
    return "+".join(f"{sku}*{quantity}" if quantity > 1 else sku for sku, quantity in parts)


def _article(line: LineDraft, becomes: Sequence[LineDraft]) -> str:
    """Return the name by which a bundle's price is known: its code.

    Where that is also the SKU of one of its parts, the price of one piece goes by it already, so the bundle is named
    by its parts. A name that is cut off may stand for two bundles; their prices are then held against one mean.
    """
    code = line.sku or line.sku_id or line.item_id
    if code and all(part.sku != code for part in becomes):
        return code
    return formula((part.sku, part.quantity // line.quantity) for part in becomes)[:LONGEST_ARTICLE]


def as_told(draft: OrderDraft) -> OrderDraft:
    """Return a draft of the pool with the lines as the channel told them, for mapping them anew."""
    notes = notes_of(draft.raw)
    if not notes:
        return draft
    origin = {number: note for note in notes for number in note.get("as", [note["line_no"]])}
    lines: dict[str, LineDraft] = {}
    for line in draft.lines:
        note = origin.get(line.line_no)
        number = note["line_no"] if note else line.line_no
        if number not in lines:
            lines[number] = _line(note, line) if note else line
    raw = {name: value for name, value in draft.raw.items() if name != TOLD}
    return replace(draft, lines=tuple(lines.values()), raw=raw)


def _line(note: Mapping[str, Any], line: LineDraft) -> LineDraft:
    if "as" not in note:
        return replace(line, item_id=note.get("item_id", ""), sku_id=note.get("sku_id", ""))
    return msgspec.convert({name: value for name, value in note.items() if name != "as"}, LineDraft)


def _weights(parts: Sequence[Part]) -> list[int]:
    if all(part.value_fen for part in parts):
        return [(part.value_fen or 0) * part.quantity for part in parts]
    return [part.quantity for part in parts]


def _prices(price: int, parts: Sequence[Part]) -> list[int]:
    """Return the price of one piece of each part; what rounding leaves goes to the part with the fewest pieces."""
    shares = split(price, _weights(parts))
    prices = [share // part.quantity for share, part in zip(shares, parts, strict=True)]
    left = price - sum(each * part.quantity for each, part in zip(prices, parts, strict=True))
    place = min(range(len(parts)), key=lambda place: parts[place].quantity)
    prices[place] += left // parts[place].quantity
    return prices


def _numbers(number: str, count: int, taken: set[str]) -> list[str]:
    found: list[str] = []
    step = 0
    while len(found) < count:
        step += 1
        suffix = f".{step}"
        name = number[: LONGEST_NUMBER - len(suffix)] + suffix
        if name not in taken:
            found.append(name)
    return found
