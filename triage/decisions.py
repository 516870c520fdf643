"""What goes into triage and what comes out: plain values, no database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from orderhub.core.draft import OrderDraft
from orderhub.core.words import Lane

RED = 2
"""Weight of urgency from which on an order is red, waits for no others, and the warehouse is told; 1 is a hint only."""

GATE_KEY = 0
"""Facts key of the findings of system gates, which no person can accept."""

SUPPLY_CODES = frozenset({"stock_short", "sku_unmatched", "shipping_stopped"})
"""The starter rules on what we lack ourselves, pieces, a matched article or a courier: no buyer can clear these."""


class Candidate(Struct, frozen=True):
    """One order to judge.

    `order_id` is its key in the pool (already taken for a new order), `is_known` tells that the row exists,
    `short_skus` are the SKUs that could not be reserved in full.
    """

    order_id: int
    shop_id: int
    draft: OrderDraft
    buyer_id: int | None
    short_skus: tuple[str, ...]
    is_known: bool


class FoundFinding(Struct, frozen=True):
    """One reason on one order.

    `lane` is empty where the finding only marks. `facts_key` changes exactly when the order's own data behind the
    finding changes; `values` are what is shown and hold no personal data.
    """

    code: str
    lane: str
    severity: int
    values: Mapping[str, Any]
    facts_key: int
    is_shadow: bool = False
    is_urgent: bool = False


class Decision(Struct, frozen=True):
    """Where one order goes and why.

    `lane` is empty where a system gate or another status than paid kept the rules from running. `urgency` is the
    highest weight found (0 to 3); `is_urgent` from weight 2 on. `unpriced` are the articles that no price could be held
    against, where a rule asked: what is known of prices changes, so that it cannot be found out later.
    """

    lane: str
    is_urgent: bool
    urgency: int
    findings: tuple[FoundFinding, ...]
    rule_set_id: int
    unpriced: tuple[str, ...] = ()

    @property
    def needs_answer(self) -> bool:
        """True when a person must ask the buyer: something else than our own supply is to be confirmed."""
        return any(
            found.lane == Lane.TO_CONFIRM and not found.is_shadow and found.code not in SUPPLY_CODES
            for found in self.findings
        )


@dataclass(slots=True)
class Step:
    """One rule's answer for one order, for people who want to know how it was judged."""

    code: str
    answer: bool | None
    values: Mapping[str, Any] = field(default_factory=dict)
