"""Actions over selected rows: confirmed, or asked for a reason, where that is due, and answered row by row."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
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

from orderhub.console.paging import COUNT_CAP, count_text
from orderhub.core.errors import HubError, words_of

log = structlog.get_logger(__name__)

SAMPLE = 10
"""Rows shown before an action is confirmed."""
MOST = 1_000
"""Rows that one answer reaches: each is worked on by itself, and the person waits for the last."""
CHOSEN = "chosen"
"""Field that carries the rows from the page that asks to the answer; as one, because a form may hold a thousand."""
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


@dataclass(frozen=True, slots=True)
class Answer:
    """The reason that a person gave, for the rows that there were when it was asked for.

    `shown` holds them by key, with the marks of what the person could see of each.
    """

    reason: str
    rows: QuerySet[Any]
    shown: Mapping[int, Sequence[str]]


def actor_of(request: HttpRequest) -> str:
    """Return the name under which a person's writes are recorded."""
    return request.user.get_username()


def at_most(request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return the first MOST of the rows that an action is to work on; the person is told how many stay."""
    left = rows.values("pk")[MOST : MOST + COUNT_CAP + 1].count()
    if left:
        text = ngettext(
            "Only %(most)s rows are taken at once: %(left)s more stays as it is. Do the same again for it.",
            "Only %(most)s rows are taken at once: %(left)s more stay as they are. Do the same again for them.",
            left,
        )
        messages.warning(request, text % {"most": f"{MOST:,}", "left": count_text(left)})
    return rows[:MOST]


def each_row(rows: Iterable[Model], do: Callable[[Any], str]) -> list[RowOutcome]:
    """Run `do` on each row and collect what it says; a failure of one row, whatever it is, does not stop the others:
    those before it have taken effect, and the person must learn which."""
    outcomes = []
    for row in rows:
        try:
            outcomes.append(RowOutcome(row.pk, str(row), True, do(row)))
        except PermissionDenied:
            outcomes.append(RowOutcome(row.pk, str(row), False, _("You may not do this.")))
        except Exception as error:  # noqa: BLE001  (one row or batch must not hold up the others)
            if not isinstance(error, HubError):
                # By its kind alone: its words may be somebody's data.
                log.error("action failed on a row", model=type(row).__name__, row=row.pk, error=type(error).__name__)
            outcomes.append(RowOutcome(row.pk, str(row), False, words_of(error)))
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


def _nothing(keys: Sequence[int]) -> Mapping[int, Sequence[str]]:
    return {}


def asked_reason(
    model_admin: "ModelAdmin[Any]",
    request: HttpRequest,
    rows: QuerySet[Any],
    *,
    title: str | Promise,
    explain: str | Promise,
    marks: Callable[[Sequence[int]], Mapping[int, Sequence[str]]] = _nothing,
) -> Answer | HttpResponse:
    """Return the reason that the person gave, or the page that asks for it with what is about to happen.

    Meant are the rows that there are when it is asked for, at most MOST: what comes to match while the reason is typed
    was seen by nobody. `marks` returns what may be seen of each row at that moment.
    """
    reason = request.POST.get("reason", "").strip()
    carried = _carried(request)
    if carried is not None and len(reason) >= MIN_REASON:
        return Answer(reason[:200], model_admin.get_queryset(request).filter(pk__in=carried), carried)
    error = _("Give a reason.") if carried is not None else ""
    more = {"asks_reason": True, "reason": reason, "error": error}
    shown = _chosen_now(rows, marks) if carried is None else carried
    return _question(model_admin, request, rows, title, explain, shown, is_cut=carried is None, **more)


def asked_first(
    model_admin: "ModelAdmin[Any]",
    request: HttpRequest,
    rows: QuerySet[Any],
    *,
    title: str | Promise,
    explain: str | Promise,
) -> QuerySet[Any] | HttpResponse:
    """Return the rows that the person saw and confirmed, or the page that says what is about to happen to them."""
    carried = _carried(request)
    if CONFIRMED in request.POST:
        return rows if carried is None else model_admin.get_queryset(request).filter(pk__in=carried)
    return _question(model_admin, request, rows, title, explain, _chosen_now(rows), is_cut=True)


def _question(
    model_admin: "ModelAdmin[Any]",
    request: HttpRequest,
    rows: QuerySet[Any],
    title: str | Promise,
    explain: str | Promise,
    shown: Mapping[int, Sequence[str]],
    *,
    is_cut: bool,
    **more: Any,
) -> HttpResponse:
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "explain": explain,
        "opts": model_admin.opts,
        "count": len(shown),
        "most": MOST if is_cut and rows[MOST:].exists() else 0,
        "sample": list(model_admin.get_queryset(request).filter(pk__in=shown)[:SAMPLE]),
        "carried": [
            *((name, value) for name in ("action", "index") for value in request.POST.getlist(name)),
            # The list takes no action without a row.
            (ACTION_CHECKBOX_NAME, next(iter(shown), "")),
            (CHOSEN, json.dumps(shown)),
        ],
        "back": request.get_full_path(),
        **more,
    }
    return TemplateResponse(request, "console/action_question.html", context)


def _chosen_now(
    rows: QuerySet[Any], marks: Callable[[Sequence[int]], Mapping[int, Sequence[str]]] = _nothing
) -> dict[int, list[str]]:
    keys = list(rows.values_list("pk", flat=True)[:MOST])
    found = marks(keys)
    return {key: list(found.get(key, ())) for key in keys}


def _carried(request: HttpRequest) -> dict[int, list[str]] | None:
    """Return the rows that were there when the reason was asked for; None while nobody was asked."""
    try:
        told = json.loads(request.POST[CHOSEN])
        return {int(key): [str(mark) for mark in marks] for key, marks in told.items()}
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
