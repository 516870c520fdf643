"""The page of the intake gate, and its card on the dashboard while it is not calm."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from orderhub.console import columns
from orderhub.console.actions import actor_of
from orderhub.console.dashboard import DashboardCard, add_card
from orderhub.console.pages import ConsolePage, add_page
from orderhub.core.errors import FieldError
from orderhub.core.words import GateState
from orderhub.models import Shop
from orderhub.selectors.gate import MAX_RATE, GateOverview, GateView, gate_overview, recent_changes
from orderhub.services.gate import set_gate

SEE = "orderhub.view_gate"
SET = "orderhub.set_gate"
TITLE = gettext_lazy("Intake gate")


class GateForm(forms.Form):
    """What a person may set of a gate: how far open, why."""

    state = forms.ChoiceField(label=pgettext_lazy("gate", "Gate"), choices=GateState.choices, widget=forms.RadioSelect)
    rate_per_minute = forms.IntegerField(
        label=gettext_lazy("Orders a minute"), required=False, min_value=1, max_value=MAX_RATE,
        help_text=gettext_lazy("A throttled gate needs it; for an open one it is the pace of the backlog."),
    )  # fmt: skip
    reason = forms.CharField(label=gettext_lazy("Reason"), min_length=2, max_length=200)

    @classmethod
    def of(cls, gate: GateView) -> "GateForm":
        """Return the form as the gate stands."""
        return cls(initial={"state": gate.state, "rate_per_minute": gate.rate_per_minute})

    def apply(self, shop_id: int | None, actor: str) -> bool:
        """Set the gate of a shop, or of all with None; false when a field is not right, which the form then tells."""
        if not self.is_valid():
            return False
        data = self.cleaned_data
        rate = None if data["state"] == GateState.PAUSED else data["rate_per_minute"]
        try:
            set_gate(shop_id=shop_id, state=data["state"], rate_per_minute=rate, reason=data["reason"], actor=actor)
        except FieldError as error:
            self.add_error(error.path if error.path in self.fields else None, error.reason)
            return False
        return True


class AnyGateForm(GateForm):
    """The same, of the gate of whatever shop the person says, or of all."""

    field_order = ("shop",)
    shop = forms.ModelChoiceField(
        label=gettext_lazy("Shop"), queryset=Shop.objects.all(), required=False, empty_label=gettext_lazy("All shops")
    )

    @property
    def shop_id(self) -> int | None:
        """The shop that was said; None for all, and for one that is none."""
        shop = self.cleaned_data.get("shop") if self.is_valid() else None
        return shop.pk if shop else None


def gate_view(request: HttpRequest) -> HttpResponse:
    """Show the gate and what waits before it; set it for those who may. The numbers read themselves again."""
    if not request.user.has_perm(SEE):
        raise PermissionDenied
    form = AnyGateForm()
    if request.method == "POST":
        if not request.user.has_perm(SET):
            raise PermissionDenied
        form = AnyGateForm(request.POST)
        if form.apply(form.shop_id, actor_of(request)):
            messages.success(request, said(form.cleaned_data["state"]))
            return redirect("admin:orderhub_gate")
    context = {
        **admin.site.each_context(request),
        "title": TITLE,
        "is_fullwidth": "1",
        "form": form,
        "may_set": request.user.has_perm(SET),
        "changes": recent_changes(),
        "now": timezone.now(),
        **told(gate_overview()),
    }
    return TemplateResponse(request, "console/gate.html", context, status=400 if form.errors else 200)


def said(state: str) -> str:
    """Return what happens now that the gate was set."""
    if state == GateState.PAUSED:
        return _("The gate is paused. Receiving goes on; nothing enters the pool until it is opened.")
    if state == GateState.TRICKLE:
        return _("The gate is throttled; orders enter at the given pace, the closest ship deadline first.")
    return _("The gate is open; orders that waited enter now, the closest ship deadline first.")


def told(overview: GateOverview) -> dict[str, Any]:
    """Return what page and card show of the gate."""
    shut = [(shop, shop.own) for shop in overview.shops if not shop.own.is_open]
    return {"gate": overview, "tone": columns.GATE_TONES[overview.strictest.state], "shut": shut}


def gate_card(request: HttpRequest) -> dict[str, Any]:
    """Return what the card shows; nothing while every gate is open and no order waits."""
    if not request.user.has_perm("orderhub.view_order"):
        return {}
    overview = gate_overview()
    if overview.is_calm:
        return {}
    return {**told(overview), "may_see": request.user.has_perm(SEE)}


add_page(ConsolePage("orderhub_gate", "gate/", gate_view, "channels", TITLE, "traffic", permission=SEE, rank=20))
add_card(DashboardCard("gate", TITLE, "console/cards/gate.html", gate_card, width="full", rank=5, has_frame=False))
