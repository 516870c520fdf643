"""How orders go on living: paid, cancelled, refunded, corrected. Each change moves `modified_at`."""

from collections.abc import Callable
from datetime import datetime
from random import Random

from channels_sync.sandbox import people, places, remarks
from channels_sync.sandbox.mix import LANES
from channels_sync.sandbox.orders import Row, SandboxOrder, make_paid, stamp
from channels_sync.sandbox.trouble import HOLDS, channel_hold, set_address

Plan = tuple[str, int]
"""What happens next, and in how many seconds."""

_ADDRESS_KINDS = {"vague_address", "incomplete_address"}
_SHIPPED = frozenset({"in_transit", "completed"})
READABLE = frozenset({"mini", "wechat"})
"""Shops whose receivers' addresses can be read, so that buyers are asked to complete them."""


def next_change(rng: Random, order: SandboxOrder) -> Plan | None:
    """Return what will happen to this order next, if anything."""
    status = order.draft["status"]
    if status in _SHIPPED:
        return ("finish_refund", rng.randint(120, 1800)) if _open_refunds(order) and rng.random() < 0.67 else None
    if "channel_hold" in order.kinds and order.shop != "taobao":
        return ("release", rng.randint(120, 1800)) if rng.random() < 0.5 else None
    if status == "unpaid":
        return ("pay", rng.randint(20, 240)) if rng.random() < 0.85 else ("cancel", rng.randint(600, 1200))
    if status == "presale_deposit":
        return "pay", rng.randint(600, 2400)
    if status != "paid":
        return None
    if "refund" in order.kinds:
        return _decision(rng)
    if order.shop in READABLE and {"invalid_phone", *_ADDRESS_KINDS} & set(order.kinds):
        return ("correct", rng.randint(180, 1500)) if rng.random() < 0.25 else None
    return _late_wish(rng)


def _late_wish(rng: Random) -> Plan | None:
    roll = rng.random()
    if roll < 0.008:
        return "ask_refund", rng.randint(60, 1200)
    if roll < 0.018:
        return "note", rng.randint(40, 600)
    if roll < 0.023:
        return "move", rng.randint(60, 900)
    if roll < 0.035:
        return "refund_after_shipping", rng.randint(1800, 5400)
    return None


def _decision(rng: Random) -> Plan | None:
    """Most refunds are granted within minutes, some withdrawn; the rest stay open."""
    roll = rng.random()
    if roll < 0.67:
        return "finish_refund", rng.randint(120, 1200)
    return ("withdraw_refund", rng.randint(240, 1800)) if roll < 0.87 else None


def pay(rng: Random, order: SandboxOrder, at: datetime) -> None:
    """Pay what is due."""
    del rng
    make_paid(order, at)


def cancel(rng: Random, order: SandboxOrder, at: datetime) -> None:
    """Close the order unpaid."""
    del rng, at
    order.draft["status"] = "cancelled"


def ask_refund(rng: Random, order: SandboxOrder, at: datetime) -> None:
    """Ask for a refund of one line."""
    order.draft["raw"]["refund_at"] = stamp(at)
    rng.choice(order.draft["lines"])["refund"] = "asked"
    _mark(order, "refund")


def withdraw_refund(rng: Random, order: SandboxOrder, at: datetime) -> None:
    """Take the refund request back."""
    del rng
    _decided(order, at)
    for line in order.draft["lines"]:
        line["refund"] = "none"
    order.kinds = [kind for kind in order.kinds if kind != "refund"]


def refund_after_shipping(rng: Random, order: SandboxOrder, at: datetime) -> None:
    """Ask for a refund of one line that was sent. What triage was to say of the order stays as it was."""
    if order.draft["status"] in _SHIPPED:
        order.draft["raw"]["refund_at"] = stamp(at)
        rng.choice(order.draft["lines"])["refund"] = "asked"


def finish_refund(rng: Random, order: SandboxOrder, at: datetime) -> None:
    """Grant the refunds that are open; an order of which nothing is left to ship ends by it."""
    del rng
    for line in _open_refunds(order):
        line["refund"] = "done"
    _decided(order, at)
    order.kinds = [kind for kind in order.kinds if kind != "refund"]
    if order.draft["status"] == "paid" and all(line["refund"] == "done" for line in order.draft["lines"]):
        order.draft.update(status="refunded", channel_hold="")


