"""Remark and flag of the seller, on the order page: a form where the channel takes them, and what became of an edit."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from channels_sync.connectors.exchange import MemoRules
from channels_sync.services.memo import PERMISSION, MemoChangedError, edit_memo, last_effect, mark_of, rules_of
from orderhub.console.pages import ConsolePage, add_page
from orderhub.console.panels import OrderPanel, add_panel
from orderhub.core.errors import FieldError, HubError
from orderhub.core.words import EffectState, Flag
from orderhub.models import Order

SEE = "orderhub.view_order"
PAGE = "channels_sync_memo"


class MemoForm(forms.Form):
    """Remark and flag within the limits of the order's platform."""

    remark = forms.CharField(
        label=gettext_lazy("Our remark"), required=False, strip=True, widget=forms.Textarea(attrs={"rows": 3})
    )
    flag = forms.ChoiceField(label=pgettext_lazy("order", "Flag"), required=False)
    seen = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, order: Order, rules: MemoRules, data: Any = None) -> None:
        present = (order.seller_remark, order.flag)
        flag = order.flag if order.flag in rules.flags else Flag.NONE
        super().__init__(data, initial={"remark": order.seller_remark, "flag": flag, "seen": mark_of(present)})
        choices = [(value, label) for value, label in Flag.choices if value == Flag.NONE or value in rules.flags]
        cast("forms.ChoiceField", self.fields["flag"]).choices = choices
        if not rules.flags:
            del self.fields["flag"]
        if rules.characters:
            self.fields["remark"].widget.attrs["maxlength"] = rules.characters
        self.fields["remark"].help_text = _limit(rules)


def _limit(rules: MemoRules) -> str:
    if rules.characters:
        return _("At most %(most)s characters.") % {"most": rules.characters}
    if rules.octets:
        return _("At most %(most)s Chinese characters.") % {"most": rules.octets // 3}
    return ""


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
    if form.is_bound and form.is_valid() and _save(request, order, form):
        return HttpResponseRedirect(back)
    context = {
        **admin.site.each_context(request), "title": order.external_no, "order": order, "form": form, "back": back,
        "url": reverse(f"admin:{PAGE}", args=[order.pk]),
    }  # fmt: skip
    return TemplateResponse(request, "channels_sync/memo_page.html", context, status=400 if form.errors else 200)


def _save(request: HttpRequest, order: Order, form: MemoForm) -> bool:
    data = form.cleaned_data
    try:
        is_new = edit_memo(
            order_id=order.pk, remark=data["remark"], flag=data.get("flag") or Flag.NONE, seen=data["seen"],
            user=cast("User", request.user),
        )  # fmt: skip
    except FieldError as error:
        form.add_error(error.path if error.path in form.fields else None, error.reason)
    except MemoChangedError as error:
        remark, flag = error.now
        shown = _("It says now: “%(remark)s”, flag: %(flag)s.") % {"remark": remark or "—", "flag": Flag(flag).label}
        form.add_error(None, f"{error} {shown}")
        # Saving once more means: this is what it shall say, whatever it says now.
        form.data = {**{name: form.data.get(name) for name in form.data}, "seen": mark_of(error.now)}
    except HubError as error:
        form.add_error(None, str(error))
    else:
        messages.success(request, _("Saved; the channel is told next.") if is_new else _("Nothing was changed."))
        return True
    return False


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
