"""Who calls: `Authorization: Token …`, and what that token may do."""

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from orderhub.services.access import Client, client_of

if TYPE_CHECKING:
    # The framework's views read this module while they are being loaded.
    from rest_framework.views import APIView

PREFIX = "token "


class TokenAuthentication(BaseAuthentication):
    """Finds the client by the keyed digest of its token."""

    def authenticate(self, request: Request) -> tuple[Client, Client] | None:
        """Return the client, None without an Authorization header; raises AuthenticationFailed for a bad one."""
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        secret = header[len(PREFIX) :].strip()
        client = client_of(secret) if header[: len(PREFIX)].lower() == PREFIX and secret else None
        if client is None:
            raise AuthenticationFailed(_("This token is unknown, switched off or past its end."), "token_invalid")
        return client, client

    def authenticate_header(self, request: Request) -> str:
        """Return what a 401 asks for."""
        return "Token"


def client_in(request: Request) -> Client:
    """Return the client of an authenticated request."""
    assert isinstance(request.auth, Client)
    return request.auth


class HasScope(BasePermission):
    """Lets a client in whose token has the view's `scope`; a view without one lets nobody in."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Tell whether the request may go on; raises an error that names the missing scope."""
        client = request.auth
        if not isinstance(client, Client):
            raise NotAuthenticated(_("Send the header “Authorization: Token …”."))
        scope: str | None = getattr(view, "scope", None)
        if scope not in client.scopes:
            message = _("This token lacks the scope “%(scope)s”.") % {"scope": scope}
            raise PermissionDenied(message, "scope_missing")
        return True
