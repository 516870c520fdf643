"""What campaigns promise about shipping; saving a rule moves the deadlines of open orders."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orderhub.console.actions import actor_of
from orderhub.console.change_list import by_time
from orderhub.console.credentials import PlatformField, platforms
from orderhub.console.filters import ShopFilter
from orderhub.console.fresh import FreshForm
from orderhub.console.model_admin import ConsoleModelAdmin
from orderhub.core.words import DeadlineSource
from orderhub.models import Order, ShipRule
from orderhub.services.deadlines import follow_rules, rule_at, rules_for


@admin.register(ShipRule)
class ShipRuleAdmin(ConsoleModelAdmin):
    """Hours to ship for orders paid during a campaign."""

    views = by_time(is_active=True)
    list_display = ("name", "meant", "ship_hours", "starts_at", "ends_at", "is_active", "set_by")
    list_filter = (ShopFilter, "is_active")
    list_select_related = ("shop",)
    search_fields = ("name",)
    text_columns = ("name",)
    number_columns = ("ship_hours",)
    form = FreshForm
    fields = ("name", ("shop", "platform"), "ship_hours", "starts_at", "ends_at", "is_active")
    empty_text = gettext_lazy("Without a rule the channel's own time counts, else the hours of the shop.")

    @admin.display(description=gettext_lazy("applies to"))
    def meant(self, rule: ShipRule) -> str:
        """The shop or platform that is meant."""
        if rule.shop:
            return rule.shop.name
        if rule.platform in platforms:
            return str(platforms.get(rule.platform).label)
        return rule.platform or _("All shops")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Let people choose among the platforms."""
        if db_field.name == "platform":
            return PlatformField(label=db_field.verbose_name, help_text=db_field.help_text)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ShipRule, form: Any, change: bool) -> None:
        """Keep who answers for the rule; orders of its former time follow, too."""
        before = list(ShipRule.objects.filter(pk=obj.pk)) if change else []
        obj.set_by = actor_of(request)
        super().save_model(request, obj, form, change)
        transaction.on_commit(partial(_follow, request, [*before, obj]))

    def delete_model(self, request: HttpRequest, obj: ShipRule) -> None:
        """Give the rule's orders what holds without it."""
        super().delete_model(request, obj)
        transaction.on_commit(partial(_follow, request, [obj]))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ShipRule]) -> None:
        """The same, for several rules."""
        gone = list(queryset)
        super().delete_queryset(request, queryset)
        transaction.on_commit(partial(_follow, request, gone))


def deadline_words(order: Order) -> str:
    """Return where an order's ship deadline came from, a campaign by its name; one query for that, else none."""
    if order.ship_by_source == DeadlineSource.CAMPAIGN and order.paid_at:
        rule = rule_at(rules_for(order.shop), order.paid_at)
        if rule:
            return _("campaign: %(name)s") % {"name": rule.name}
    return str(order.get_ship_by_source_display())


def _follow(request: HttpRequest, changed: Sequence[ShipRule]) -> None:
    count = follow_rules(changed)
    text = ngettext(
        "%(count)d open order has another ship deadline now.", "%(count)d open orders have another ship deadline now.",
        count,
    ) % {"count": count}  # fmt: skip
    messages.success(request, text)
