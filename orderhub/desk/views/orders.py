"""Search and order card."""

from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from orderhub.core.errors import HubError
from orderhub.desk.panels import findings_of
from orderhub.desk.sentences import awaits_shipping, status_sentence
from orderhub.desk.views.memo import memo_of
from orderhub.desk.words import EMPTY, FOUND_BY
from orderhub.models import Order
from orderhub.selectors.gate import waiting_order
from orderhub.selectors.orders import OrderPage, buyer_order_count, newest_news, newest_news_of, order_page, rows_by_id
from orderhub.selectors.search import Found, Kind, find, number_forms
from orderhub.services.limits import SEARCHES
from orderhub.services.reveal import PERMISSION, asked_parts, opening_quota, reveal

LIMIT = 20

_may_look = permission_required("orderhub.view_order", raise_exception=True)


@login_required
@_may_look
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Show the empty desk: one search box."""
    return render(request, "desk/home.html")


@login_required
@_may_look
@require_POST
@never_cache
def search(request: HttpRequest) -> HttpResponse:
    """Answer a search while it is typed; exactly one hit opens by itself."""
    text = request.POST.get("q", "")
    if text.strip() and not SEARCHES.count(str(request.user.pk)):
        return _results(request, {"problem": _("Too many searches in a minute. Wait a moment.")})
    found = find(text, limit=LIMIT)
    rows = rows_by_id(found.order_ids)
    context = {"found": found, "rows": rows, "asked": bool(text.strip()), **_said(found)}
    if context["asked"] and not rows:
        context["waiting"] = waiting_order(number_forms(text))
    page = order_page(rows[0]["id"]) if len(rows) == 1 else None
    if page is not None:
        context |= _card(request, page) | {"opens": True}
    response = _results(request, context)
    if context["asked"]:
        # Another search takes the former customer's order away, lest it be read to this one.
        response["HX-Replace-Url"] = reverse("desk:order", args=[page.order.pk]) if page else reverse("desk:home")
    return response


@login_required
@_may_look
@require_GET
@never_cache
def order(request: HttpRequest, order_id: int) -> HttpResponse:
    """Show one order's card; alone for htmx, on the whole desk otherwise."""
    page = order_page(order_id) if order_id < 2**63 else None
    if page is None:
        raise Http404
    template = "desk/card.html" if request.headers.get("HX-Request") == "true" else "desk/home.html"
    return render(request, template, _card(request, page))


@login_required
@_may_look
@require_GET
@never_cache
def news(request: HttpRequest, order_id: int) -> HttpResponse:
    """Answer an open card that asks whether its order is still as it shows it: nothing, or the sentence of now with the
    word that there is more. The card itself stays as the agent has it: a remark may be half written in it."""
    newest = newest_news_of(order_id, request.user.get_username())
    if str(newest) == request.GET.get("say"):
        return HttpResponse(status=204)
    page = order_page(order_id)
    if page is None:
        raise Http404
    of_card = request.GET.get("card", "")[:19]
    context = _say(request, page) | {"of_card": int(of_card) if of_card.isdecimal() else 0}
    return render(request, "desk/say.html", context)


@login_required
@_may_look
@require_POST
@never_cache
def reveal_receiver(request: HttpRequest, order_id: int) -> HttpResponse:
    """Show one receiver in clear for a minute, after permission, reason and log; the page masks it again by itself."""
    assert isinstance(request.user, User)
    page = partial(_receiver, request, order_id)
    if not Order.objects.filter(pk=order_id).exists():
        raise Http404
    try:
        clear = reveal(
            order_id=order_id, user=request.user, reason=request.POST.get("reason", ""), place="desk",
            parts=asked_parts(request.POST.get("parts", "")),
        )  # fmt: skip
    except PermissionDenied:
        return page(problem=_("Your role may not see personal data. Ask a supervisor."))
    except HubError as error:
        return page(problem=str(error), asks=True)
    return page(clear=clear)


@dataclass(slots=True, frozen=True)
class _Extra:
    """What a receiver's box shows beside the masked values."""

    clear: dict[str, Any] | None = None
    problem: str = ""
    asks: bool = False


def _receiver(request: HttpRequest, order_id: int, **extra: Any) -> HttpResponse:
    page = order_page(order_id)
    if page is None:
        raise Http404
    shown = _Extra(**extra)
    context = {
        "order": page.order, "receiver": page.receiver, "clear": shown.clear, "problem": shown.problem,
        "asks": shown.asks, "may_reveal": request.user.has_perm(PERMISSION),
        "opening": opening_quota(page.receiver, cast("User", request.user)),
    }  # fmt: skip
    return render(request, "desk/receiver.html", context)


def _results(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    return render(request, "desk/results.html", context, status=429 if context.get("problem") else 200)


def _said(found: Found) -> dict[str, Any]:
    return {"found_by": FOUND_BY.get(found.kind, ""), "empty": EMPTY.get(found.kind, EMPTY[Kind.NOTHING])}


def _card(request: HttpRequest, page: OrderPage) -> dict[str, Any]:
    """Return what the card's template shows."""
    return {
        **_say(request, page),
        "receiver": page.receiver,
        "buyer_orders": buyer_order_count(page.order),
        "findings": findings_of(page.order.pk),
        "may_reveal": request.user.has_perm(PERMISSION),
        "opening": opening_quota(page.receiver, cast("User", request.user)),
        **memo_of(page.order, cast("User", request.user)),
    }


def _say(request: HttpRequest, page: OrderPage) -> dict[str, Any]:
    """Return what the sentence to be read aloud needs, with the entry of the timeline up to which it tells."""
    newest = newest_news(page.timeline, request.user.get_username())
    return {
        "page": page,
        "order": page.order,
        "sentence": status_sentence(page),
        "awaits_shipping": awaits_shipping(page.order.status),
        "newest": newest,
        "of_card": newest,
    }
