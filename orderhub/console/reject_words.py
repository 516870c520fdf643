"""Why a row was refused, in the reader's language.

Reasons are stored and answered by the API in English, as systems read them; people see them through here. What has no
words of its own is shown as it is: a platform's own field, a platform's own sentence.
"""

import re

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from orderhub.core.wording import labelled

_SOME = r"(?P<value>.+)"
_REASONS: tuple[tuple[str, str | Promise], ...] = (
    (r"required", gettext_lazy("This is missing.")),
    (rf"unknown word; known are {_SOME} and their Chinese names",
     gettext_lazy("No known word. There are: %(value)s, and their Chinese names.")),
    (rf"unknown word; known are {_SOME}", gettext_lazy("No known word. There are: %(value)s.")),
    (rf"not a status: {_SOME}", gettext_lazy("No known status: %(value)s.")),
    (rf"not a believable time: {_SOME}", gettext_lazy("No believable time: %(value)s.")),
    (rf"(?:no|not a) time(?: in unix seconds)?: {_SOME}", gettext_lazy("No time: %(value)s.")),
    (rf"not a time like {_SOME}", gettext_lazy("No time. This is one: %(value)s.")),
    (r"Invalid RFC3339 encoded datetime", gettext_lazy("No time. This is one: 2026-11-11T20:00:00+08:00.")),
    (r"Expected `datetime` with a timezone component",
     gettext_lazy("The time lacks its offset. With one: 2026-11-11T20:00:00+08:00.")),
    (r"this line number appears twice in the order", gettext_lazy("This line number appears twice in the order.")),
    (rf"not a believable amount: {_SOME}", gettext_lazy("No believable amount: %(value)s.")),
    (r"not a believable amount", gettext_lazy("No believable amount.")),
    (r"price.* give no believable amount", gettext_lazy("Price and pieces give no believable amount.")),
    (rf"not an amount in fen: {_SOME}", gettext_lazy("No amount in fen: %(value)s.")),
    (r"not an amount of money", gettext_lazy("No amount of money.")),
    (r"more than two decimals", gettext_lazy("An amount has two decimals at most.")),
    (rf"must be a whole number from 1, not {_SOME}", gettext_lazy("No number of pieces: %(value)s.")),
    (r"not a whole number|Expected `int`, got `\w+`", gettext_lazy("No whole number.")),
    (r"Expected `int` >= (?P<value>\S+)", gettext_lazy("The number must be %(value)s at least.")),
    (r"Expected `int` <= (?P<value>\S+)", gettext_lazy("The number must be %(value)s at most.")),
    (r"Expected `str` of length >= 1", gettext_lazy("This is empty.")),
    (r"Expected `str` of length <= (?P<value>\S+)", gettext_lazy("The text is longer than %(value)s characters.")),
    (r"Expected `array` of length >= 1|the (?:order|trade) has no lines", gettext_lazy("The order has no lines.")),
    (r"Expected `array` of length <= (?P<value>\S+)", gettext_lazy("The order has more than %(value)s lines.")),
    (r"the (?:order|trade) has no receiver", gettext_lazy("The order has no receiver.")),
    (r"Expected `[\w| ]+`, got `null`", gettext_lazy("This is missing.")),
    (r"Expected `str`, got `\w+`|must be a text", gettext_lazy("This must be a text.")),
    (r"Expected `datetime[\w| `]*, got `\w+`", gettext_lazy("This must be a time, written as a text.")),
    (r"an? (?:order|trade|line) must be an object|Expected `(?:object|array)`, got `\w+`|expected a list of rows",
     gettext_lazy("The row is not built as it should be.")),
    (rf"(?:the platform|JD) refuses the details: {_SOME}",
     gettext_lazy("The platform does not show the details: %(value)s")),
    (r"the number lost its last digits in a spreadsheet; format the column as text",
     gettext_lazy("A spreadsheet has cut the last digits of the number off. Format the column as text.")),
    (r"has characters that cannot be read in the file's encoding",
     gettext_lazy("It has characters that cannot be read in the encoding of the file.")),
    (r"not a row of a table", gettext_lazy("The row does not fit the header of the table.")),
    (rf"not JSON: {_SOME}", gettext_lazy("No JSON: %(value)s")),
    (r"nested too deep", gettext_lazy("The row is nested too deep.")),
    (rf"cannot be stored: {_SOME}", gettext_lazy("It cannot be stored: %(value)s")),
    (r"refused by a rule", gettext_lazy("The database refused the row.")),
    (rf"there is no SKU {_SOME}", gettext_lazy("There is no SKU %(value)s.")),
    (r"an ignored item has no SKU", gettext_lazy("An ignored item has no SKU.")),
    (r"at most (?P<value>\d+) SKUs", gettext_lazy("An item has %(value)s SKUs at most.")),
    (r"at most (?P<value>\d+) characters", gettext_lazy("The text is longer than %(value)s characters.")),
    (r"another state than in row (?P<value>\d+)", gettext_lazy("Row %(value)s gives the item another state.")),
    (rf"{_SOME} appears twice for this item", gettext_lazy("%(value)s is there twice for this item.")),
    (r"one SKU appears twice", gettext_lazy("One SKU is there twice.")),
    (r"an item id, a channel SKU id or a merchant code is needed",
     gettext_lazy("An item id, a channel SKU id or a merchant code is needed.")),
    (r"each part is an object with sku and quantity", gettext_lazy("Each part is an object with sku and quantity.")),
    (r"1 to 1000 pieces, not (?P<value>\S+)", gettext_lazy("There are 1 to 1000 pieces, not %(value)s.")),
    (r"must be a text or a number", gettext_lazy("This must be a text or a number.")),
    (r"must be an object", gettext_lazy("The row is not built as it should be.")),
    (r"the file is empty", gettext_lazy("The file is empty.")),
    (r"columns sku and one of item_id, sku_id, outer_id are needed; the file has: (?P<value>.*)",
     gettext_lazy("The columns sku and one of item_id, sku_id, outer_id are needed. The file has: %(value)s")),
    (rf"the workbook cannot be read: {_SOME}", gettext_lazy("The workbook cannot be read (%(value)s).")),
    (r"a JSON list cannot be read as a stream: write one order per line \(NDJSON\)",
     gettext_lazy("A JSON list cannot be read. Write one object a line (NDJSON).")),
    (r"a line is longer than 16 million characters", gettext_lazy("A line is longer than 16 million characters.")),
    (r"row (?P<value>\d+): .+ \(a quotation mark that is never closed\?\)",
     gettext_lazy("Row %(value)s cannot be read. Is there a quotation mark that is never closed?")),
)  # fmt: skip
_COMPILED = tuple((re.compile(pattern, re.DOTALL), words) for pattern, words in _REASONS)
_IN_ROW = re.compile(r" \(row (\d+)\)$")
_LINE = re.compile(r"^lines\[(\d+)\]")
_WITH_FIELD = re.compile(r"([a-z_][\w.\[\]]*): (.+)", re.DOTALL)

