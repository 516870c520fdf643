"""What people may do about one shop. Each is a POST, tells its result in words and leads back to the shop's page."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from django.contrib import messages
from django.contrib.admin.models import CHANGE as CHANGED
from django.contrib.admin.models import LogEntry
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from channels_sync.admin.advice import advice
from channels_sync.admin.channel import ACT, CHANGE, FILL, GATE, Forms, connector_of, forms_of, show, wanted
from channels_sync.admin.channel_forms import BackfillForm, CredentialsForm, TermsForm
from channels_sync.models import Backfill
from channels_sync.services import backfill, check, health, terms, tokens
from channels_sync.services.terms import TERMS
from orderhub.admin.gate import GateForm, said
from orderhub.console.actions import actor_of
from orderhub.console.columns import exact
from orderhub.console.credentials import with_typed
from orderhub.console.pages import ConsolePage, add_page
from orderhub.core import hooks
from orderhub.core.errors import HubError
from orderhub.models import Shop
from orderhub.selectors.health import silent_jobs

Do = Callable[[HttpRequest, Shop], HttpResponse | None]


def _page(name: str, permission: str, do: Do) -> None:
    """Put an action at `channels/<code>/<name>/`, for people with `permission`, by POST only."""

    @sensitive_post_parameters()
    @require_POST
    def view(request: HttpRequest, code: str) -> HttpResponse:
        if not request.user.has_perm(permission):
            raise PermissionDenied
        shop = get_object_or_404(Shop, code=code)
        try:
            answer = do(request, shop)
        except HubError as error:
            messages.error(request, str(error))
            answer = None
        return answer or HttpResponseRedirect(reverse("admin:channels_sync_channel", args=[code]))

    add_page(ConsolePage(f"channels_sync_channel_{name}", f"channels/<slug:code>/{name}/", view))


def pull(request: HttpRequest, shop: Shop) -> None:
    """Have the shop pulled now, whatever it waits for."""
    connector = connector_of(shop)
    if connector is None or not connector.pulls:
        raise HubError(_("This shop is not pulled from."))
    if not shop.is_active:
        raise HubError(_("This shop is switched off."))
    health.try_again(shop_ids=[shop.pk], actor=actor_of(request))
    hooks.start_pull(shop.pk)
    if silent_jobs():
        messages.warning(request, _("The pull is asked for, but no worker is running: it begins when the workers do."))
    else:
        messages.success(request, _("The pull begins within seconds; the list of runs shows how it goes."))


def test(request: HttpRequest, shop: Shop) -> None:
    """Try the connection with one real call."""
    answer = check.try_connection(shop_id=shop.pk, actor=actor_of(request))
    if answer.is_ok:
        text = _("The connection works: the platform answered in %(ms)s ms.")
        messages.success(request, text % {"ms": f"{answer.took_ms:,}"})
        return
    told = advice(shop.platform, answer.cause)
    text = _("%(what)s %(todo)s (%(answer)s)")
    messages.error(request, text % {"what": told.what, "todo": told.todo, "answer": answer.sentence})


def renew(request: HttpRequest, shop: Shop) -> None:
    """Renew the shop's authorisation."""
    tokens.renew_now(shop_id=shop.pk, actor=actor_of(request))
    _audit(request, shop, [gettext_noop("authorisation")])
    messages.success(request, _("The authorisation was renewed."))


def fill(request: HttpRequest, shop: Shop) -> HttpResponse | None:
    """Have a range read again."""
    form = BackfillForm(request.POST)
    if not form.is_valid():
        return _refused(request, shop, "backfill", form)
    start, end = form.cleaned_data["start"], form.cleaned_data["end"]
    job = backfill.start(shop_id=shop.pk, start=start, end=end, actor=actor_of(request))
    text = _("%(start)s to %(end)s is read again in %(slices)s pieces, beginning within a minute.")
    told = {"start": exact(job.start)[:16], "end": exact(job.end)[:16], "slices": job.slices_total}
    messages.success(request, text % told)
    return None