def hold(rng: Random, order: SandboxOrder, at: datetime) -> None:
    """Let the platform forbid shipping for now. Raises ValueError where the platform has no such state."""
    del at
    if order.shop not in HOLDS:
        raise ValueError(f"{order.shop} has no hold")
    channel_hold(rng, order)
    _mark(order, "channel_hold")


def release(rng: Random, order: SandboxOrder, at: datetime) -> None:
    """Let the platform take its hold back."""
    del rng, at
    order.draft["channel_hold"] = ""
    order.kinds = [kind for kind in order.kinds if kind != "channel_hold"]


def correct(rng: Random, order: SandboxOrder, at: datetime) -> None:
    """Let the buyer complete phone and address: nothing is left to confirm about them."""
    del at
    if "invalid_phone" in order.kinds:
        order.draft["receiver"]["phone"] = f"13{rng.randint(0, 9)}{rng.randint(10_000_000, 89_999_999)}"
    if _ADDRESS_KINDS & set(order.kinds):
        set_address(order.draft, places.good(rng))
    order.kinds = [kind for kind in order.kinds if kind not in {"invalid_phone", *_ADDRESS_KINDS}]


def note(rng: Random, order: SandboxOrder, at: datetime) -> None:
    """Let the seller write a memo and set a flag."""
    del at
    order.draft["seller_remark"] = rng.choice(remarks.SELLER)
    order.draft["flag"] = rng.choice(("red", "orange", "cyan") if order.shop == "douyin" else ("red", "yellow", "blue"))


def move(rng: Random, order: SandboxOrder, at: datetime) -> None:
    """Change the receiver to another complete address and phone."""
    del at
    set_address(order.draft, places.good(rng))
    order.draft["receiver"]["phone"] = people.virtual_phone(rng) if order.shop == "mini" else "13600000000"
    # An address abroad is gone with the old one.
    order.kinds = [kind for kind in order.kinds if kind not in {"overseas_no_duty", "invalid_phone", *_ADDRESS_KINDS}]


def complete(rng: Random, order: SandboxOrder, at: datetime) -> None:
    """Close an order that has arrived."""
    del rng, at
    if order.draft["status"] == "in_transit":
        order.draft["status"] = "completed"


CHANGES: dict[str, Callable[[Random, SandboxOrder, datetime], None]] = {
    change.__name__: change
    for change in (
        pay,
        cancel,
        ask_refund,
        withdraw_refund,
        refund_after_shipping,
        finish_refund,
        hold,
        release,
        correct,
        note,
        move,
        complete,
    )
}
"""Every change by name; `POST /_sandbox/change` takes these names."""

LEADS_ON = frozenset({"pay", "ask_refund", "refund_after_shipping"})
"""Changes after which more may happen."""
_REFUNDS = frozenset({"ask_refund", "withdraw_refund", "refund_after_shipping", "finish_refund"})
QUIET = {
    "douyin": _REFUNDS | {"correct", "note", "move"},
    "jd": frozenset({"refund_after_shipping", "finish_refund"}),
}
"""Changes that do not move a platform's modification time, as long as the order's state stays: on Douyin it follows the
main state only, on JD after-sales are lists of their own."""


def apply(name: str, rng: Random, order: SandboxOrder, at: datetime, *, is_quiet: bool = False) -> None:
    """Apply one change and move `modified_at`, unless the platform does not for this change, or `is_quiet` says so.
    Raises KeyError for an unknown name."""
    before = order.draft["status"]
    CHANGES[name](rng, order, at)
    if is_quiet:
        return
    if name not in QUIET.get(order.shop, ()) or order.draft["status"] != before:
        order.draft["modified_at"] = stamp(at)


def _open_refunds(order: SandboxOrder) -> list[Row]:
    return [line for line in order.draft["lines"] if line["refund"] in {"asked", "agreed"}]


def _decided(order: SandboxOrder, at: datetime) -> None:
    order.draft["raw"].setdefault("refund_at", order.draft["paid_at"])
    order.draft["raw"]["decided_at"] = stamp(at)


def _mark(order: SandboxOrder, kind: str) -> None:
    assert kind in LANES
    if kind not in order.kinds:
        order.kinds.append(kind)
