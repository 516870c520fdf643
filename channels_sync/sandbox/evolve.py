"""How orders go on living: paid, cancelled, refunded, corrected. Each change moves `modified_at`."""

from collections.abc import Callable
from datetime import datetime
from random import Random

from channels_sync.sandbox import people, places, remarks
from channels_sync.sandbox.mix import LANES
from channels_sync.sandbox.orders import SandboxOrder, make_paid, stamp
from channels_sync.sandbox.trouble import HOLDS, channel_hold, set_address

Plan = tuple[str, int]
"""What happens next, and in how many seconds."""

_ADDRESS_KINDS = {"vague_address", "incomplete_address"}
READABLE = frozenset({"mini", "wechat"})
"""Shops whose receivers' addresses can be read, so that buyers are asked to complete them."""


def next_change(rng: Random, order: SandboxOrder) -> Plan | None:
    """Return what will happen to this order next, if anything."""
    status = order.draft["status"]
    if "channel_hold" in order.kinds and order.shop != "taobao":
        return ("release", rng.randint(120, 1800)) if rng.random() < 0.5 else None
    if status == "unpaid":
        return ("pay", rng.randint(20, 240)) if rng.random() < 0.85 else ("cancel", rng.randint(600, 1200))
    if status == "presale_deposit":
        return "pay", rng.randint(600, 2400)
    if status != "paid":
        return None
    if "refund" in order.kinds:
        return ("withdraw_refund", rng.randint(240, 1800)) if rng.random() < 0.3 else None
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
    return None


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
    order.draft["raw"]["refund_at"] = stamp(at)
    for line in order.draft["lines"]:
        line["refund"] = "none"
    order.kinds = [kind for kind in order.kinds if kind != "refund"]


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
        hold,
        release,
        correct,
        note,
        move,
        complete,
    )
}
"""Every change by name; `POST /_sandbox/change` takes these names."""

QUIET = {"douyin": frozenset({"ask_refund", "withdraw_refund", "correct", "note", "move"})}
"""Changes that do not move a platform's modification time, which on Douyin follows the main state of the order only."""


def apply(name: str, rng: Random, order: SandboxOrder, at: datetime) -> None:
    """Apply one change and move `modified_at`, unless the platform does not for this change. Raises KeyError for an
    unknown name."""
    CHANGES[name](rng, order, at)
    if name not in QUIET.get(order.shop, ()):
        order.draft["modified_at"] = stamp(at)


def _mark(order: SandboxOrder, kind: str) -> None:
    assert kind in LANES
    if kind not in order.kinds:
        order.kinds.append(kind)
