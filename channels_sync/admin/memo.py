"""Remark and flag of the seller, on the order page: a form where the channel takes them, and what became of an edit."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_sync.memo_form import MemoForm
from channels_sync.services.memo import PERMISSION, last_effect, rules_of
from orderhub.console.pages import ConsolePage, add_page
from orderhub.console.panels import OrderPanel, add_panel
from orderhub.core.words import EffectState
from orderhub.models import Order

SEE = "orderhub.view_order"
PAGE = "channels_sync_memo"


def memo_view(request: HttpRequest, order_id: int) -> HttpResponse:
    """Take an edit; one that is refused comes back with what was typed and why."""
    if not (request.user.has_perm(SEE) and request.user.has_perm(PERMISSION)):
        raise PermissionDenied
    order = get_object_or_404(Order.objects.select_related("shop"), pk=order_id)
    rules = rules_of(order.shop)
    back = reverse("admin:orderhub_order_change", args=[order.pk])
    if rules is None:
        messages.error(request, _("This channel takes no remark from here."))
        return HttpResponseRedirect(back)
    form = MemoForm(order, rules, request.POST if request.method == "POST" else None)
    is_new = form.save(cast("User", request.user)) if form.is_bound and form.is_valid() else None
    if is_new is not None:
        messages.success(request, _("Saved; the channel is told next.") if is_new else _("Nothing was changed."))
        return HttpResponseRedirect(back)
    context = {
        **admin.site.each_context(request), "title": order.external_no, "order": order, "form": form, "back": back,
        "url": reverse(f"admin:{PAGE}", args=[order.pk]),
    }  # fmt: skip
    return TemplateResponse(request, "channels_sync/memo_page.html", context, status=400 if form.errors else 200)


def panel(order: Order, request: HttpRequest) -> dict[str, Any]:
    """Return the form for people who may edit, where the channel takes remarks, and how the last edit does."""
    rules = rules_of(order.shop)
    if rules is None or not request.user.has_perm(PERMISSION):
        return {}
    effect = last_effect(order)
    return {
        "form": MemoForm(order, rules),
        "url": reverse(f"admin:{PAGE}", args=[order.pk]),
        "effect": effect,
        "is_waiting": effect is not None and effect.state in {EffectState.PENDING, EffectState.SENDING},
        "is_refused": effect is not None and effect.state == EffectState.DEAD,
    }


add_page(ConsolePage(PAGE, "orders/<int:order_id>/memo/", memo_view, permission=PERMISSION))
add_panel(OrderPanel("memo", gettext_lazy("Edit remark and flag"), "channels_sync/memo_panel.html", panel, "left", 55))
