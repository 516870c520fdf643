"""Actions over selected rows: confirmed, or asked for a reason, where that is due, and answered row by row."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from orderhub.core.errors import HubError

SAMPLE = 10
"""Rows shown before an action is confirmed."""
MIN_REASON = 2
CONFIRMED = "confirmed"
"""In what is posted once a person has confirmed an action."""


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """What an action did to one row."""

    key: Any
    name: str
    is_ok: bool
    message: str


def actor_of(request: HttpRequest) -> str:
    """Return the name under which a person's writes are recorded."""
    return request.user.get_username()


def each_row(rows: Iterable[Model], do: Callable[[Any], str]) -> list[RowOutcome]:
    """Run `do` on each row and collect what it says; an expected failure of one row does not stop the others."""
    outcomes = []
    for row in rows:
        try:
            outcomes.append(RowOutcome(row.pk, str(row), True, do(row)))
        except PermissionDenied:
            outcomes.append(RowOutcome(row.pk, str(row), False, _("You may not do this.")))
        except HubError as error:
            outcomes.append(RowOutcome(row.pk, str(row), False, str(error)))
    return outcomes


def report(
    model_admin: "ModelAdmin[Any]", request: HttpRequest, title: str | Promise, outcomes: Sequence[RowOutcome]
) -> HttpResponse | None:
    """Tell what became of each row: one sentence when all went well, else a page that names every failed row."""
    failed = [outcome for outcome in outcomes if not outcome.is_ok]
    done = len(outcomes) - len(failed)
    if not failed:
        text = ngettext("%(title)s: %(count)d row done.", "%(title)s: %(count)d rows done.", done)
        messages.success(request, text % {"title": title, "count": done})
        return None
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "outcomes": sorted(outcomes, key=lambda outcome: outcome.is_ok),
        "done": done,
        "failed": len(failed),
        "back": request.get_full_path(),
    }
    return TemplateResponse(request, "console/action_results.html", context)


def asked_reason(
    model_admin: "ModelAdmin[Any]",
    request: HttpRequest,
    rows: QuerySet[Any],
    *,
    title: str | Promise,
    explain: str | Promise,
) -> str | HttpResponse:
    """Return the reason that the person gave, or the page that asks for it with what is about to happen."""
    reason = request.POST.get("reason", "").strip()
    is_answer = CONFIRMED in request.POST
    if is_answer and len(reason) >= MIN_REASON:
        return reason[:200]
    error = _("Give a reason.") if is_answer else ""
    return _question(model_admin, request, rows, title, explain, asks_reason=True, reason=reason, error=error)


def asked_first(
    model_admin: "ModelAdmin[Any]",
    request: HttpRequest,
    rows: QuerySet[Any],
    *,
    title: str | Promise,
    explain: str | Promise,
) -> HttpResponse | None:
    """Return the page that says what is about to happen, nothing once the person has confirmed it."""
    return None if CONFIRMED in request.POST else _question(model_admin, request, rows, title, explain)


def _question(
    model_admin: "ModelAdmin[Any]",
    request: HttpRequest,
    rows: QuerySet[Any],
    title: str | Promise,
    explain: str | Promise,
    **more: Any,
) -> HttpResponse:
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "explain": explain,
        "opts": model_admin.opts,
        "count": rows.count(),
        "sample": list(rows[:SAMPLE]),
        "carried": [
            (name, value)
            for name in ("action", "select_across", "index", ACTION_CHECKBOX_NAME)
            for value in request.POST.getlist(name)
        ],
        "back": request.get_full_path(),
        **more,
    }
    return TemplateResponse(request, "console/action_question.html", context)
