"""Our remark and flag on the order card."""

from typing import Any, cast

from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from channels_sync.memo_form import MemoForm
from channels_sync.services.memo import PERMISSION, last_effect, rules_of
from orderhub.core.words import EffectState
from orderhub.models import Order


@login_required
@permission_required(("orderhub.view_order", PERMISSION), raise_exception=True)
@require_POST
@never_cache
def save_memo(request: HttpRequest, order_id: int) -> HttpResponse:
    """Take an edit and answer with the box as it stands then; a refused one keeps what was typed."""
    order = get_object_or_404(Order.objects.select_related("shop"), pk=order_id)
    rules = rules_of(order.shop)
    if rules is None:
        raise Http404
    form = MemoForm(order, rules, request.POST)
    user = cast("User", request.user)
    is_new = form.save(user) if form.is_valid() else None
    if is_new is not None:
        order.refresh_from_db()
        return render(request, "desk/memo.html", {"order": order, **memo_of(order, user), "is_new": is_new})
    context = {"order": order, **memo_of(order, user), "memo_form": form, "asks": True}
    return render(request, "desk/memo.html", context)


def memo_of(order: Order, user: User) -> dict[str, Any]:
    """Return what the box shows: the form for people who may edit, and whether the channel has the last edit."""
    rules = rules_of(order.shop)
    if rules is None or not user.has_perm(PERMISSION):
        return {"memo_form": None}
    effect = last_effect(order)
    return {
        "memo_form": MemoForm(order, rules),
        "memo_waits": effect is not None and effect.state in {EffectState.PENDING, EffectState.SENDING},
        "memo_problem": effect.last_error if effect is not None and effect.state == EffectState.DEAD else "",
    }
