"""JSON in and out through orjson."""

import json
from collections.abc import Mapping
from typing import IO, Any

import orjson
from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from orderhub.api.errors import BodyTooLargeError

_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


class JSONRenderer(BaseRenderer):
    """Renders answers; times are UTC with a Z, money is whole fen."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        """Return `data` as UTF-8 JSON; nothing for an answer without a body."""
        return b"" if data is None else orjson.dumps(data, default=str, option=_OPTIONS)


class JSONParser(BaseParser):
    """Reads bodies up to `DATA_UPLOAD_MAX_MEMORY_SIZE`; what is not JSON is told with its place."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the decoded body; raises ParseError or BodyTooLargeError."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise BodyTooLargeError
        return decode(body)


def decode(body: bytes) -> Any:
    """Return decoded JSON.

    orjson refuses lone surrogates, which a broken remark may hold; the standard reader keeps them for the row's own
    check, so that one remark does not cost the whole delivery.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        strict = error
    try:
        return json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        place = _("line %(line)s, column %(column)s") % {"line": strict.lineno, "column": strict.colno}
        raise ParseError(_("The body is not JSON: %(place)s.") % {"place": place}) from error


def _refuse(word: str) -> Any:
    raise ValueError(word)
