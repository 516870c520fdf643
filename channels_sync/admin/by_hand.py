"""Shipping an order by hand, on its page: offered where no warehouse has it."""

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

from channels_sync.by_hand_form import ByHandForm
from channels_sync.services.by_hand import PERMISSION, refusal
from orderhub.console.pages import ConsolePage, add_page
from orderhub.console.panels import OrderPanel, add_panel
from orderhub.models import Order

SEE = "orderhub.view_order"
PAGE = "channels_sync_by_hand"


def by_hand_view(request: HttpRequest, order_id: int) -> HttpResponse:
    """Show the form and take it; what is refused comes back with what was typed and why."""
    if not (request.user.has_perm(SEE) and request.user.has_perm(PERMISSION)):
        raise PermissionDenied
    order = get_object_or_404(Order.objects.select_related("shop__warehouse"), pk=order_id)
    user, back = cast("User", request.user), reverse("admin:orderhub_order_change", args=[order.pk])
    form = ByHandForm(order, request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid() and form.save(user):
        messages.success(request, _("The order counts as shipped."))
        return HttpResponseRedirect(back)
    problem = "" if form.is_bound else refusal(order, user)
    if problem:
        messages.error(request, problem)
        return HttpResponseRedirect(back)
    context = {
        **admin.site.each_context(request), "title": order.external_no, "order": order, "form": form, "back": back,
        "url": reverse(f"admin:{PAGE}", args=[order.pk]),
    }  # fmt: skip
    return TemplateResponse(request, "channels_sync/by_hand_page.html", context, status=400 if form.errors else 200)


def panel(order: Order, request: HttpRequest) -> dict[str, Any]:
    """Return the way to the form, for people who may ship this order now."""
    user = cast("User", request.user)
    if not user.has_perm(PERMISSION) or refusal(order, user):
        return {}
    return {"url": reverse(f"admin:{PAGE}", args=[order.pk])}


add_page(ConsolePage(PAGE, "orders/<int:order_id>/ship/", by_hand_view, permission=PERMISSION))
add_panel(
    OrderPanel("by_hand", gettext_lazy("Ship by hand"), "channels_sync/by_hand_panel.html", panel, "right", 70)
)  # fmt: skip
