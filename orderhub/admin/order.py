"""Orders: the list, read-only, and the page of one order. Everything people change goes through services."""

from collections.abc import Sequence
from typing import Any, cast

import structlog
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from orderhub.admin import order_panels  # noqa: F401  (registers the pool's panels)
from orderhub.admin.order_search import answer_search, found_ids, found_label
from orderhub.admin.ship_rule import deadline_words
from orderhub.console import columns
from orderhub.console.actions import actor_of, asked_reason, each_row, report
from orderhub.console.change_list import SavedView, chosen_view
from orderhub.console.filters import ManyFilter, ShopFilter, TimeFilter, order_filters, order_views
from orderhub.console.model_admin import ReadOnlyModelAdmin
from orderhub.console.paging import Keyset
from orderhub.console.panels import panels_for
from orderhub.core import hooks
from orderhub.core.errors import HubError, words_of
from orderhub.core.words import Lane, Status
from orderhub.models import Order
from orderhub.selectors import overview
from orderhub.selectors.orders import order_page
from orderhub.services.reveal import PERMISSION as REVEAL
from orderhub.services.reveal import ErasedError, asked_parts, reveal

log = structlog.get_logger(__name__)

RELEASE = "orderhub.release_order"
RELEASE_ABNORMAL = "orderhub.release_abnormal"
OPEN = (Status.PAID, Status.IN_TRIAGE_HOLD, Status.READY, Status.SHORT, Status.WMS_FAILED)
GOES_ON = (Status.READY, Status.WMS_QUEUED, Status.WMS_ACCEPTED)
NOT_JUDGED = (Status.PAID, Status.PRESALE_DEPOSIT)
"""Where a gate keeps an order: a hold of its channel, a refund that was asked, a deposit."""
LIST_FIELDS = (
    "external_no", "status", "lane", "is_urgent", "has_drift", "created_at", "ship_by", "total_fen", "item_count",
    "shop__name", "receiver__name_masked", "receiver__city", "receiver__district",
)  # fmt: skip


def _held(lane: str) -> Q:
    return Q(status=Status.IN_TRIAGE_HOLD, lane=lane)


order_views[:0] = [
    SavedView("all", gettext_lazy("All"), empty=gettext_lazy("Orders appear here as soon as a channel delivers them.")),
    SavedView(
        "regular", Lane.REGULAR.label, lambda rows: rows.filter(lane=Lane.REGULAR, status__in=OPEN), True,
        gettext_lazy("Every regular order has gone to the warehouse."),
    ),
    SavedView(
        "confirm", gettext_lazy("To confirm"), lambda rows: rows.filter(_held(Lane.TO_CONFIRM)), True,
        gettext_lazy("Nobody has to confirm anything."),
    ),
    SavedView(
        "abnormal", gettext_lazy("Abnormal"), lambda rows: rows.filter(_held(Lane.ABNORMAL)), True,
        gettext_lazy("No order is frozen."),
    ),
    SavedView(
        "urgent", gettext_lazy("Urgent"), lambda rows: rows.filter(is_urgent=True, status__in=OPEN), True,
        gettext_lazy("No urgent order is open."),
    ),
    SavedView(
        "short", gettext_lazy("Short of stock"), lambda rows: rows.filter(status=Status.SHORT), True,
        gettext_lazy("No order lacks stock."),
    ),
    SavedView(
        "drift", gettext_lazy("Claims disagree"), lambda rows: rows.filter(has_drift=True), True,
        gettext_lazy("Channel, warehouse and carrier agree on every order."),
    ),
]  # fmt: skip
"""The pool's own tabs come first."""


