"""Structured logs with request and batch ids. Personal data never reaches a log line: callers log ids and counts."""

import sys
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import structlog

from orderhub.core.errors import words_of

DROPPED = frozenset(
    {"name", "phone", "address", "detail", "receiver", "nickname", "body", "payload", "raw", "token", "secret", "ip",
     "password", "remark"}
)  # fmt: skip
"""Keys whose value is replaced, should a caller slip."""


def drop_personal(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the value of every key that could hold personal data or a secret."""
    for key in DROPPED & event.keys():
        event[key] = "[dropped]"
    return event


def trace(exc_info: tuple[type[BaseException], BaseException, TracebackType | None]) -> str:
    """Return a traceback with every frame, but of errors other than our own only the kind: their words quote data."""
    parts: list[str] = []
    error: BaseException | None = exc_info[1]
    while error is not None:
        frames = "".join(traceback.format_tb(error.__traceback__))
        kind = type(error).__name__
        words = words_of(error)
        parts.append(f"{frames}{kind}" + (f": {words}" if words != kind else ""))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\nfollowed by\n\n".join(reversed(parts))


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    drop_personal,
]

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _SHARED,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.ExceptionRenderer(trace),
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "httpcore2": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
    },
}

structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_SHARED,
        structlog.processors.StackInfoRenderer(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