def cancel_fill(request: HttpRequest, shop: Shop) -> None:
    """Stop a back-fill; what it brought stays."""
    job = _backfill_of(request, shop)
    if backfill.cancel(job.pk, actor_of(request)):
        messages.success(request, _("The back-fill was stopped; what it brought stays."))
    else:
        messages.info(request, _("The back-fill had ended already."))


def retry_fill(request: HttpRequest, shop: Shop) -> None:
    """Let a failed back-fill go on from where it stood."""
    if backfill.try_again(_backfill_of(request, shop).pk, actor_of(request)):
        messages.success(request, _("The back-fill goes on from where it stood, within a minute."))
    else:
        messages.info(request, _("The back-fill does not wait for anybody."))


def gate(request: HttpRequest, shop: Shop) -> HttpResponse | None:
    """Open, pause or throttle what enters the pool from this shop."""
    form = GateForm(request.POST)
    if not form.apply(shop.pk, actor_of(request)):
        return _refused(request, shop, "gate", form)
    messages.success(request, said(form.cleaned_data["state"]))
    return None


@transaction.atomic
def change_terms(request: HttpRequest, shop: Shop) -> HttpResponse | None:
    """Store those of the shop's numbers that were changed, compared under the row's lock with what is stored."""
    shop = Shop.objects.select_for_update(no_key=True).get(pk=shop.pk)
    form = TermsForm(shop, connector_of(shop), request.POST)
    if not form.is_valid():
        return _refused(request, shop, "terms", form)
    changed = terms.change_terms(shop_id=shop.pk, values=form.changed(), actor=actor_of(request))
    labels = {term.name: term.label for term in TERMS}
    _audit(request, shop, [labels[name] for name in changed])
    messages.success(request, _("The settings were saved.") if changed else _("Nothing was changed."))
    return None


def change_credentials(request: HttpRequest, shop: Shop) -> HttpResponse | None:
    """Seal what was typed together with what is stored."""
    form = CredentialsForm(shop, wanted(shop), request.POST)
    if not form.is_valid():
        return _refused(request, shop, "credentials", form)
    typed = form.cleaned_data
    names = terms.change_credentials(
        shop_id=shop.pk, change=lambda stored: with_typed(stored, typed), actor=actor_of(request)
    )
    labels = {field.name: field.label for field in wanted(shop)}
    _audit(request, shop, [labels.get(name, name) for name in names])
    if names:
        messages.success(request, _("The credentials were stored encrypted and are tried within a minute."))
    else:
        messages.info(request, _("Nothing was typed, so nothing was changed."))
    return None


def _refused(request: HttpRequest, shop: Shop, name: str, form: Form) -> HttpResponse:
    """Show the page again with the refused form and its reasons."""
    forms: Forms = forms_of(shop)
    setattr(forms, name, form)
    forms.open = name
    response = show(request, shop, forms)
    response.status_code = 422
    return response


def _backfill_of(request: HttpRequest, shop: Shop) -> Backfill:
    given = request.POST.get("backfill", "")
    return get_object_or_404(Backfill, pk=int(given) if given.isdecimal() and len(given) < 19 else 0, shop=shop)


def _audit(request: HttpRequest, shop: Shop, fields: Sequence[str | Promise]) -> None:
    """Put into the console's change log what was changed, never the value of a secret. Labels are kept untranslated:
    each reader sees them in the own language."""
    if fields:
        user: Any = request.user
        with translation.override(None):
            what = [{"changed": {"fields": [str(field) for field in fields]}}]
        LogEntry.objects.log_actions(user.pk, cast("Any", [shop]), CHANGED, what, single_object=True)


for _name, _permission, _do in (
    ("pull", ACT, pull), ("test", ACT, test), ("renew", CHANGE, renew), ("backfill", FILL, fill),
    ("backfill_cancel", FILL, cancel_fill), ("backfill_retry", FILL, retry_fill), ("gate", GATE, gate),
    ("terms", CHANGE, change_terms), ("credentials", CHANGE, change_credentials),
):  # fmt: skip
    _page(_name, _permission, cast("Do", _do))