@admin.register(Order)
class OrderAdmin(ReadOnlyModelAdmin):
    """The order list and the order page."""

    change_list_template = "console/order_list.html"
    keyset = Keyset(("created_at", "id"))
    views = order_views
    list_display = (
        "mark",
        "order_no",
        "shop",
        "amount",
        "item_count",
        "receiver_masked",
        "state",
        "ship_clock",
        "placed",
    )
    list_display_links = ("order_no",)
    number_columns = ("amount", "item_count")
    text_columns = ("feature_findings",)
    list_filter = (("status", ManyFilter), "lane", "is_urgent", ShopFilter, ("created_at", TimeFilter))
    actions = ("release", "judge_again")

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        """Add the filters of features."""
        return [*self.list_filter, *order_filters]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Put the columns of features before the status."""
        added = [_feature_column(key) for key in columns.order_columns]
        return [*self.list_display[:6], *added, *self.list_display[6:]]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        """Read only what the list shows."""
        rows = super().get_queryset(request).select_related("shop", "receiver").only(*LIST_FIELDS)
        return cast("QuerySet[Order]", rows)

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Apply the remembered search, else the saved view."""
        ids = found_ids(request)
        return rows.filter(pk__in=ids) if ids is not None else super().narrow(request, rows)

    def load_page(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Load the columns of features, one query each."""
        ids = [row.pk for row in rows]
        for key, column in columns.order_columns.items():
            values = column.load(ids) if ids else {}
            for row in rows:
                row.__dict__[f"feature_{key}"] = values.get(row.pk)

    def view_counts(self, request: HttpRequest) -> dict[str, int]:
        """Count the queues in one statement."""
        keys = tuple(view.key for view in self.views)
        return {key: queue.waiting for key, queue in overview.queues(keys).items.items()}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Tell the list which search it shows."""
        extra = {"found_label": found_label(request), **(extra_context or {})}
        return super().changelist_view(request, extra)

    @admin.display(description=gettext_lazy("lane"))
    def mark(self, order: Order) -> SafeString:
        """Lane, urgent overlay and drift."""
        return columns.marks(order.lane, order.is_urgent)

    @admin.display(description=gettext_lazy("order number"))
    def order_no(self, order: Order) -> SafeString:
        """The channel's order number."""
        return format_html('<span class="num">{}</span>', order.external_no)

    @admin.display(description=gettext_lazy("amount"))
    def amount(self, order: Order) -> SafeString:
        """The order's total."""
        return columns.money(order.total_fen)

    @admin.display(description=gettext_lazy("receiver"))
    def receiver_masked(self, order: Order) -> str:
        """Masked name, city and district."""
        receiver = order.receiver
        return f"{receiver.name_masked} {receiver.city}{receiver.district}".strip()

    @admin.display(description=gettext_lazy("status"))
    def state(self, order: Order) -> SafeString:
        """The one status, with the mark of departments that disagree."""
        return format_html("{} {}", columns.status_pill(order.status), columns.drift_mark(order.has_drift))

    @admin.display(description=gettext_lazy("to ship"))
    def ship_clock(self, order: Order) -> SafeString:
        """The clock to the ship deadline, for orders that have not left."""
        return columns.countdown(order.ship_by) if order.status in OPEN else columns.NOTHING

    @admin.display(description=gettext_lazy("placed"))
    def placed(self, order: Order) -> SafeString:
        """When the customer ordered."""
        return columns.when(order.created_at)

    def get_urls(self) -> list[URLPattern]:
        """Add search, reveal and release."""
        wrap = self.admin_site.admin_view
        own = [
            path("search/", wrap(require_POST(self.search_view)), name="orderhub_order_search"),
            path("<int:order_id>/reveal/", wrap(require_POST(self.reveal_view)), name="orderhub_order_reveal"),
            path("<int:order_id>/release/", wrap(require_POST(self.release_view)), name="orderhub_order_release"),
        ]
        return [*own, *super().get_urls()]

    @property
    def list_url(self) -> str:
        """The address of the list."""
        return reverse("admin:orderhub_order_changelist")

    def search_view(self, request: HttpRequest) -> HttpResponse:
        """Look an order up by any key; what was typed never stands in an address."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return answer_search(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one order."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        page = order_page(int(object_id)) if object_id.isdecimal() and len(object_id) < 19 else None
        if page is None:
            return cast("HttpResponse", self._get_obj_does_not_exist_redirect(request, self.opts, object_id))
        request.hub_order_page = page  # type: ignore[attr-defined]
        # Read before the reasons that are shown: what comes in between is shown and not accepted, never the reverse.
        release = _release_rights(request, page.order)
        view = chosen_view(self.views, request)
        context = {
            **self.admin_site.each_context(request),
            "title": page.order.external_no,
            "opts": self.opts,
            "original": page.order,
            "is_fullwidth": "1",
            "order": page.order,
            "panels": panels_for(page.order, request),
            "view": view,
            "list_url": self.list_url,
            "is_open": page.order.status in OPEN,
            "deadline_words": deadline_words(page.order),
            "neighbours": self._neighbours(request, page.order),
            **release,
        }
        return TemplateResponse(request, "console/order.html", context)

    def _neighbours(self, request: HttpRequest, order: Order) -> dict[str, str]:
        view, keyset = chosen_view(self.views, request), self.get_keyset(request)
        assert view is not None
        assert keyset is not None
        rows = view.narrow(Order.objects.all())
        links = {}
        for name, backwards in (("previous", True), ("next", False)):
            beyond = keyset.beyond((order.created_at, order.pk), backwards=backwards)
            pk = (
                rows.filter(beyond).order_by(*keyset.ordering(backwards=backwards)).values_list("pk", flat=True).first()
            )
            if pk:
                links[name] = f"{reverse('admin:orderhub_order_change', args=[pk])}?view={view.key}"
        return links

    def reveal_view(self, request: HttpRequest, order_id: int) -> HttpResponse:
        """Show the receiver in clear for a reason; the answer is a piece of the page that is never stored."""
        return _reveal(request, order_id)

    def release_view(self, request: HttpRequest, order_id: int) -> HttpResponse:
        """Release one held order for a reason; of another one only its reasons are accepted."""
        if not request.user.has_perm(RELEASE):
            raise PermissionDenied
        order = get_object_or_404(Order.objects.only("pk", "status"), pk=order_id)
        reason = request.POST.get("reason", "").strip()
        try:
            if not reason:
                raise HubError(_("Give a reason."))
            may_release_abnormal = request.user.has_perm(RELEASE_ABNORMAL)
            seen = request.POST.getlist("seen")
            told = _release(
                order, actor_of(request), reason[:200], may_release_abnormal=may_release_abnormal, seen=seen
            )
            messages.success(request, told)
        except HubError as error:
            messages.error(request, str(error))
        back = reverse("admin:orderhub_order_change", args=[order_id])
        return HttpResponseRedirect(f"{back}?view={request.POST.get('view', 'all')}")

    def has_release_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may release held orders."""
        return request.user.has_perm(RELEASE)

    @admin.action(description=gettext_lazy("Release…"), permissions=["release"])
    def release(self, request: HttpRequest, rows: QuerySet[Order]) -> HttpResponse | None:
        """Release the selected held orders, each for itself."""
        actor, may_release_abnormal = actor_of(request), request.user.has_perm(RELEASE_ABNORMAL)
        if may_release_abnormal:
            explain = _(
                "The findings count as accepted; the orders go on to the warehouse, "
                "short ones once their pieces are there."
            )
        else:
            explain = _("To-confirm orders go on to the warehouse, with findings accepted. Frozen orders stay.")
        answer = asked_reason(self, request, rows, title=_("Release"), explain=explain, marks=hooks.open_reasons)
        if isinstance(answer, HttpResponse):
            return answer

        def do(order: Order) -> str:
            if order.status != Status.IN_TRIAGE_HOLD:
                raise HubError(_("The order is not held."))
            seen = answer.shown[order.pk]
            _release(order, actor, answer.reason, may_release_abnormal=may_release_abnormal, seen=seen)
            return _("released")

        return report(self, request, _("Release"), each_row(answer.rows, do))

    @admin.action(description=gettext_lazy("Judge again"), permissions=["release"])
    def judge_again(self, request: HttpRequest, rows: QuerySet[Order]) -> None:
        """Run triage over the selected orders again."""
        ids = sorted(rows.values_list("pk", flat=True))
        judged, failed, reason = _judge_again(ids, actor_of(request))
        if judged or not failed:
            text = ngettext("%(count)d order was judged again.", "%(count)d orders were judged again.", judged)
            messages.success(request, text % {"count": judged})
        if failed:
            text = ngettext(
                "%(count)d order could not be judged again: %(reason)s",
                "%(count)d orders could not be judged again: %(reason)s",
                failed,
            )
            messages.error(request, text % {"count": failed, "reason": reason})


def _judge_again(ids: Sequence[int], actor: str) -> tuple[int, int, str]:
    """Judge orders again, batch by batch, and return how many were, how many of a batch that failed were not, and why:
    the batches before and after it take effect all the same."""
    judged, failed, reason, size = 0, 0, "", settings.HUB_BATCH_SIZE
    for start in range(0, len(ids), size):
        batch = ids[start : start + size]
        try:
            judged += hooks.retriage(batch, actor)
        except Exception as error:  # noqa: BLE001  (one row or batch must not hold up the others)
            if not isinstance(error, HubError):
                # By its kind alone: its words may be somebody's data.
                log.error("orders cannot be judged again", orders=len(batch), error=type(error).__name__)
            failed, reason = failed + len(batch), words_of(error)
    return judged, failed, reason


def _release(order: Order, actor: str, reason: str, *, may_release_abnormal: bool, seen: Sequence[str]) -> str:
    """Release an order whose reasons were shown (`seen`, their marks) and return what came of it.

    Raises HubError where it does not go on: another reason may have come since or be found now, and a gate is lifted by
    its cause alone. What was accepted stays accepted.
    """
    hooks.release_order(order.pk, actor, reason, may_release_abnormal, seen)
    became = Order.objects.values_list("status", flat=True).get(pk=order.pk)
    was_held = order.status == Status.IN_TRIAGE_HOLD
    if became == Status.IN_TRIAGE_HOLD or (was_held and became in NOT_JUDGED):
        raise HubError(_("The order does not go on yet, for a reason that was not accepted."))
    if was_held and became == Status.SHORT:
        return _("The order was released; it waits for its pieces.")
    if was_held and became in GOES_ON:
        return _("The order was released.")
    return _("The reasons count as accepted.")


def _release_rights(request: HttpRequest, order: Order) -> dict[str, Any]:
    """Tell whether this person may release the order now, and for which reasons, or sees one that is held for somebody
    else to decide."""
    is_theirs = order.status == Status.IN_TRIAGE_HOLD and request.user.has_perm(RELEASE)
    may_decide = order.lane != Lane.ABNORMAL or request.user.has_perm(RELEASE_ABNORMAL)
    may_release = is_theirs and may_decide
    reasons = hooks.open_reasons([order.pk]).get(order.pk, ()) if may_release else ()
    return {"may_release": may_release, "reasons_shown": reasons, "is_for_others": is_theirs and not may_decide}


@never_cache
@sensitive_post_parameters()
def _reveal(request: HttpRequest, order_id: int) -> HttpResponse:
    user = cast("User", request.user)
    if not user.has_perm(REVEAL):
        return render(request, "console/revealed.html", {"error": _("You may not see personal data.")}, status=403)
    try:
        clear = reveal(
            order_id=order_id, user=user, reason=request.POST.get("reason", ""), place="console",
            parts=asked_parts(request.POST.get("parts", "")),
        )  # fmt: skip
    except HubError as error:
        status = 404 if isinstance(error, ErasedError) else 400
        return render(request, "console/revealed.html", {"error": str(error)}, status=status)
    return render(request, "console/revealed.html", {"clear": clear})


def _feature_column(key: str) -> Any:
    column = columns.order_columns.get(key)

    @admin.display(description=cast("str", column.title))
    def show(order: Order) -> Any:
        value = order.__dict__.get(f"feature_{key}")
        return columns.NOTHING if value is None else value

    show.__name__ = f"feature_{key}"
    return show
