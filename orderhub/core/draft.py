"""OrderDraft: the one shape in which every channel, file and API call hands an order to the pool."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_args

import msgspec
from msgspec import Meta, Struct

from orderhub.core.errors import FieldError
from orderhub.core.money import MAX_FEN

Fen = Annotated[int, Meta(ge=0, le=MAX_FEN)]
Key = Annotated[str, Meta(min_length=1, max_length=64)]
Short = Annotated[str, Meta(max_length=200)]
Time = Annotated[datetime, Meta(tz=True)]

EARLIEST = datetime(2003, 5, 10, tzinfo=UTC)
"""No channel of the field is older; platforms send 0001-01-01 and 1970-01-01 for "no time"."""
LATEST_FROM_NOW = timedelta(days=3660)
_CLEARLY_BEFORE = (datetime.now(UTC) + LATEST_FROM_NOW).year
"""Times of an earlier year are believable as long as this process runs."""
SHIP_BY_AGREED = "ship_by_agreed"
"""Key in `OrderDraft.raw`: the deadline is what shop and buyer agreed on, not the channel's first one."""
_TIMES = ("created_at", "modified_at", "paid_at", "ship_by")
REMARK_LIMIT = 2000
"""Characters of a remark that enter the pool; the raw payload keeps the whole text."""

if TYPE_CHECKING:
    # The words are checked where data comes in; from there on they are compared with the enumerations of `words`.
    StatusWord: TypeAlias = str
    RefundWord: TypeAlias = str
    FlagWord: TypeAlias = str
    PresaleWord: TypeAlias = str
    ContactWord: TypeAlias = str
else:
    StatusWord = Literal[
        "unpaid", "presale_deposit", "paid", "in_triage_hold", "ready", "wms_queued", "wms_accepted", "picking",
        "packed", "awaiting_pickup", "in_transit", "out_for_delivery", "delivered", "completed", "cancelled",
        "refunding", "refunded", "intercepting", "wms_failed", "short", "returning",
    ]  # fmt: skip
    RefundWord = Literal["none", "asked", "agreed", "done", "refused"]
    FlagWord = Literal["none", "grey", "red", "yellow", "green", "blue", "purple", "orange", "cyan"]
    PresaleWord = Literal["none", "deposit", "balance_paid"]
    ContactWord = Literal["", "plain", "virtual", "masked", "cipher"]


class BuyerDraft(Struct, frozen=True, kw_only=True):
    """Who bought, by the platform's own buyer id; platforms return no IP, own shops do."""

    id: Annotated[str, Meta(max_length=128)] = ""
    nickname: Short = ""
    ip: Annotated[str, Meta(max_length=45)] = ""


class ReceiverDraft(Struct, frozen=True, kw_only=True):
    """Who receives; `kind` is worked out from the values when empty, `oaid` is the platform's receiver token."""

    name: Short = ""
    phone: Short = ""
    country: Annotated[str, Meta(max_length=64)] = "CN"
    province: Annotated[str, Meta(max_length=64)] = ""
    city: Annotated[str, Meta(max_length=64)] = ""
    district: Annotated[str, Meta(max_length=64)] = ""
    town: Annotated[str, Meta(max_length=64)] = ""
    detail: Annotated[str, Meta(max_length=1000)] = ""
    postcode: Annotated[str, Meta(max_length=20)] = ""
    kind: ContactWord = ""
    oaid: Annotated[str, Meta(max_length=256)] = ""


class LineDraft(Struct, frozen=True, kw_only=True):
    """One line; `unit_price_fen` is the price of one piece before order-level discounts.

    `sku` is the merchant's code as the source has it. `item_id`, `sku_id` and `spec` are the channel's own ids and
    words for what was bought; own SKUs are found by them, the pool keeps the result.
    """

    line_no: Key
    sku: Annotated[str, Meta(max_length=100)] = ""
    title: Annotated[str, Meta(max_length=500)] = ""
    quantity: Annotated[int, Meta(ge=1, le=1_000_000)]
    unit_price_fen: Fen = 0
    paid_fen: Fen = 0
    refund: RefundWord = "none"
    item_id: Annotated[str, Meta(max_length=64)] = ""
    sku_id: Annotated[str, Meta(max_length=64)] = ""
    spec: Annotated[str, Meta(max_length=500)] = ""


class OrderDraft(Struct, frozen=True, kw_only=True):
    """One order as a source tells it. Money in fen, times with an offset.

    `raw` is what a connector keeps besides, by names of its own. It stays in clear text, so keys that nobody knows are
    left out: they could hold a second phone or an identity card. The sealed raw delivery has them.
    """

    external_no: Key
    status: StatusWord
    created_at: Time
    paid_at: Time | None = None
    modified_at: Time
    ship_by: Time | None = None
    buyer: BuyerDraft = BuyerDraft()
    receiver: ReceiverDraft
    lines: Annotated[tuple[LineDraft, ...], Meta(min_length=1, max_length=500)]
    total_fen: Fen
    discount_fen: Fen = 0
    freight_fen: Fen = 0
    paid_fen: Fen = 0
    buyer_remark: str = ""
    seller_remark: str = ""
    flag: FlagWord = "none"
    presale: PresaleWord = "none"
    channel_hold: Annotated[str, Meta(max_length=64)] = ""
    channel_status: Annotated[str, Meta(max_length=64)] = ""
    raw: dict[str, Any] = {}


