"""One shape for every error: `{"error": {"code", "message", "fields": [{"path", "reason"}], "request_id"}}`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import exceptions, status
from rest_framework.response import Response

from orderhub.core.errors import FieldError, HubError

log = structlog.get_logger(__name__)

Fields = Sequence[tuple[str, str]]
CODES = {
    400: "invalid", 401: "not_authenticated", 403: "permission_denied", 404: "not_found", 405: "method_not_allowed",
    406: "not_acceptable", 409: "conflict", 413: "too_large", 415: "unsupported_media_type", 422: "unprocessable",
    429: "throttled", 500: "server_error", 503: "unavailable",
}  # fmt: skip


class ApiError(exceptions.APIException):
    """An expected error with its own code, and the fields it is about."""

    code = "invalid"
    default_detail = gettext_lazy("The request cannot be answered.")

    def __init__(self, message: str | None = None, *, fields: Fields = (), wait: float | None = None) -> None:
        super().__init__(message or self.default_detail, self.code)
        self.fields = fields
        if wait is not None:
            self.wait = wait


class InvalidFieldsError(ApiError):
    """Some fields of the request cannot be used."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_detail = gettext_lazy("Some fields cannot be used.")


class BodyTooLargeError(ApiError):
    """The body is larger than the hub takes at once."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    code = "too_large"
    default_detail = gettext_lazy("The body is too large: send fewer orders at once.")


class KeyConflictError(ApiError):
    """An idempotency key came back with another body."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    code = "idempotency_conflict"
    default_detail = gettext_lazy("This Idempotency-Key was used with another body.")


class StillRunningError(ApiError):
    """The first request with this idempotency key is at work."""

    status_code = status.HTTP_409_CONFLICT
    code = "in_progress"
    default_detail = gettext_lazy("The first request with this Idempotency-Key is still running. Try again shortly.")


class PersonalDataError(ApiError):
    """A phone number or name stands in the address, which is logged everywhere on its way."""

    status_code = status.HTTP_400_BAD_REQUEST
    code = "personal_data_in_address"
    default_detail = gettext_lazy("Phone numbers and names must not stand in an address: use POST orders/search/.")


class TooManySearchesError(ApiError):
    """A token searched too often: what is masked must not be found out by trying."""

    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    code = "throttled"
    default_detail = gettext_lazy("Too many searches in a minute. Wait a moment.")


def handle(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Turn any exception of an API view into the one shape; the unexpected ones are logged as 500."""
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, RequestDataTooBig):
        error = BodyTooLargeError()
    elif isinstance(error, SuspiciousOperation | UnreadablePostError):
        error = exceptions.ParseError(str(ApiError.default_detail), "invalid")
    if isinstance(error, exceptions.APIException):
        return _from_api_exception(error)
    if isinstance(error, HubError):
        return _from_hub_error(error)
    if isinstance(error, OperationalError | InterfaceError):
        log.warning("database unavailable", error=type(error).__name__)
        message = _("The database cannot be reached. Try again shortly.")
        return Response(body("unavailable", message), status=503, headers={"Retry-After": "5"})
    log.error("api request failed", exc_info=error)
    return Response(body("server_error", _("Something went wrong on our side.")), status=500)


def body(code: str, message: str, fields: Fields = ()) -> dict[str, Any]:
    """Return an error in the one shape."""
    return {
        "error": {
            "code": code,
            "message": str(message),
            "fields": [{"path": path, "reason": str(reason)} for path, reason in fields],
            "request_id": str(structlog.contextvars.get_contextvars().get("request_id", "")),
        }
    }


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an unknown API address."""
    return _plain(404, _("There is nothing at this address."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a failure outside of the API's views."""
    return _plain(500, _("Something went wrong on our side."))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django refused before any view."""
    return _plain(400, _("The request cannot be answered."))


def _plain(code: int, message: str) -> HttpResponse:
    return HttpResponse(orjson.dumps(body(CODES[code], message)), status=code, content_type="application/json")


def _from_api_exception(error: exceptions.APIException) -> Response:
    headers: dict[str, str] = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header  # type: ignore[attr-defined]
    if getattr(error, "wait", None):
        headers["Retry-After"] = str(int(error.wait))  # type: ignore[attr-defined]
    fields: Fields = getattr(error, "fields", ())
    message = str(error.detail) if isinstance(error.detail, str) else ""
    if isinstance(error, exceptions.ValidationError):
        fields = list(_flatten(error.detail))
        message = str(InvalidFieldsError.default_detail)
    return Response(body(_code(error), message, fields), status=error.status_code, headers=headers)


def _code(error: exceptions.APIException) -> str:
    if isinstance(error, ApiError):
        return error.code
    if isinstance(error, exceptions.ParseError):
        return "malformed_json"
    own = getattr(error.detail, "code", None)
    if isinstance(error, exceptions.AuthenticationFailed | exceptions.PermissionDenied) and own:
        return str(own)
    return CODES.get(error.status_code, "error")


def _from_hub_error(error: HubError) -> Response:
    if isinstance(error, FieldError):
        return Response(
            body("invalid", str(InvalidFieldsError.default_detail), [(error.path, error.reason)]), status=400
        )
    if error.permanent:
        return Response(body("unprocessable", str(error)), status=422)
    return Response(
        body("unavailable", str(error)), status=503, headers={"Retry-After": str(int(error.retry_after or 5))}
    )


def _flatten(detail: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            place = "" if key == "non_field_errors" else str(key)
            yield from _flatten(value, f"{path}.{place}".strip("."))
    elif isinstance(detail, list | tuple):
        for index, value in enumerate(detail):
            yield from _flatten(value, path if isinstance(value, str) else f"{path}[{index}]")
    else:
        yield path, str(detail)
