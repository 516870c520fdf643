"""Ways in which an order goes wrong, one function per kind; each leaves the signs that its kind is judged by."""

from collections.abc import Callable
from random import Random

from channels_sync.sandbox import catalogue, places, remarks
from channels_sync.sandbox.orders import Row, SandboxOrder, reckon
from channels_sync.sandbox.people import INVALID_PHONES, virtual_phone
from channels_sync.sandbox.places import Address

HOLDS = {
    "taobao": "PAID_FORBID_CONSIGN",
    "jd": "LOCKED",
    "douyin": "risk_review",
}
"""Each platform's word for paid, but not to be shipped for now."""


def price_off(rng: Random, order: SandboxOrder) -> None:
    """Move one unit price at least 38 % off the campaign price, at times to one fen or tenfold (a slipped comma)."""
    line = rng.choice(order.draft["lines"])
    campaign = catalogue.by_sku()[line["sku"]].campaign_fen
    roll = rng.random()
    if roll < 0.1:
        price = 1
    elif roll < 0.2:
        price = campaign * 10
    else:
        price = round(campaign * (rng.uniform(0.12, 0.62) if rng.random() < 0.7 else rng.uniform(1.38, 2.4)))
    line["unit_price_fen"] = max(price, 1)
    reckon(order.draft)


def quantity(rng: Random, order: SandboxOrder) -> None:
    """Let somebody buy 12 to 120 pieces of one article."""
    rng.choice(order.draft["lines"])["quantity"] = rng.choice((12, 15, 20, 24, 30, 36, 50, 60, 100, 120))
    reckon(order.draft)


def refund(rng: Random, order: SandboxOrder) -> None:
    """Let the buyer ask for a refund of one line before shipping."""
    rng.choice(order.draft["lines"])["refund"] = "asked" if rng.random() < 0.8 else "agreed"


def channel_hold(rng: Random, order: SandboxOrder) -> None:
    """Let the platform forbid shipping although the order is paid."""
    del rng
    order.draft["channel_hold"] = HOLDS[order.shop]


def invalid_phone(rng: Random, order: SandboxOrder) -> None:
    """Put in something that is nobody's phone."""
    order.draft["receiver"]["phone"] = rng.choice(INVALID_PHONES)


def vague_address(rng: Random, order: SandboxOrder) -> None:
    """Give a detail that no courier finds."""
    set_address(order.draft, places.vague(rng))


def incomplete_address(rng: Random, order: SandboxOrder) -> None:
    """Leave out a part of the address, or let two parts contradict each other."""
    set_address(order.draft, places.incomplete(rng))


def overseas_no_duty(rng: Random, order: SandboxOrder) -> None:
    """Send it over a customs border without a word on who pays the duty."""
    set_address(order.draft, _abroad(rng))


def change_request(rng: Random, order: SandboxOrder) -> None:
    """Ask in the remark for something that a person has to change."""
    order.draft["buyer_remark"] = rng.choice(remarks.CHANGE)


PLANT: dict[str, Callable[[Random, SandboxOrder], None]] = {
    planter.__name__: planter
    for planter in (
        price_off, quantity, refund, channel_hold, invalid_phone, vague_address, incomplete_address, overseas_no_duty,
        change_request,
    )
}  # fmt: skip
"""Kinds that spoil a single order; `same_ip` and `duplicate` are matters of a group."""


def set_trap(rng: Random, order: SandboxOrder) -> None:
    """Make a faultless order look odd in a harmless way, at times: the right answer stays regular."""
    roll = rng.random()
    line = order.draft["lines"][0]
    if roll < 0.004:
        line["quantity"] = 10
        reckon(order.draft)
        order.traps.append("ten_pieces")
    elif roll < 0.010 and order.shop == "mini":
        order.draft["receiver"]["phone"] = virtual_phone(rng)
        order.traps.append("virtual_phone")
    elif roll < 0.014 and order.shop in {"mini", "wechat"}:
        order.draft["receiver"]["detail"] += "楼下菜鸟驿站"
        order.traps.append("pickup_point")
    elif roll < 0.018 and order.shop != "wechat":
        set_address(order.draft, _abroad(rng))
        order.draft["buyer_remark"] = rng.choice(remarks.DUTY)
        order.traps.append("duty_settled")


def set_address(draft: Row, address: Address) -> None:
    """Put another address into the receiver, with the phone that goes with it."""
    receiver = draft["receiver"]
    for name in ("country", "province", "city", "district", "town", "detail", "postcode"):
        receiver[name] = getattr(address, name)
    if address.phone:
        receiver["phone"] = address.phone


def _abroad(rng: Random) -> Address:
    return places.hong_kong(rng) if rng.random() < 0.7 else places.overseas(rng)
