"""The shapes of bodies and answers: read from clients where they write, described in the schema where they read."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from orderhub.core.results import Outcome
from orderhub.core.words import ContactKind, Lane, Refund, Source, Status

MAX_ORDERS = 1000
DEFAULT_RESULTS = 20
MAX_RESULTS = 100


class IntakeRequest(serializers.Serializer[Any]):
    """A batch of order drafts of one shop."""

    shop = serializers.CharField(max_length=50, help_text=_("code of the shop"))
    orders = serializers.ListField(
        child=serializers.DictField(help_text=_("an order draft; read row by row, a bad one costs only itself")),
        min_length=1,
        max_length=MAX_ORDERS,
    )


class IntakeRow(serializers.Serializer[Any]):
    """What became of one row."""

    row = serializers.IntegerField()
    external_no = serializers.CharField()
    outcome = serializers.ChoiceField([outcome.value for outcome in Outcome])
    field = serializers.CharField(required=False, help_text=_("only for rejected rows"))
    reason = serializers.CharField(required=False, help_text=_("only for rejected rows"))


class IntakeAnswer(serializers.Serializer[Any]):
    """What became of a batch; `rows` is empty while it is only accepted."""

    inbox_id = serializers.IntegerField(help_text=_("number of the stored delivery"))
    state = serializers.ChoiceField(["done", "accepted"])
    counts = serializers.DictField(child=serializers.IntegerField())
    rows = IntakeRow(many=True)


class SearchRequest(serializers.Serializer[Any]):
    """One search text; the hub finds out what it is."""

    q = serializers.CharField(max_length=200, help_text=_("order, tracking or phone number, last four digits, buyer …"))
    limit = serializers.IntegerField(min_value=1, max_value=MAX_RESULTS, default=DEFAULT_RESULTS)


class ReceiverShown(serializers.Serializer[Any]):
    """A receiver, masked."""

    kind = serializers.ChoiceField(ContactKind.choices, required=False)
    name = serializers.CharField()
    phone = serializers.CharField()
    province = serializers.CharField()
    city = serializers.CharField()
    district = serializers.CharField()
    town = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)
    country = serializers.CharField(required=False)


class OrderRow(serializers.Serializer[Any]):
    """An order in a list; money in fen, times in UTC."""

    id = serializers.IntegerField()
    external_no = serializers.CharField()
    shop = serializers.CharField(help_text=_("code of the shop"))
    status = serializers.ChoiceField(Status.choices)
    lane = serializers.ChoiceField([("", ""), *Lane.choices])
    urgent = serializers.BooleanField()
    drift = serializers.BooleanField(help_text=_("the departments' claims disagree"))
    created_at = serializers.DateTimeField()
    paid_at = serializers.DateTimeField(allow_null=True)
    modified_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    ship_by = serializers.DateTimeField(allow_null=True)
    total_fen = serializers.IntegerField()
    paid_fen = serializers.IntegerField()
    item_count = serializers.IntegerField()
    receiver = ReceiverShown(allow_null=True)


class SearchAnswer(serializers.Serializer[Any]):
    """Orders that match, newest first, and by which key they were found."""

    kind = serializers.CharField()
    more = serializers.BooleanField(help_text=_("there are more than the limit"))
    results = OrderRow(many=True)


class LineShown(serializers.Serializer[Any]):
    """One line."""

    line_no = serializers.CharField()
    sku = serializers.CharField()
    title = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price_fen = serializers.IntegerField()
    paid_fen = serializers.IntegerField()
    refund = serializers.ChoiceField(Refund.choices)
    reserved = serializers.IntegerField()
    short = serializers.IntegerField()


class ClaimShown(serializers.Serializer[Any]):
    """What one department says."""

    source = serializers.ChoiceField(Source.choices)  # type: ignore[assignment]
    status = serializers.ChoiceField([("", ""), *Status.choices])
    at = serializers.DateTimeField(allow_null=True)
    own_word = serializers.CharField()


class ParcelShown(serializers.Serializer[Any]):
    """One parcel."""

    carrier = serializers.CharField()
    tracking_no = serializers.CharField()
    handed_over_at = serializers.DateTimeField(allow_null=True)
    delivered_at = serializers.DateTimeField(allow_null=True)


class EntryShown(serializers.Serializer[Any]):
    """One entry of the timeline, newest first."""

    at = serializers.DateTimeField()
    kind = serializers.CharField()
    source = serializers.ChoiceField(Source.choices)  # type: ignore[assignment]
    actor = serializers.CharField()
    status_from = serializers.CharField()
    status_to = serializers.CharField()
    data = serializers.DictField(allow_null=True)  # type: ignore[assignment]


class OrderDetail(OrderRow):
    """One order with everything around it."""

    under_refund = serializers.ChoiceField(
        [("", ""), *Status.choices], help_text=_("while a refund is open: the status without it")
    )
    lines = LineShown(many=True)
    claims = ClaimShown(many=True)
    parcels = ParcelShown(many=True)
    timeline = EntryShown(many=True)
    sections = serializers.DictField(help_text=_("what other parts of the hub add, by name (findings …)"))


class FieldReason(serializers.Serializer[Any]):
    """One field and what is wrong with it."""

    path = serializers.CharField()
    reason = serializers.CharField()


class ErrorBody(serializers.Serializer[Any]):
    """What went wrong, for machines (`code`) and people (`message`)."""

    code = serializers.CharField()
    message = serializers.CharField()
    fields = FieldReason(many=True)  # type: ignore[assignment]
    request_id = serializers.CharField()


class ErrorAnswer(serializers.Serializer[Any]):
    """The one shape of every error."""

    error = ErrorBody()
