"""`/channels/…`: a person leaves for the platform's authorisation page and comes back with a code, or pastes one."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from channels_sync.services import authorising, tokens
from orderhub.console.actions import actor_of
from orderhub.core.errors import HubError
from orderhub.models import Shop

NONCE = "channels_sync.authorising"
"""Key of the browser session: the other half of the state of the authorisation that this person began last."""


@method_decorator(never_cache, name="dispatch")
class _ShopView(PermissionRequiredMixin, View):
    """For people who may change shops."""

    permission_required = "orderhub.change_shop"

    @staticmethod
    def shop_page(shop_id: int) -> HttpResponse:
        """Go back to the shop's page."""
        code = Shop.objects.values_list("code", flat=True).get(pk=shop_id)
        return HttpResponseRedirect(reverse("admin:channels_sync_channel", args=[code]))


class AuthoriseView(_ShopView):
    """Send the person to the platform."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest, shop_id: int) -> HttpResponse:
        """Keep one half of the state in the session and leave with the other."""
        shop = get_object_or_404(Shop, pk=shop_id)
        back = request.build_absolute_uri(reverse("authorised"))
        try:
            begun = authorising.begin(shop=shop, user_id=_user_id(request), redirect_uri=back)
        except HubError as error:
            messages.error(request, str(error))
            return self.shop_page(shop_id)
        request.session[NONCE] = begun.nonce
        return HttpResponseRedirect(begun.url)


class AuthorisedView(_ShopView):
    """Where the platform sends the person back to."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Exchange the code; what the platform says instead of one is shown."""
        nonce = request.session.pop(NONCE, "")
        given = request.GET
        if not given.get("code"):
            reason = given.get("error_description") or given.get("error") or _("it sent no code")
            messages.error(request, _("The platform did not authorise the shop: %(reason)s") % {"reason": reason[:200]})
            return HttpResponseRedirect(reverse("admin:orderhub_shop_changelist"))
        try:
            shop = authorising.finish(
                state=given.get("state", ""), code=given["code"], user_id=_user_id(request), nonce=nonce,
                actor=actor_of(request),
            )  # fmt: skip
        except HubError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("admin:orderhub_shop_changelist"))
        messages.success(request, _("%(shop)s is authorised.") % {"shop": shop.name})
        return self.shop_page(shop.pk)


@method_decorator(sensitive_post_parameters("code"), name="dispatch")
class CodeView(_ShopView):
    """For platforms that show the code instead of coming back."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, shop_id: int) -> HttpResponse:
        """Exchange a pasted code."""
        shop = get_object_or_404(Shop, pk=shop_id)
        try:
            tokens.obtain(shop_id=shop.pk, code=request.POST.get("code", ""), actor=actor_of(request))
        except HubError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("%(shop)s is authorised.") % {"shop": shop.name})
        return self.shop_page(shop_id)


def _user_id(request: HttpRequest) -> int:
    user: Any = request.user
    return int(user.pk)
