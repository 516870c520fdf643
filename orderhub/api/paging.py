"""Keyset paging: a page begins after the last row of the one before, however many rows came in meanwhile."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from orderhub.api.errors import InvalidFieldsError

if TYPE_CHECKING:
    from rest_framework.views import APIView

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class KeysetPagination(BasePagination):
    """Pages over (`created_at`, `id`), newest first; never counts, never skips."""

    page_size = 50
    max_page_size = 200
    cursor_param = "cursor"
    size_param = "page_size"
    parameters = (cursor_param, size_param)

    def paginate_queryset(  # type: ignore[override]  # only querysets have keys to page over
        self, queryset: QuerySet[Any, Any], request: Request, view: "APIView | None" = None
    ) -> list[Any]:
        """Return one page of the unordered `queryset` of dictionaries with `created_at` and `id`."""
        size = self._size(request.query_params.get(self.size_param))
        cursor = request.query_params.get(self.cursor_param)
        if cursor:
            at, pk = self._decode(cursor)
            queryset = queryset.filter(created_at__lte=at).exclude(created_at=at, id__gte=pk)
        rows = list(queryset.order_by("-created_at", "-id")[: size + 1])
        self.next_url: str | None = None
        if len(rows) > size:
            rows = rows[:size]
            self.next_url = replace_query_param(request.build_absolute_uri(), self.cursor_param, self._encode(rows[-1]))
        return rows

    def get_paginated_response(self, data: Sequence[Any]) -> Response:
        """Return the page and the address of the next one, null on the last."""
        return Response({"next": self.next_url, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a page."""
        return {
            "type": "object",
            "required": ["next", "results"],
            "properties": {"next": {"type": "string", "nullable": True, "format": "uri"}, "results": schema},
        }

    def get_schema_operation_parameters(self, view: "APIView") -> list[dict[str, Any]]:
        """Describe the two parameters."""
        return [
            {"name": self.cursor_param, "in": "query", "required": False, "schema": {"type": "string"},
             "description": "Where the page begins; taken from `next`."},
            {"name": self.size_param, "in": "query", "required": False,
             "schema": {"type": "integer", "minimum": 1, "maximum": self.max_page_size, "default": self.page_size}},
        ]  # fmt: skip

    def _size(self, text: str | None) -> int:
        if text is None:
            return self.page_size
        if text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= self.max_page_size:
            return int(text)
        reason = _("a whole number from 1 to %(most)s") % {"most": self.max_page_size}
        raise InvalidFieldsError(fields=[(self.size_param, reason)])

    @staticmethod
    def _encode(row: dict[str, Any]) -> str:
        place = [(row["created_at"] - EPOCH) // MICROSECOND, row["id"]]
        return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")

    def _decode(self, cursor: str) -> tuple[datetime, int]:
        try:
            at, pk = orjson.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=="))
            moment = EPOCH + at * MICROSECOND
            if not (type(pk) is int and 0 < pk < 2**63 and moment.year >= 1):
                raise ValueError(cursor)
        except (binascii.Error, ValueError, TypeError, OverflowError) as error:
            raise InvalidFieldsError(fields=[(self.cursor_param, _("not a cursor of this list"))]) from error
        return moment, pk
