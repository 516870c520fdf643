"""Filters of lists: by choice, by time range, and those that features add to the order list from their `admin.py`."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import FieldListFilter, ModelAdmin, SimpleListFilter
from django.contrib.admin.views.main import ChangeList
from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orderhub.console.change_list import SavedView
from orderhub.models import Shop

order_views: list[SavedView] = []
"""Append a tab to the order list; `overview.add_queue` under the same key gives it its number."""

order_filters: list[type[SimpleListFilter]] = []
"""Append a filter class; it is shown on the order list after the pool's own. It must narrow by an indexed column or a
sub-select, never by a join that repeats orders."""


class ShopFilter(SimpleListFilter):
    """By shop, from the small table of shops."""

    title = _("shop")
    parameter_name = "shop"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> list[tuple[str, str]]:
        """Offer every shop."""
        return [(str(pk), name) for pk, name in Shop.objects.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows of one shop."""
        value = self.value()
        return queryset.filter(shop_id=int(value)) if value and value.isdecimal() and len(value) < 19 else queryset


class ManyFilter(FieldListFilter):
    """By a field with choices, any number of which may be ticked; one that is not a choice matches nothing."""

    template_name = "console/many_filter.html"

    def __init__(
        self,
        field: "Field[Any, Any]",
        request: HttpRequest,
        params: dict[str, list[str]],
        model: type[Model],
        model_admin: "ModelAdmin[Any]",
        field_path: str,
    ) -> None:
        self.field_name = field_path
        self.names = (f"{field_path}__in", f"{field_path}__exact")
        given = ",".join(text for name in self.names for text in request.GET.getlist(name))
        self.chosen = [word for word in dict.fromkeys(given.split(",")) if word]
        super().__init__(field, request, params, model, model_admin, field_path)
        self.kept = _kept(request, self.names)
        self.words = [(str(key), str(label)) for key, label in field.flatchoices if key]

    def expected_parameters(self) -> list[str | None]:
        """Name the parameters of the address."""
        return [*self.names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows with one of the chosen words."""
        return queryset.filter(**{f"{self.field_name}__in": self.chosen}) if self.chosen else queryset

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """Offer every word, each to be ticked by itself."""
        for key, label in self.words:
            yield {"selected": key in self.chosen, "value": key, "display": label}

    @property
    def all_link(self) -> str:
        """The address without this filter."""
        return "?" + urlencode(self.kept)

    @property
    def chosen_text(self) -> str | Promise:
        """What the closed filter says."""
        chosen = [label for key, label in self.words if key in self.chosen]
        if not self.chosen:
            return _("All")
        if len(chosen) > 1:
            return f"{chosen[0]} +{len(chosen) - 1}"
        return "".join(chosen) or gettext(", ").join(self.chosen)


PRESETS: tuple[tuple[str, str | Promise], ...] = (
    ("1h", _("Last hour")),
    ("today", _("Today")),
    ("24h", _("Last 24 hours")),
    ("7d", _("Last 7 days")),
    ("30d", _("Last 30 days")),
)


class TimeFilter(FieldListFilter):
    """By time: a named span that moves with the clock, or from–to in local time."""

    template_name = "console/time_filter.html"

    def __init__(
        self,
        field: "Field[Any, Any]",
        request: HttpRequest,
        params: dict[str, list[str]],
        model: type[Model],
        model_admin: "ModelAdmin[Any]",
        field_path: str,
    ) -> None:
        self.span_name, self.from_name, self.to_name = (f"{field_path}__{part}" for part in ("span", "from", "to"))
        self.names = (self.span_name, self.from_name, self.to_name)
        self.field_name = field_path
        super().__init__(field, request, params, model, model_admin, field_path)
        self.from_value, self.to_value = self._value(self.from_name), self._value(self.to_name)
        self.kept = _kept(request, self.names)

    def expected_parameters(self) -> list[str | None]:
        """Name the parameters of the address."""
        return [*self.names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows within the span."""
        start, end = self.bounds(timezone.now())
        if start:
            queryset = queryset.filter(**{f"{self.field_name}__gte": start})
        return queryset.filter(**{f"{self.field_name}__lt": end}) if end else queryset

    def bounds(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """Return from (included) and to (left out); None where open or unreadable."""
        match self._value(self.span_name):
            case "1h":
                return now - timedelta(hours=1), None
            case "24h":
                return now - timedelta(hours=24), None
            case "today":
                return timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0), None
            case "7d":
                return now - timedelta(days=7), None
            case "30d":
                return now - timedelta(days=30), None
        return _local(self.from_value), _local(self.to_value)

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """Offer any time and the named spans."""
        chosen = self._value(self.span_name)
        is_open = not (chosen or self.from_value or self.to_value)
        everything = changelist.get_query_string(remove=self.names)
        yield {"selected": is_open, "query_string": everything, "display": _("Any time")}
        for key, title in PRESETS:
            link = changelist.get_query_string({self.span_name: key}, [self.from_name, self.to_name])
            yield {"selected": chosen == key, "query_string": link, "display": title}

    @property
    def chosen_text(self) -> str | Promise:
        """What the closed filter says."""
        span = dict(PRESETS).get(self._value(self.span_name))
        if span:
            return span
        if self.from_value or self.to_value:
            return f"{self.from_value.replace('T', ' ')} – {self.to_value.replace('T', ' ')}"
        return _("Any time")

    def _value(self, name: str) -> str:
        values: Any = self.used_parameters.get(name, "")
        return str(values if isinstance(values, str) else (values[-1] if values else ""))


def _kept(request: HttpRequest, own: Sequence[str]) -> list[tuple[str, str]]:
    """Return what of the address a filter's form carries on: all but its own parameters and the page."""
    left_out = {*own, "after", "before", "p"}
    return [(name, value) for name, values in request.GET.lists() if name not in left_out for value in values]


def _local(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment
