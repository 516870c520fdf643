"""`POST intake/`: orders of one shop, stored first, taken in at once, told row by row."""

import hashlib
from typing import Any

import structlog
from django.db import DatabaseError
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orderhub.api.auth import client_in
from orderhub.api.errors import BodyTooLargeError, InvalidFieldsError, KeyConflictError, StillRunningError
from orderhub.api.serializers import MAX_ORDERS, ErrorAnswer, IntakeAnswer, IntakeRequest
from orderhub.core import hooks
from orderhub.core.draft import clean_text
from orderhub.core.errors import HubError, words_of
from orderhub.models import Shop
from orderhub.services import idempotency
from orderhub.services.access import INTAKE_WRITE, Client
from orderhub.services.idempotency import Turn
from orderhub.services.inbox import fresh_key, receive

log = structlog.get_logger(__name__)

KEY_LENGTH = 100


class IntakeView(APIView):
    """Takes order drafts."""

    scope = INTAKE_WRITE

    @extend_schema(  # type: ignore[untyped-decorator]
        operation_id="intake",
        request=IntakeRequest,
        responses={
            200: IntakeAnswer, 202: IntakeAnswer, 400: ErrorAnswer, 401: ErrorAnswer, 403: ErrorAnswer,
            404: ErrorAnswer, 409: ErrorAnswer, 413: ErrorAnswer, 415: ErrorAnswer, 422: ErrorAnswer, 503: ErrorAnswer,
        },
        parameters=[
            OpenApiParameter(
                "Idempotency-Key", str, OpenApiParameter.HEADER,
                description="The same key with the same body gets the first answer again; nothing is taken in twice.",
            )
        ],
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Take up to 1,000 order drafts of one shop in and answer what became of each row."""
        raw: bytes = request._request.body  # noqa: SLF001  (read before the parser, so that the bytes as sent are kept)
        client = client_in(request)
        shop = _shop(request.data, client)
        key = _key(request)
        if not key:
            return _take_in(client, shop, raw, fresh_key("api"))
        return _once(client, shop, raw, key)


def _shop(data: Any, client: Client) -> Shop:
    """Return the shop that a well-formed body is for; raises an error that names the field."""
    if not isinstance(data, dict):
        raise InvalidFieldsError(fields=[("", _("must be an object with “shop” and “orders”"))])
    code, orders = data.get("shop"), data.get("orders")
    wrong = []
    if not isinstance(code, str) or not code:
        wrong.append(("shop", _("required: the code of a shop")))
    if not isinstance(orders, list) or not orders:
        wrong.append(("orders", _("required: a list of at least one order")))
    if wrong:
        raise InvalidFieldsError(fields=wrong)
    assert isinstance(code, str) and isinstance(orders, list)
    if len(orders) > MAX_ORDERS:
        reason = _("at most %(most)s orders at once, not %(given)s") % {"most": MAX_ORDERS, "given": len(orders)}
        raise BodyTooLargeError(fields=[("orders", reason)])
    shop = Shop.objects.filter(code=clean_text(code), is_active=True).first()
    if shop is None or not client.may_see(shop.pk):
        raise NotFound(_("There is no such shop."))
    return shop


def _key(request: Request) -> str:
    key: str = request.headers.get("Idempotency-Key", "")
    if len(key) > KEY_LENGTH or not key.isprintable():
        reason = _("at most %(most)s printable characters") % {"most": KEY_LENGTH}
        raise InvalidFieldsError(fields=[("Idempotency-Key", reason)])
    return key


def _once(client: Client, shop: Shop, raw: bytes, key: str) -> Response:
    """Run the first request with this key; answer its repeats with what it got."""
    body_hash = hashlib.sha256(raw).hexdigest()
    ticket = idempotency.begin(token_id=client.token_id, key=key, body_hash=body_hash)
    if ticket.turn is Turn.CONFLICT:
        raise KeyConflictError
    if ticket.turn is Turn.WAIT:
        raise StillRunningError(wait=1)
    if ticket.turn is Turn.REPLAY:
        return Response(ticket.answer, status=ticket.status, headers={"Idempotent-Replayed": "true"})
    try:
        # A delivery is kept longer than its key is remembered: without the body in it, another body would pass for it.
        response = _take_in(client, shop, raw, f"api:{client.token_id}:{key}:{body_hash}")
    except Exception:
        idempotency.give_up(row_id=ticket.row_id)
        raise
    idempotency.finish(row_id=ticket.row_id, status=response.status_code, answer=response.data)
    return response


def _take_in(client: Client, shop: Shop, raw: bytes, delivery_key: str) -> Response:
    """Store the body, then take it in; once stored, a failure that may pass is answered with “accepted”."""
    item = receive(shop=shop, source="api", reader="draft", delivery_key=delivery_key, body=raw)
    try:
        result = hooks.process_inbox(item.pk)
    except (HubError, DatabaseError) as error:
        if isinstance(error, HubError) and error.permanent:
            raise
        log.warning("intake accepted, not yet taken in", inbox_id=item.pk, error=words_of(error), by=client.pk)
        return Response({"inbox_id": item.pk, "state": "accepted", "counts": {}, "rows": []}, status=202)
    answer = {"inbox_id": item.pk, "state": "done", "counts": result.counts(), "rows": result.as_json()}
    return Response(answer)
