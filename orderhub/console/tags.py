"""Template tags of the console."""

from datetime import datetime
from typing import Any

from django import template
from django.contrib.admin.templatetags.admin_list import result_headers
from django.utils.safestring import SafeString

from orderhub.console import columns
from orderhub.console.change_list import ConsoleChangeList
from orderhub.console.origins import actor_word
from orderhub.console.tables import CHECKBOX, column_class, rows
from orderhub.core.words import Status
from orderhub.selectors.gate import GateView

register = template.Library()


@register.inclusion_tag("console/results.html", takes_context=True)
def console_results(context: dict[str, Any], cl: ConsoleChangeList) -> dict[str, Any]:
    """Show the rows of a list."""
    names = list(cl.list_display)
    headers = [
        {**header, "css": column_class(cl, str(name))}
        for name, header in zip(names, result_headers(cl), strict=True)
        if name != CHECKBOX
    ]
    return {
        "cl": cl,
        "headers": headers,
        "rows": list(rows(cl, with_links=not cl.is_popup)),
        "has_checkboxes": CHECKBOX in names,
        "has_add_permission": context.get("has_add_permission"),
        "opts": cl.opts,
    }


@register.simple_tag
def spec_choices(cl: ConsoleChangeList, spec: Any) -> list[dict[str, Any]]:
    """Return the choices of a filter with the addresses they lead to."""
    return list(spec.choices(cl))


@register.filter
def status_pill(status: str) -> SafeString:
    """Show a status."""
    return columns.status_pill(status)


@register.filter
def status_word(status: str) -> str:
    """Return a status as its word."""
    return str(Status(status).label) if status in Status.values else status


@register.filter
def who(actor: str) -> str:
    """Return who did something, as people know it."""
    return actor_word(actor)


@register.filter
def money(fen: int | None) -> SafeString:
    """Show an amount of fen."""
    return columns.money(fen)


@register.filter
def when(moment: datetime | None) -> SafeString:
    """Show a moment, relative, exact on hover."""
    return columns.when(moment)


@register.filter
def exact(moment: datetime | None) -> str:
    """Return a moment to the second."""
    return columns.exact(moment) if moment else ""


@register.filter
def clock(moment: datetime | None) -> str:
    """Return a moment of today to the second."""
    return columns.exact(moment)[11:] if moment else ""


@register.filter
def countdown(until: datetime | None) -> SafeString:
    """Show the clock to a moment."""
    return columns.countdown(until)


@register.simple_tag
def order_marks(lane: str, is_urgent: bool) -> SafeString:
    """Show lane and urgent overlay."""
    return columns.marks(lane, is_urgent)


@register.simple_tag
def gate_pill(view: GateView) -> SafeString:
    """Show a gate with its pace."""
    return columns.gate_pill(view)


@register.filter
def lane_mark(lane: str) -> SafeString:
    """Show a lane."""
    return columns.lane_mark(lane)


@register.filter
def percent(share: float | None) -> str:
    """Return 0.214 as `21.4%`, a dash for no figure."""
    return "—" if share is None else f"{share * 100:.1f}%"
