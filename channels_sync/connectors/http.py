"""The only HTTP client of the hub: overall deadlines, size caps, whole bodies, no secret in any error.

A read timeout alone does not stop a server that drips one byte a second, in the headers or in the body; so every wait
on the socket is cut to what is left of the deadline of the whole call.
"""

import atexit
import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, TypeVar

import httpcore2
import httpx2
import stamina
from django.conf import settings
from django.utils.translation import gettext as _

from channels_sync.connectors.causes import Cause, because
from orderhub.core.errors import HubError, TemporaryError

T = TypeVar("T")

BODY_LIMIT = 32 * 1024 * 1024
"""Bytes of one answer, before and after decompression."""
TRIES = 3
PATIENCE = 2.0
"""Seconds that a retry on the spot may wait; what takes longer is for the next run."""
_DEADLINE: ContextVar[float] = ContextVar("deadline")


LONGEST_AHEAD = 86_400.0
"""Seconds beyond which a date in an answer is no clock but nonsense."""


class ClockWatch:
    """How many seconds the clock of this machine is ahead of those that dated their answers: the most that was seen, 0
    where it is not; None while no answer was dated."""

    def __init__(self) -> None:
        self.ahead: float | None = None

    def look(self, headers: Mapping[str, str]) -> None:
        """Take the date of one answer, that of a cache excepted, right after its head has come."""
        try:
            moment = parsedate_to_datetime(headers["date"]).timestamp()
        except (KeyError, ValueError):
            return
        ahead = time.time() - moment
        if "age" not in headers and abs(ahead) < LONGEST_AHEAD:
            self.ahead = max(self.ahead or 0.0, ahead)


_CLOCK: ContextVar[ClockWatch | None] = ContextVar("clock", default=None)


@contextmanager
def watching_clock() -> Iterator[ClockWatch]:
    """Hold the clock of this machine against the dates of all answers to this thread."""
    watch = ClockWatch()
    token = _CLOCK.set(watch)
    try:
        yield watch
    finally:
        _CLOCK.reset(token)


class StatusError(TemporaryError):
    """Something before the platform (firewall, deployment, wrong address) answered with an HTTP `status` of its own:
    platforms and warehouses tell their refusals with HTTP 200.

    It passes like a 5xx, but not within seconds. It is not taken as one that stops a whole shop: a firewall that minds
    the text of one memo must hold up no other.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True, frozen=True)
class Answer:
    """A whole answer of status 200 to 299."""

    status: int
    content_type: str
    body: bytes


def post(
    url: str, *, content: bytes, content_type: str, query: Mapping[str, str] | None = None,
    secrets: Iterable[str] = (), seconds: float | None = None,
) -> Answer:  # fmt: skip
    """POST and return the whole answer within `seconds` (default: the setting OUTBOUND_TIMEOUT_SECONDS).

    Raises TemporaryError for time-outs, cut or oversized answers, 429 and 5xx, StatusError for every other status.
    Texts of errors name the host only and hold none of `secrets`.
    """
    headers = {"content-type": content_type}
    return _send("POST", url, headers, query=query, content=content, secrets=secrets, seconds=seconds)


def get(
    url: str, *, query: Mapping[str, str], secrets: Iterable[str] = (), seconds: float | None = None
) -> Answer:  # fmt: skip
    """GET and return the whole answer, with the limits and errors of `post`."""
    return _send("GET", url, {}, query=query, content=None, secrets=secrets, seconds=seconds)


def _send(
    method: str, url: str, headers: dict[str, str], *, query: Mapping[str, str] | None, content: bytes | None,
    secrets: Iterable[str], seconds: float | None,
) -> Answer:  # fmt: skip
    allowed = settings.OUTBOUND_TIMEOUT_SECONDS if seconds is None else seconds
    token = _DEADLINE.set(time.monotonic() + allowed)
    host = httpx2.URL(url).host
    try:
        headers = {**headers, "accept-encoding": "gzip", "user-agent": "orderhub"}
        request = _client().build_request(method, url, content=content, params=query, headers=headers)
        with closing(_client().send(request, stream=True)) as response:
            if watch := _CLOCK.get():
                watch.look(response.headers)
            body = _whole_body(response, host)
            return _judged(response, body, host)
    except httpcore2.TimeoutException:
        message = _("%(host)s did not answer within %(seconds)s seconds") % {"host": host, "seconds": f"{allowed:g}"}
        raise because(Cause.NETWORK, TemporaryError(message)) from None
    except (httpcore2.NetworkError, httpcore2.ProtocolError, httpx2.HTTPError) as error:
        reason = redact(str(error), secrets)[:200]
        message = _("the connection to %(host)s failed: %(reason)s") % {"host": host, "reason": reason}
        raise because(Cause.NETWORK, TemporaryError(message)) from None
    finally:
        _DEADLINE.reset(token)


def retrying(call: Callable[[], T], *, tries: int = TRIES) -> T:
    """Return `call()`, repeated with jitter while it fails in a way that passes within PATIENCE seconds."""
    for attempt in stamina.retry_context(
        on=_soon, attempts=tries, timeout=None, wait_initial=0.1, wait_max=PATIENCE, wait_jitter=0.5
    ):
        with attempt:
            return call()
    raise AssertionError("stamina neither returned nor raised")


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return a text of the other side without the secrets that it may repeat."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "…")
    return text


def _soon(error: Exception) -> bool:
    if not isinstance(error, HubError) or isinstance(error, StatusError):
        return False
    return not error.permanent and not error.concerns_all and not getattr(error, "retry_after", None)


def _judged(response: httpx2.Response, body: bytes, host: str) -> Answer:
    status = response.status_code
    if status in {408, 429} or status >= 500:
        raise TemporaryError(
            _("%(host)s answered with HTTP %(status)s") % {"host": host, "status": status},
            retry_after=_retry_after(response.headers.get("retry-after", "")),
        )
    if not 200 <= status < 300:
        raise StatusError(_("%(host)s answered with HTTP %(status)s") % {"host": host, "status": status}, status)
    return Answer(status, response.headers.get("content-type", ""), body)


def _retry_after(value: str) -> float | None:
    return min(float(value), 3600.0) if value.isascii() and value.isdigit() and int(value) else None


def _whole_body(response: httpx2.Response, host: str) -> bytes:
    parts, size = [], 0
    for part in response.iter_raw():
        size += len(part)
        if size > BODY_LIMIT:
            raise TemporaryError(_("the answer of %(host)s is too large") % {"host": host})
        parts.append(part)
    body = b"".join(parts)
    return _unzip(body, host) if response.headers.get("content-encoding", "").lower() == "gzip" else body


def _unzip(body: bytes, host: str) -> bytes:
    unzip = zlib.decompressobj(wbits=31)
    try:
        clear = unzip.decompress(body, BODY_LIMIT + 1)
    except zlib.error as error:
        raise because(Cause.ANSWER, TemporaryError(_("the answer of %(host)s is damaged") % {"host": host})) from error
    if len(clear) > BODY_LIMIT:
        raise TemporaryError(_("the answer of %(host)s is too large") % {"host": host})
    if not unzip.eof:
        raise because(Cause.ANSWER, TemporaryError(_("the answer of %(host)s was cut short") % {"host": host}))
    return clear


class _Stream(httpcore2.NetworkStream):
    """A socket whose every wait ends with the deadline of the call that uses it."""

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(httpcore2.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(httpcore2.ConnectTimeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    def __init__(self) -> None:
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore2.NetworkStream:  # fmt: skip
        left = _left(httpcore2.ConnectTimeout)
        return _Stream(self._inner.connect_tcp(host, port, left, local_address, socket_options))


class _Transport(httpx2.BaseTransport):
    """httpx2's own transport has no place for another network backend."""

    def __init__(self) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpx2.create_ssl_context(), max_connections=64, max_keepalive_connections=16,
            keepalive_expiry=15, network_backend=_Backend(),
        )  # fmt: skip

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        answer = self._pool.handle_request(
            httpcore2.Request(
                request.method,
                httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions={"timeout": {"pool": _left(httpcore2.PoolTimeout)}},
            )
        )
        return httpx2.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        self._pool.close()


class _Body(httpx2.SyncByteStream):
    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Any:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def _left(timed_out: type[Exception]) -> float:
    """Return the seconds left of the running call. Raises `timed_out` when there are none."""
    left = _DEADLINE.get() - time.monotonic()
    if left <= 0:
        raise timed_out("the deadline of the call is over")
    return left


@lru_cache(maxsize=1)
def _client() -> httpx2.Client:
    client = httpx2.Client(transport=_Transport(), trust_env=False)
    atexit.register(client.close)
    return client
