"""The words that all parts share, as enumerations (the design's section 4)."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Status(TextChoices):
    """The one status that customer service, warehouse and logistics see."""

    UNPAID = "unpaid", _("Awaiting payment")
    PRESALE_DEPOSIT = "presale_deposit", _("Deposit paid")
    PAID = "paid", _("Awaiting triage")
    IN_TRIAGE_HOLD = "in_triage_hold", _("Held by triage")
    READY = "ready", _("Ready for the warehouse")
    WMS_QUEUED = "wms_queued", _("Being sent to the warehouse")
    WMS_ACCEPTED = "wms_accepted", _("Accepted by the warehouse")
    PICKING = "picking", _("Picking")
    PACKED = "packed", _("Packed")
    AWAITING_PICKUP = "awaiting_pickup", _("Awaiting courier pick-up")
    IN_TRANSIT = "in_transit", _("In transit")
    OUT_FOR_DELIVERY = "out_for_delivery", _("Out for delivery")
    DELIVERED = "delivered", _("Delivered")
    COMPLETED = "completed", pgettext_lazy("order status", "Completed")
    CANCELLED = "cancelled", pgettext_lazy("order status", "Cancelled")
    REFUNDING = "refunding", _("Refund in progress")
    REFUNDED = "refunded", _("Refunded")
    INTERCEPTING = "intercepting", _("Being intercepted")
    WMS_FAILED = "wms_failed", _("Warehouse push failed")
    SHORT = "short", _("Short of stock")
    RETURNING = "returning", _("Returning")


class Lane(TextChoices):
    """Where triage sends an order; empty while it has not been judged."""

    REGULAR = "regular", pgettext_lazy("lane", "Regular")
    TO_CONFIRM = "to_confirm", pgettext_lazy("lane", "To confirm")
    ABNORMAL = "abnormal", pgettext_lazy("lane", "Abnormal")


LANE_RANK = {"": 0, Lane.REGULAR: 1, Lane.TO_CONFIRM: 2, Lane.ABNORMAL: 3}
"""The worst finding decides the lane."""


class Refund(TextChoices):
    """How far a refund of one line has come."""

    NONE = "none", pgettext_lazy("refund", "None")
    ASKED = "asked", pgettext_lazy("refund", "Asked")
    AGREED = "agreed", pgettext_lazy("refund", "Agreed")
    DONE = "done", pgettext_lazy("refund", "Done")
    REFUSED = "refused", pgettext_lazy("refund", "Refused")


OPEN_REFUND = frozenset({Refund.ASKED.value, Refund.AGREED.value})
"""A refund that may still be withdrawn: goods must wait for its end."""


class Presale(TextChoices):
    """A presale is paid in two parts; an order with only the deposit is not triaged."""

    NONE = "none", pgettext_lazy("presale", "None")
    DEPOSIT = "deposit", pgettext_lazy("presale", "Deposit paid")
    BALANCE_PAID = "balance_paid", pgettext_lazy("presale", "Balance paid")


class Hold(TextChoices):
    """Holds of channels that have a name here; any other is shown in the platform's own word."""

    CASH_ON_DELIVERY = "cod", _("Cash on delivery")
    PART_REFUNDED = "part_refunded", _("Refunded in part")


class DeadlineSource(TextChoices):
    """By whose word an order must have left; empty where nobody noted it, or where there is no deadline yet."""

    CHANNEL = "channel", pgettext_lazy("deadline", "Channel")
    AGREED = "agreed", pgettext_lazy("deadline", "Agreed with the buyer")
    CAMPAIGN = "campaign", pgettext_lazy("deadline", "Campaign")
    DEFAULT = "default", pgettext_lazy("deadline", "Hours of the shop")


