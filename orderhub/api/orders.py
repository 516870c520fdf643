"""Reading orders: list, search, one."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orderhub.api import present
from orderhub.api.auth import client_in
from orderhub.api.errors import InvalidFieldsError, TooManySearchesError
from orderhub.api.filters import OrderFilterSet, refuse_unknown
from orderhub.api.paging import KeysetPagination
from orderhub.api.sections import sections_of
from orderhub.api.serializers import (
    DEFAULT_RESULTS,
    MAX_RESULTS,
    ErrorAnswer,
    OrderDetail,
    OrderRow,
    SearchAnswer,
    SearchRequest,
)  # fmt: skip
from orderhub.models import Order
from orderhub.selectors.orders import list_values, order_page, rows_by_id
from orderhub.selectors.search import LONGEST, find
from orderhub.services.access import ORDERS_READ
from orderhub.services.limits import API_SEARCHES

_ERRORS = {400: ErrorAnswer, 401: ErrorAnswer, 403: ErrorAnswer}


class OrderListView(GenericAPIView[Order]):
    """Lists orders."""

    scope = ORDERS_READ
    queryset = Order.objects.none()
    serializer_class = OrderRow
    filterset_class = OrderFilterSet

    @extend_schema(operation_id="orders_list", responses={200: OrderRow(many=True), **_ERRORS})  # type: ignore[untyped-decorator]
    def get(self, request: Request) -> Response:
        """Return orders newest first, a page at a time; rows that come in meanwhile shift nothing."""
        refuse_unknown(set(request.query_params), {*OrderFilterSet.base_filters, *KeysetPagination.parameters})
        page = self.paginate_queryset(list_values(self.filter_queryset(self.get_queryset())))
        return self.get_paginated_response([present.row(order) for order in page or []])


class OrderSearchView(APIView):
    """Finds orders by any key."""

    scope = ORDERS_READ

    @extend_schema(
        operation_id="orders_search", request=SearchRequest, responses={200: SearchAnswer, 429: ErrorAnswer, **_ERRORS}
    )  # type: ignore[untyped-decorator]
    def post(self, request: Request) -> Response:
        """Return orders that a text names: order, tracking or phone number, last four digits, buyer, part of a name."""
        text, limit = _search_of(request.data)
        client = client_in(request)
        if not API_SEARCHES.count(str(client.token_id)):
            raise TooManySearchesError(wait=API_SEARCHES.seconds)
        shop_ids = client.shop_ids
        found = find(text, limit=limit, shop_ids=shop_ids)
        rows = rows_by_id(found.order_ids, shop_ids)
        return Response({"kind": found.kind, "more": found.more, "results": [present.row(row) for row in rows]})


class OrderView(APIView):
    """Shows one order."""

    scope = ORDERS_READ

    @extend_schema(operation_id="orders_read", responses={200: OrderDetail, 404: ErrorAnswer, **_ERRORS})  # type: ignore[untyped-decorator]
    def get(self, request: Request, order_id: int) -> Response:
        """Return one order with lines, masked receiver, claims, parcels, timeline and what features add."""
        page = order_page(order_id, client_in(request).shop_ids) if order_id < 2**63 else None
        if page is None:
            raise NotFound(_("There is no such order."))
        return Response(present.detail(page, sections_of(order_id)))


def _search_of(data: Any) -> tuple[str, int]:
    """Return text and limit of a search body; raises an error that names every wrong field."""
    if not isinstance(data, dict):
        raise InvalidFieldsError(fields=[("", _("must be an object with “q”"))])
    text, limit = data.get("q"), data.get("limit", DEFAULT_RESULTS)
    wrong = []
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
        wrong.append(("q", _("required: a text of 1 to %(most)s characters") % {"most": LONGEST}))
    if type(limit) is not int or not 1 <= limit <= MAX_RESULTS:
        wrong.append(("limit", _("a whole number from 1 to %(most)s") % {"most": MAX_RESULTS}))
    if wrong:
        raise InvalidFieldsError(fields=wrong)
    return str(text), int(limit)
