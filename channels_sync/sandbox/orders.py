"""One made-up order: a plain OrderDraft row, the known right answer beside it, and the ways to spoil it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from channels_sync.sandbox import catalogue, remarks
from channels_sync.sandbox.mix import LANES
from channels_sync.sandbox.people import Buyer

Row = dict[str, Any]

NOT_JUDGED = frozenset({"unpaid", "presale_deposit", "cancelled", "refunded"})
"""Statuses that triage leaves alone; their label has an empty lane."""
FLAGS = {"douyin": ("red", "orange", "green", "cyan", "purple")}
_FLAGS = ("red", "yellow", "green", "blue", "purple")
"""The colours that sellers choose from; each platform has its own."""
_LANE_ORDER = ("regular", "to_confirm", "abnormal")
SHIP_WITHIN = timedelta(hours=48)


@dataclass(slots=True)
class SandboxOrder:
    """`draft` is the truth in the words of the intake; `kinds`, `urgent` and `traps` never leave the sandbox's log."""

    shop: str
    draft: Row
    kinds: list[str] = field(default_factory=list)
    urgent: bool = False
    traps: list[str] = field(default_factory=list)
    cluster: str = ""
    nth: int = 0
    """Place in its cluster from 1: before the fifth order of an IP or the second of a pair nothing can be known."""

    @property
    def lane(self) -> str:
        """Return the lane that the starter rules should find; empty while it is not paid or frozen by the platform."""
        if self.draft["status"] in NOT_JUDGED:
            return ""
        lanes = [LANES[kind] for kind in self.kinds]
        return "" if "" in lanes else max(lanes, key=_LANE_ORDER.index, default="regular")

    def label(self) -> Row:
        """Return the line of the sandbox's own log by which triage can be judged."""
        return {
            "external_no": self.draft["external_no"],
            "lane": self.lane,
            "urgent": self.urgent,
            "kinds": list(self.kinds),
            "traps": list(self.traps),
            "cluster": self.cluster,
            "nth": self.nth,
            "shop": self.shop,
            "at": self.draft["modified_at"],
        }


def new_order(
    rng: Random, shop: str, buyer: Buyer, at: datetime, without: frozenset[str] = frozenset()
) -> SandboxOrder:
    """Return a faultless order placed at `at` and paid within 75 seconds; none of its SKUs is in `without`."""
    count = rng.choices((1, 2, 3, 4), cum_weights=(55, 82, 94, 100))[0]
    lines = [_line(rng, number, article) for number, article in enumerate(catalogue.pick(rng, count, without), 1)]
    address = buyer.address
    paid_at = at + timedelta(seconds=rng.randint(4, 75))
    draft: Row = {
        "external_no": "",
        "status": "paid",
        "created_at": stamp(at),
        "paid_at": stamp(paid_at),
        "modified_at": stamp(paid_at),
        "ship_by": stamp(paid_at + SHIP_WITHIN),
        "buyer": {"id": buyer.id, "nickname": buyer.nickname, "ip": buyer.ip},
        "receiver": {
            "name": buyer.name,
            "phone": address.phone or buyer.phone,
            "country": address.country,
            "province": address.province,
            "city": address.city,
            "district": address.district,
            "town": address.town,
            "detail": address.detail,
            "postcode": address.postcode,
        },
        "lines": lines,
        "buyer_remark": "",
        "seller_remark": rng.choice(remarks.SELLER) if rng.random() < 0.05 else "",
        "flag": rng.choice(FLAGS.get(shop, _FLAGS)) if rng.random() < 0.06 else "none",
        "presale": "none",
        "channel_hold": "",
        "raw": {},
    }
    reckon(draft)
    return SandboxOrder(shop, draft)


def stamp(moment: datetime) -> str:
    """Return the time as ISO text with its offset, to the second."""
    return moment.isoformat(timespec="seconds")


def reckon(draft: Row) -> None:
    """Set the sums from the lines: 50 yuan off every full 300, freight 8 yuan under 59; paid parts add up exactly."""
    lines: list[Row] = draft["lines"]
    total = sum(line["unit_price_fen"] * line["quantity"] for line in lines)
    discount = min(total // 30_000 * 5_000, 100_000)
    for line, share in zip(lines, discount_shares(lines, discount), strict=True):
        line["paid_fen"] = line["unit_price_fen"] * line["quantity"] - share
    draft["total_fen"], draft["discount_fen"] = total, discount
    draft["freight_fen"] = 800 if total < 5_900 else 0
    draft["paid_fen"] = total - discount + draft["freight_fen"]


def discount_shares(lines: list[Row], discount: int) -> list[int]:
    """Return each line's share of an order's discount in fen, by value; the dearest line takes what rounding leaves."""
    wholes = [line["unit_price_fen"] * line["quantity"] for line in lines]
    shares = [discount * whole // max(sum(wholes), 1) for whole in wholes]
    shares[wholes.index(max(wholes))] += discount - sum(shares)
    return shares


def make_unpaid(order: SandboxOrder) -> None:
    """Turn the order into one that waits for payment."""
    draft = order.draft
    draft.update(status="unpaid", paid_at=None, ship_by=None, paid_fen=0, modified_at=draft["created_at"])
    for line in order.draft["lines"]:
        line["paid_fen"] = 0


def make_paid(order: SandboxOrder, at: datetime) -> None:
    """Let the buyer pay an unpaid order, or the balance of a presale."""
    if order.draft["presale"] == "deposit":
        order.draft["presale"] = "balance_paid"
    reckon(order.draft)
    order.draft.update(status="paid", paid_at=stamp(at), ship_by=stamp(at + SHIP_WITHIN))


def make_presale(order: SandboxOrder, rng: Random) -> None:
    """Turn the order into a presale: only the deposit paid, or, one in four, the balance too."""
    if rng.random() < 0.25:
        order.draft["presale"] = "balance_paid"
        return
    order.draft.update(status="presale_deposit", presale="deposit", paid_at=None, ship_by=None)
    order.draft["paid_fen"] = order.draft["total_fen"] // 10
    for line in order.draft["lines"]:
        line["paid_fen"] = 0


def _line(rng: Random, number: int, article: catalogue.Article) -> Row:
    quantity = rng.choices((1, 2, 3, 4), cum_weights=(72, 92, 98, 100))[0]
    return {
        "line_no": str(number),
        "sku": article.sku,
        "title": article.title,
        "quantity": quantity,
        "unit_price_fen": _usual_price(rng, article.campaign_fen),
        "paid_fen": 0,
        "refund": "none",
    }


def _usual_price(rng: Random, campaign_fen: int) -> int:
    """Return the campaign price, at times a little less by a coupon or live-room price, never far enough to alarm."""
    roll = rng.random()
    if roll < 0.85:
        return campaign_fen
    low, high = (0.90, 0.98) if roll < 0.98 else (0.78, 0.86)
    return round(campaign_fen * rng.uniform(low, high) / 10) * 10