class Flag(TextChoices):
    """The seller's coloured flag, normalised: platforms number the colours differently."""

    NONE = "none", pgettext_lazy("flag", "None")
    GREY = "grey", pgettext_lazy("flag", "Grey")
    RED = "red", pgettext_lazy("flag", "Red")
    YELLOW = "yellow", pgettext_lazy("flag", "Yellow")
    GREEN = "green", pgettext_lazy("flag", "Green")
    BLUE = "blue", pgettext_lazy("flag", "Blue")
    PURPLE = "purple", pgettext_lazy("flag", "Purple")
    ORANGE = "orange", pgettext_lazy("flag", "Orange")
    CYAN = "cyan", pgettext_lazy("flag", "Cyan")


class Change(TextChoices):
    """What the channel changed about an order that is known."""

    STATUS = "status", pgettext_lazy("change", "Status")
    RECEIVER = "receiver", pgettext_lazy("change", "Receiver")
    LINES = "lines", pgettext_lazy("change", "Lines")
    REMARK = "remark", pgettext_lazy("change", "Buyer's remark")
    MEMO = "memo", pgettext_lazy("change", "Seller's remark or flag")
    HOLD = "hold", pgettext_lazy("change", "Hold of the platform")
    DETAILS = "details", pgettext_lazy("change", "Other details")


class ContactKind(TextChoices):
    """What a contact value is; only PLAIN can be judged invalid."""

    PLAIN = "plain", pgettext_lazy("contact", "Plain")
    VIRTUAL = "virtual", pgettext_lazy("contact", "Virtual number")
    MASKED = "masked", pgettext_lazy("contact", "Masked by the platform")
    CIPHER = "cipher", pgettext_lazy("contact", "Platform token")


class Source(TextChoices):
    """Who says so: each department's claim and each timeline entry carries one."""

    CHANNEL = "channel", pgettext_lazy("source", "Channel")
    WAREHOUSE = "warehouse", pgettext_lazy("source", "Warehouse")
    CARRIER = "carrier", pgettext_lazy("source", "Carrier")
    HUB = "hub", pgettext_lazy("source", "Order hub")
    PERSON = "person", pgettext_lazy("source", "Person")


class EffectState(TextChoices):
    """Life of an outbox row."""

    PENDING = "pending", pgettext_lazy("effect", "Waiting")
    SENDING = "sending", pgettext_lazy("effect", "Sending")
    DONE = "done", pgettext_lazy("effect", "Done")
    DEAD = "dead", pgettext_lazy("effect", "Dead letter")
    CANCELLED = "cancelled", pgettext_lazy("effect", "Cancelled")


class EffectKind(TextChoices):
    """What the hub wants done outside itself."""

    WMS_PUSH = "wms_push", _("Push to the warehouse")
    SMS = "sms", _("SMS to the customer")
    POPUP = "popup", _("Popup to the agent")
    RISK_CASE = "risk_case", _("Risk review case")
    WAREHOUSE_HEADS_UP = "warehouse_heads_up", _("Heads-up to the warehouse")
    STOCK = "stock", _("Stock to the channel")
    SHIPMENT = "shipment", _("Shipment to the channel")
    MEMO = "memo", _("Remark and flag to the channel")


class InboxState(TextChoices):
    """Life of a raw delivery."""

    NEW = "new", pgettext_lazy("inbox", "Waiting")
    WORKING = "working", pgettext_lazy("inbox", "In work")
    DONE = "done", pgettext_lazy("inbox", "Taken in")
    DEAD = "dead", pgettext_lazy("inbox", "Set aside")


class RejectState(TextChoices):
    """Life of a row that could not be taken in."""

    OPEN = "open", pgettext_lazy("reject", "Open")
    TAKEN = "taken", pgettext_lazy("reject", "Taken in later")
    DISMISSED = "dismissed", pgettext_lazy("reject", "Dismissed")


class GateState(TextChoices):
    """What the intake gate lets into the pool; receiving goes on in every state."""

    OPEN = "open", pgettext_lazy("gate", "Open")
    TRICKLE = "trickle", pgettext_lazy("gate", "Throttled")
    PAUSED = "paused", pgettext_lazy("gate", "Paused")


GATE_RANK = {GateState.OPEN: 0, GateState.TRICKLE: 1, GateState.PAUSED: 2}
"""Of the gate of all and the gate of a shop the stricter one counts."""