_PARTS: Mapping[str, type[Struct]] = {"buyer": BuyerDraft, "receiver": ReceiverDraft, "lines": LineDraft}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "status": get_args(StatusWord), "refund": get_args(RefundWord), "flag": get_args(FlagWord),
    "presale": get_args(PresaleWord), "kind": get_args(ContactWord),
}  # fmt: skip
_AT = re.compile(r" - at `\$\.?(.*)`$", re.DOTALL)
_MISSING = re.compile(r"missing required field `(\w+)`")
_BAD_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def clean_text(value: Any) -> Any:
    """Return `value` with control characters and lone surrogates taken out of every text in it.

    PostgreSQL refuses NUL and lone surrogates; one such memo would otherwise stop a batch.
    """
    if isinstance(value, str):
        return _BAD_TEXT.sub("", value)
    if isinstance(value, Mapping):
        return {clean_text(key): clean_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean_text(item) for item in value]
    return value


def read_draft(row: Any) -> OrderDraft:
    """Return the draft that one decoded JSON row describes.

    Raises FieldError with the path of the first field that cannot be used.
    """
    if not isinstance(row, dict):
        raise FieldError("", "an order must be an object")
    for name in ("buyer_remark", "seller_remark"):
        remark = row.get(name)
        if isinstance(remark, str) and len(remark) > REMARK_LIMIT:
            row = {**row, name: remark[:REMARK_LIMIT]}
    receiver = row.get("receiver")
    phone = receiver.get("phone") if isinstance(receiver, dict) else None
    if isinstance(phone, str) and not phone.isascii():
        row = {**row, "receiver": {**receiver, "phone": _narrow(phone)}}
    try:
        draft = msgspec.convert(row, OrderDraft)
    except msgspec.ValidationError as error:
        raise _field_error(str(error)) from error
    check_draft(draft)
    return draft


def read_own_draft(row: Any) -> OrderDraft:
    """Return the draft of a row that an own shop or a file tells in the hub's form, which has no place for more."""
    return read_draft({**row, "raw": {}} if isinstance(row, dict) else row)


def unread_keys(row: Any) -> list[str]:
    """Return the names, of one decoded row, that `read_own_draft` passes over: `id_card`, `receiver.phone2`."""
    if not isinstance(row, dict):
        return []
    found = [key for key in row if key == "raw" or key not in OrderDraft.__struct_fields__]
    for name, part in _PARTS.items():
        told = row.get(name)
        for one in told if isinstance(told, list) else [told]:
            if isinstance(one, dict):
                found += [f"{name}.{key}" for key in one if key not in part.__struct_fields__]
    return list(dict.fromkeys(found))


def read_flawless(decode: Callable[[bytes], Sequence[OrderDraft]], body: bytes) -> Sequence[OrderDraft] | None:
    """Return the drafts that `decode` makes of a whole body at once; None unless nothing about any row needs a look.

    Three times as fast as `read_own_draft` row by row, which gives the same drafts and says what is wrong with one.
    """
    try:
        drafts = decode(body)
        for draft in drafts:
            if draft.raw or len(draft.buyer_remark) > REMARK_LIMIT or len(draft.seller_remark) > REMARK_LIMIT:
                return None
            phone = draft.receiver.phone
            if not phone.isascii() and _narrow(phone) != phone:
                return None
            check_draft(draft)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, FieldError):
        return None
    return drafts


def _narrow(phone: str) -> str:
    """Full-width digits and signs as the ones of a keyboard: they are looked up and dialled by these."""
    return unicodedata.normalize("NFKC", phone)


def check_draft(draft: OrderDraft) -> None:
    """Raise FieldError where a well-formed draft cannot be true: absurd times, one line number twice."""
    for name in _TIMES:
        moment: datetime | None = getattr(draft, name)
        # The year nearly always decides, and is cheaper to look at than times with an offset are to compare.
        if moment is not None and not EARLIEST.year < moment.year < _CLEARLY_BEFORE:
            _check_time(name, moment)
    if len(draft.lines) > 1:
        numbers = [line.line_no for line in draft.lines]
        if len(set(numbers)) != len(numbers):
            at = next(i for i, number in enumerate(numbers) if number in numbers[:i])
            raise FieldError(f"lines[{at}].line_no", "this line number appears twice in the order")


def _check_time(name: str, moment: datetime) -> None:
    if not EARLIEST < moment < datetime.now(UTC) + LATEST_FROM_NOW:
        raise FieldError(name, f"not a believable time: {moment.isoformat()}")


def json_row(draft: OrderDraft) -> bytes:
    """Return the draft as one line of NDJSON, without the line end."""
    return msgspec.json.encode(draft)


def _field_error(message: str) -> FieldError:
    place = _AT.search(message)
    path = place.group(1) if place else ""
    reason = _AT.sub("", message)
    if reason.startswith("Invalid enum value"):
        # The message repeats the value, which may be anything where a row has slipped; reasons are kept in clear text.
        words = ", ".join(word for word in _CHOICES.get(path.rpartition(".")[2], ()) if word)
        return FieldError(path, f"unknown word; known are {words}")
    missing = _MISSING.search(reason)
    if missing:
        name = missing.group(1)
        return FieldError(f"{path}.{name}" if path else name, "required")
    return FieldError(path, reason)
