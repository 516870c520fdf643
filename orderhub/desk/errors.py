"""Error pages in words with a next step; addresses under `/api/` get the API's shape."""

from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from orderhub.api import errors as api_errors

API = "/api/"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: refused before any view looked at it."""
    if request.path_info.startswith(API):
        return api_errors.bad_request(request, exception)
    return _page(request, 400, _("This request could not be read."), _("Go back, reload the page and try once more."))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: known, but not allowed."""
    text = _("Ask your supervisor for the permission if your work needs it.")
    return _page(request, 403, _("Your role may not do this."), text)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: nothing at this address."""
    if request.path_info.startswith(API):
        return api_errors.page_not_found(request, exception)
    text = _("The hub has no such order, or the address is mistyped.")
    return _page(request, 404, _("There is nothing here."), text)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: the form is older than the session, or came from another site. The header tells a script that it is not
    the role."""
    text = _("Reload the page, log in if asked, and send it once more.")
    response = _page(request, 403, _("This form has expired."), text)
    response["X-Form-Expired"] = "1"
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """500: ours. The page asks nothing of the database, which may be the reason."""
    if request.path_info.startswith(API):
        return api_errors.server_error(request)
    title = _("Something went wrong on our side.")
    text = _("It is written down. Try again in a moment; if it stays, tell your supervisor.")
    html = render_to_string("desk/error.html", {"code": 500, "title": title, "text": text})
    return HttpResponseServerError(html)


def _page(request: HttpRequest, code: int, title: str, text: str) -> HttpResponse:
    return render(request, "desk/error.html", {"code": code, "title": title, "text": text}, status=code)
