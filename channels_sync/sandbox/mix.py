"""What share of the stream is what: the options of the generator and the kinds of trouble it plants."""

from dataclasses import dataclass, fields
from typing import Literal

Profile = Literal["mini", "masked", "virtual"]
"""`mini`: the own mini-program shop, plain receivers and buyer IP. `masked`: masked receivers and no IP, as on Taobao.
`virtual`: addresses can be read, phones are virtual numbers, no IP and no deposits, as in a WeChat shop."""

LANES = {
    "price_off": "abnormal",
    "same_ip": "abnormal",
    "quantity": "abnormal",
    "refund": "",
    "channel_hold": "",
    "invalid_phone": "to_confirm",
    "vague_address": "to_confirm",
    "incomplete_address": "to_confirm",
    "overseas_no_duty": "to_confirm",
    "duplicate": "to_confirm",
    "change_request": "to_confirm",
}
"""Kind of trouble -> the lane of the starter rules (reference `domain.md` 4.10); the frozen ones are not judged."""

# Profile -> lane -> kind -> its part of the lane's share. Masked orders carry only what Taobao lets a shop see.
_PARTS: dict[Profile, dict[str, dict[str, float]]] = {
    "mini": {
        "abnormal": {"price_off": 0.44, "same_ip": 0.34, "quantity": 0.22},
        "to_confirm": {
            "invalid_phone": 0.30,
            "vague_address": 0.28,
            "incomplete_address": 0.17,
            "overseas_no_duty": 0.07,
            "duplicate": 0.08,
            "change_request": 0.10,
        },
    },
    "masked": {
        "abnormal": {"price_off": 0.65, "quantity": 0.35},
        "to_confirm": {"change_request": 0.50, "duplicate": 0.30, "overseas_no_duty": 0.20},
    },
    "virtual": {
        "abnormal": {"price_off": 0.65, "quantity": 0.35},
        "to_confirm": {"vague_address": 0.45, "incomplete_address": 0.25, "duplicate": 0.15, "change_request": 0.15},
    },
}
_FROZEN: dict[Profile, dict[str, float]] = {
    "mini": {"refund": 1.0},
    "masked": {"refund": 0.7, "channel_hold": 0.3},
    "virtual": {"refund": 1.0},
}
"""Kinds that no rule judges: a refund asked before shipping, an order that the platform forbids to ship."""
SAME_IP_ORDERS = (5, 8)
"""Fewest and most orders of one IP cluster; at least three buyers within minutes (starter rule 9)."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of all triaged orders (0–1); `unpaid`, `presale` and `frozen` come on top and are not triaged."""

    abnormal: float = 0.065
    to_confirm: float = 0.145
    urgent: float = 0.04
    frozen: float = 0.008
    unpaid: float = 0.02
    presale: float = 0.015
    pair: float = 0.04
    returning: float = 0.25
    household: float = 0.01

    @classmethod
    def parse(cls, text: str) -> "Mix":
        """Return the mix of `abnormal=0.07,urgent=0.05`. Raises ValueError for an unknown name or share."""
        known = {field.name for field in fields(cls)}
        shares: dict[str, float] = {}
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            name, _, value = part.partition("=")
            if name.strip() not in known:
                raise ValueError(f"unknown share {name.strip()!r}; one of {', '.join(sorted(known))}")
            shares[name.strip()] = float(value)
        mix = cls(**shares)
        if any(not 0 <= getattr(mix, name) <= 1 for name in known) or mix.abnormal + mix.to_confirm > 0.9:
            raise ValueError("shares lie between 0 and 1, abnormal and to_confirm together at most 0.9")
        return mix

    def groups(self, profile: Profile) -> dict[str, float]:
        """Return how often a group of each kind starts, as weights; a group is one or more orders that belong together.

        `same_ip` and `duplicate` groups bring several orders, so they start less often than their share of orders.
        """
        judged = 1 - (self.unpaid + self.presale * 0.75) * (1 - self.abnormal - self.to_confirm)
        lanes = {"abnormal": self.abnormal * judged, "to_confirm": self.to_confirm * judged}
        weights = {kind: self.frozen * part for kind, part in _FROZEN[profile].items()}
        used = sum(weights.values())
        for lane, parts in _PARTS[profile].items():
            for kind, part in parts.items():
                labelled, size = _sizes(kind)
                weights[kind] = lanes[lane] * part / labelled
                used += weights[kind] * size
        for kind, share in (("pair", self.pair), ("household", self.household if profile == "mini" else 0.0)):
            weights[kind] = share / 2
            used += share
        weights["plain"] = max(1.0 - used, 0.0)
        return weights


def _sizes(kind: str) -> tuple[float, float]:
    """Return how many orders of a group carry the kind, and how many orders it has."""
    if kind == "same_ip":
        return (sum(SAME_IP_ORDERS) / 2,) * 2
    return (1.0, 2.0) if kind == "duplicate" else (1.0, 1.0)