_FIELDS: dict[str, str | Promise] = {
    "external_no": gettext_lazy("order number"),
    "status": gettext_lazy("status"),
    "created_at": pgettext_lazy("field", "placed"),
    "paid_at": gettext_lazy("paid"),
    "modified_at": gettext_lazy("changed by the channel"),
    "ship_by": gettext_lazy("ship by"),
    "total_fen": gettext_lazy("total"),
    "total": gettext_lazy("total"),
    "discount_fen": gettext_lazy("discount"),
    "discount": gettext_lazy("discount"),
    "freight_fen": gettext_lazy("freight"),
    "freight": gettext_lazy("freight"),
    "paid_fen": pgettext_lazy("field", "amount paid"),
    "paid": pgettext_lazy("field", "amount paid"),
    "line_paid": pgettext_lazy("field", "amount paid"),
    "buyer_remark": gettext_lazy("buyer's remark"),
    "seller_remark": gettext_lazy("seller's remark"),
    "flag": gettext_lazy("flag"),
    "presale": gettext_lazy("presale"),
    "channel_hold": gettext_lazy("channel hold"),
    "receiver": gettext_lazy("receiver"),
    "receiver_name": gettext_lazy("receiver's name"),
    "receiver.name": gettext_lazy("receiver's name"),
    "receiver.phone": gettext_lazy("receiver's phone"),
    "phone": gettext_lazy("receiver's phone"),
    "receiver.detail": gettext_lazy("receiver's address"),
    "address": gettext_lazy("receiver's address"),
    "lines": pgettext_lazy("field", "lines"),
    "line_no": gettext_lazy("line number"),
    "sku": gettext_lazy("SKU"),
    "title": gettext_lazy("title"),
    "quantity": gettext_lazy("pieces"),
    "unit_price_fen": gettext_lazy("unit price"),
    "unit_price": gettext_lazy("unit price"),
    "refund": gettext_lazy("refund"),
    "item_id": gettext_lazy("item id"),
    "sku_id": gettext_lazy("channel SKU id"),
    "outer_id": gettext_lazy("merchant code"),
    "spec": gettext_lazy("variant"),
    "state": gettext_lazy("state"),
    "parts": gettext_lazy("parts"),
    "value": gettext_lazy("Value of a piece"),
    "value_fen": gettext_lazy("Value of a piece"),
}  # fmt: skip
"""Of the hub's own draft and of its tables; the fields of platforms go by the platforms' names."""


def reason_words(reason: str) -> str:
    """Return a stored reason in the reader's language; one without words as it is."""
    row = _IN_ROW.search(reason)
    told = _sentence(_IN_ROW.sub("", reason))
    return _("%(reason)s (row %(row)s)") % {"reason": told, "row": row.group(1)} if row else told


def row_words(text: str) -> str:
    """Return a stored `field: reason`, or a reason alone, in the reader's language."""
    found = _WITH_FIELD.fullmatch(text)
    return labelled(field_words(found[1]), reason_words(found[2])) if found else reason_words(text)


def field_words(path: str) -> str:
    """Return the field that a path names, in the reader's language, with its line; an unknown one as it is."""
    line = _LINE.match(path)
    name = path[line.end() + 1 :] if line else path
    words = _FIELDS.get(name or ("lines" if line else ""))
    if words is None:
        return path
    return _("%(field)s, line %(line)d") % {"field": words, "line": int(line.group(1)) + 1} if line else str(words)


def _sentence(reason: str) -> str:
    for pattern, words in _COMPILED:
        found = pattern.fullmatch(reason)
        if found:
            return str(words) % {name: value.strip("'\"") for name, value in found.groupdict().items()}
    return reason
