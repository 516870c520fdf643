"""The filters of `GET orders/`: the pool's own and those that features add."""

from datetime import UTC, datetime
from typing import Any

import django_filters
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_filters.fields import IsoDateTimeField
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from orderhub.api.errors import InvalidFieldsError, PersonalDataError
from orderhub.core.words import Lane, Status
from orderhub.models import Order
from orderhub.selectors.orders import OrderFilter, extra_filters, filtered
from orderhub.selectors.search import PERSONAL, named, normal, possible_kinds
from orderhub.services.access import Client

SEARCH_LIMIT = 1000
"""Orders that one order or tracking number may name; those of a buyer have no limit."""


class MomentField(IsoDateTimeField):  # type: ignore[misc]
    """A moment in UTC; PostgreSQL refuses offsets beyond 15:59, which ISO 8601 allows."""

    def clean(self, value: Any) -> datetime | None:
        """Return the moment, None for no value."""
        moment = super().clean(value)
        try:
            return moment.astimezone(UTC) if moment else None
        except (OverflowError, ValueError) as error:
            raise ValidationError(_("not a believable time")) from error


class MomentFilter(django_filters.IsoDateTimeFilter):  # type: ignore[misc]
    """A moment as ISO 8601."""

    field_class = MomentField


@extend_schema_field(OpenApiTypes.BOOL)
class TruthFilter(django_filters.TypedChoiceFilter):  # type: ignore[misc]
    """`true` or `false`; anything else is refused, not ignored."""

    def __init__(self) -> None:
        choices = [("true", "true"), ("false", "false")]
        super().__init__(choices=choices, coerce=lambda word: word == "true", empty_value=None)


class OrderFilterSet(django_filters.FilterSet):  # type: ignore[misc]
    """Reads the parameters; the narrowing itself is shared with the desk."""

    status = django_filters.MultipleChoiceFilter(choices=Status.choices, help_text=gettext_lazy("may be repeated"))
    lane = django_filters.ChoiceFilter(choices=Lane.choices)
    urgent = TruthFilter()
    shop = django_filters.CharFilter(max_length=50, help_text=gettext_lazy("code of a shop"))
    created_from = MomentFilter(help_text=gettext_lazy("ISO 8601 with an offset, included"))
    created_to = MomentFilter(help_text=gettext_lazy("ISO 8601 with an offset, not included"))
    modified_from = MomentFilter(
        help_text=gettext_lazy("when the channel changed it, included; other steps do not count")
    )
    modified_to = MomentFilter(help_text=gettext_lazy("when the channel changed it, not included"))
    search = django_filters.CharFilter(
        max_length=200,
        help_text=gettext_lazy("order number, tracking number or buyer id; phones and names: POST orders/search/"),
    )

    class Meta:
        model = Order
        fields: list[str] = []

    @classmethod
    def get_filters(cls) -> dict[str, Any]:
        """Return the pool's filters and the features'."""
        added = {name: django_filters.CharFilter(max_length=200) for name in extra_filters}
        return {**super().get_filters(), **added}

    def filter_queryset(self, queryset: QuerySet[Order]) -> QuerySet[Order]:
        """Return the orders within the client's shops that the parameters describe."""
        given = self.form.cleaned_data
        client = self.request.auth
        orders = filtered(
            OrderFilter(
                shop_ids=client.shop_ids,
                shop_code=given["shop"],
                statuses=given["status"],
                lane=given["lane"],
                urgent=given["urgent"],
                created_from=given["created_from"],
                created_to=given["created_to"],
                modified_from=given["modified_from"],
                modified_to=given["modified_to"],
                extra={name: given[name] for name in extra_filters if given[name]},
            )
        )
        return orders.filter(_named(given["search"], client)) if given["search"] else orders


def _named(text: str, client: Client) -> Q:
    """Return the condition for orders that a search text in an address names; one with personal data in it is refused,
    and one that names more than can be narrowed further."""
    kinds = possible_kinds(normal(text))
    if not kinds or kinds[0] in PERSONAL or not text.isascii():
        raise PersonalDataError
    found = named(text, limit=SEARCH_LIMIT, shop_ids=client.shop_ids)
    if found.more:
        raise InvalidFieldsError(fields=[("search", _("names more than %(most)s orders") % {"most": SEARCH_LIMIT})])
    return Q(id__in=found.order_ids) | Q(buyer__in=found.buyer_ids)


def refuse_unknown(given: set[str], known: set[str]) -> None:
    """Raise for parameters that nobody reads: a mistyped filter must not answer with everything."""
    unknown = sorted(given - known)
    if unknown:
        raise InvalidFieldsError(fields=[(name, _("unknown parameter")) for name in unknown])
