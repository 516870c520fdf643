"""Logging in and out; also the console's door."""

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _

from orderhub.core.caller import address_of
from orderhub.services.limits import LOGIN_FAILURES, LOGIN_FAILURES_OF_ADDRESS


class DeskLoginView(LoginView):
    """One calm page; a name that failed too often from one address waits, without its password being looked at."""

    template_name = "desk/login.html"
    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Tell somebody who is logged in but may not enter the console so, instead of sending them round in circles."""
        user = request.user
        if isinstance(user, User) and not user.is_staff and self.get_success_url().startswith(reverse("admin:index")):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Check the limits, then name and password."""
        if LOGIN_FAILURES.is_used_up(self._key()) or LOGIN_FAILURES_OF_ADDRESS.is_used_up(self._address()):
            form = AuthenticationForm(request)
            context = self.get_context_data(form=form, locked=_("Too many attempts. Wait five minutes and try again."))
            return self.render_to_response(context, status=429, headers={"Retry-After": str(LOGIN_FAILURES.seconds)})
        return super().post(request, *args, **kwargs)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Count a failure; the page says the same for a wrong name and a wrong password."""
        LOGIN_FAILURES.count(self._key())
        LOGIN_FAILURES_OF_ADDRESS.count(self._address())
        return super().form_invalid(form)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Forget this name's failures and begin a fresh session."""
        LOGIN_FAILURES.forget(self._key())
        return super().form_valid(form)

    def get_default_redirect_url(self) -> str:
        """Begin where the person's work is."""
        return "/"

    def _key(self) -> str:
        return f"{self._address()} {self.request.POST.get('username', '').strip().lower()[:150]}"

    def _address(self) -> str:
        return address_of(self.request)
