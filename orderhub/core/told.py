"""What a channel said of the lines of an order, where the hub's own lines do not say it all.

The step that puts own SKUs into a draft keeps a note of each line that it changed or did not know (`OrderDraft.raw`,
in the pool `Order.extra`). A bundle is several lines of the hub, but one article with one price to whoever bought it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from orderhub.core.draft import LineDraft, OrderDraft

TOLD = "channel_lines"
"""Key of `OrderDraft.raw`: the notes, one for each line that is a channel item or was changed."""
ARTICLE = "article"
"""Key of the note of a bundle: the name by which its price is known."""
UNMATCHED = "unmatched"
"""Key of the note of a line whose own SKU nobody knows; true where it stands."""
IGNORED = "ignored"
"""Key of the note of a line that needs no own SKU (a gift card, a freight supplement); true where it stands."""
URGED = "urged"
"""Key of `OrderDraft.raw`: true where the buyer asked the platform for speed, by its button."""


@dataclass(slots=True, frozen=True)
class Bundle:
    """One line of a channel that became several. `sold` is that line, its SKU the name of the bundle and its price
    that of a whole one; `parts` are the order's lines for it."""

    sold: LineDraft
    parts: tuple[LineDraft, ...]


_NONE: Mapping[str, Bundle] = {}
_NO_LINES = frozenset[str]()


def notes_of(raw: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the notes that were kept with an order, none where there are none or they make no sense."""
    notes = (raw or {}).get(TOLD)
    if not notes:
        return []
    try:
        found = msgspec.convert(notes, list[dict[str, Any]])
    except msgspec.ValidationError:
        return []
    return found if all(isinstance(note.get("line_no"), str) for note in found) else []


def _holds(raw: Mapping[str, Any], key: str) -> bool:
    """Tell cheaply whether one of the notes has `key`: nearly all orders of a channel have notes that say nothing."""
    notes = raw.get(TOLD)
    if type(notes) is not list:
        return False
    for note in notes:  # noqa: SIM110  (a generator takes three times as long, and every order comes by)
        if type(note) is dict and key in note:
            return True
    return False


def unmatched_codes(draft: OrderDraft) -> tuple[str, ...]:
    """Return the channel's codes of lines whose own SKU nobody knew when the draft was mapped."""
    if not _holds(draft.raw, UNMATCHED):
        return ()
    numbers = {note["line_no"] for note in notes_of(draft.raw) if note.get(UNMATCHED)}
    return tuple(line.sku for line in draft.lines if line.line_no in numbers and line.sku)


def ignored_lines(raw: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the numbers of the lines that somebody put aside, of an order with which `raw` is kept: nothing is to be
    packed or reserved for them."""
    if not raw or not _holds(raw, IGNORED):
        return _NO_LINES
    return frozenset(note["line_no"] for note in notes_of(raw) if note.get(IGNORED))


def bundles_of(draft: OrderDraft) -> Mapping[str, Bundle]:
    """Return the bundles of an order by the channel's line number; most orders have none."""
    if not _holds(draft.raw, ARTICLE):
        return _NONE
    lines = {line.line_no: line for line in draft.lines}
    found = {note["line_no"]: _bundle(note, lines) for note in notes_of(draft.raw) if ARTICLE in note}
    return {number: bundle for number, bundle in found.items() if bundle.parts}


def bundle_names(raw: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the names of the bundles of an order, of which `raw` is what was kept with it."""
    return frozenset(note[ARTICLE] for note in notes_of(raw) if ARTICLE in note)


def sold_lines(draft: OrderDraft) -> Sequence[LineDraft]:
    """Return the lines as the channel sells them: a bundle is one line, what somebody put aside is none, everything
    else stands as it is."""
    bundles, aside = bundles_of(draft), ignored_lines(draft.raw)
    if not bundles and not aside:
        return draft.lines
    whole = {part.line_no: bundle.sold for bundle in bundles.values() for part in bundle.parts}
    sold = (whole.get(line.line_no, line) for line in draft.lines if line.line_no not in aside)
    return list({line.line_no: line for line in sold}.values())


def with_goods_only(draft: OrderDraft) -> OrderDraft:
    """Return the order without the lines whose money went back or that somebody put aside, itself where there are none;
    a bundle stays as long as one of its parts does."""
    aside = ignored_lines(draft.raw)
    for line in draft.lines:
        if line.refund == "done" or line.line_no in aside:
            kept = tuple(line for line in draft.lines if line.refund != "done" and line.line_no not in aside)
            return msgspec.structs.replace(draft, lines=kept)
    return draft


def _bundle(note: Mapping[str, Any], lines: Mapping[str, LineDraft]) -> Bundle:
    sold = LineDraft(
        line_no=note["line_no"], sku=note[ARTICLE], title=note.get("title", ""), quantity=note.get("quantity", 1),
        unit_price_fen=note.get("unit_price_fen", 0), paid_fen=note.get("paid_fen", 0),
    )  # fmt: skip
    return Bundle(sold, tuple(lines[number] for number in note.get("as", ()) if number in lines))
