"""What depends on the address: who is believed about https, which hosts are answered, language, content security
policy, what is logged of it."""

from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.middleware.common import CommonMiddleware
from django.middleware.locale import LocaleMiddleware
from django.urls import reverse
from django.utils import translation
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation.trans_real import check_for_language, get_supported_language_variant
from django_structlog.middlewares import RequestMiddleware

from orderhub.core.caller import FORWARDED_PROTO, comes_from_proxy

CONSOLE_POLICY = {"script-src": ["'self'", "'unsafe-eval'"], "style-src": ["'self'", "'unsafe-inline'"]}
"""The console theme ships Alpine.js, which evaluates attributes and sets inline styles (unfold issue 2129)."""

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})


class ProxyMiddleware(MiddlewareMixin):
    """Believes proxies about https, and nobody else: Django takes the header from any caller."""

    def process_request(self, request: HttpRequest) -> None:
        """Hand the header of a proxy on; it stays where it is, by which a proxy without a name gives itself away."""
        told = request.META.get("HTTP_X_FORWARDED_PROTO")
        if told is not None and comes_from_proxy(request):
            request.META[FORWARDED_PROTO[0]] = told


class PolicyMiddleware(CSPMiddleware):  # type: ignore[misc]
    """Strict everywhere; only the console's addresses may evaluate strings and style inline."""

    def get_policy_parts(self, request: HttpRequest, response: HttpResponse, report_only: bool = False) -> PolicyParts:
        """Return the policy of the settings, widened under the console's prefix."""
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only and request.path_info.startswith(reverse("admin:index")):
            parts.update = CONSOLE_POLICY
        return parts


class RequestLogMiddleware(RequestMiddleware):  # type: ignore[misc]
    """Logs each request's start and end."""

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        """Return method and path: what stands behind the question mark may be a phone or the code of a session."""
        return f"{request.method} {request.path}"


class HostMiddleware(CommonMiddleware):
    """Refuses hosts that are not the hub's; probes name a machine or its number instead, and get no word that depends
    on it."""

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        """Ask for the host, but for probes."""
        return None if request.path_info in PROBES else super().process_request(request)


class LanguageMiddleware(LocaleMiddleware):
    """People get the site's language until they choose another; API clients get the one they ask for.

    A back office has one working language: a browser installed in English must not turn half a team's screens English.
    """

    def process_request(self, request: HttpRequest) -> None:
        """Activate the language of this request."""
        if request.path_info.startswith("/api/"):
            super().process_request(request)
            return
        language = chosen_language(request) or settings.LANGUAGE_CODE
        translation.activate(language)
        request.LANGUAGE_CODE = translation.get_language()


def chosen_language(request: HttpRequest) -> str | None:
    """Return the language that this person chose with the switch, None when they never did."""
    code = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME)
    if not code or not check_for_language(code):
        return None
    try:
        return get_supported_language_variant(code)
    except LookupError:
        return None
