"""`/hooks/<shop>/` and `/hooks/warehouse/<code>/`: where platforms and warehouses push. Verified over the raw bytes,
stored, answered; worked on afterwards."""

import structlog
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from channels_sync.connectors.base import connectors
from channels_sync.connectors.exchange import NotOfferedError, PushRefusedError, PushRequest
from channels_sync.services import reports
from channels_sync.services.access import shop_access
from channels_sync.warehouses.base import WarehouseAccess, warehouses
from orderhub.core.errors import HubError
from orderhub.models import Shop, Warehouse
from orderhub.services.inbox import receive_pushes

log = structlog.get_logger(__name__)
RETRY_SECONDS = "5"


@method_decorator(csrf_exempt, name="dispatch")
class PushView(View):
    """One platform's push endpoint for one shop.

    200 only after the events are stored; 503 while the database is away, so that the platform comes again; the
    platform's own refusal status for a wrong signature, with nothing stored.
    """

    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, shop_code: str) -> HttpResponse:
        """Answer a platform's check of the address."""
        return self._take(request, shop_code)

    def post(self, request: HttpRequest, shop_code: str) -> HttpResponse:
        """Take one push in."""
        return self._take(request, shop_code)

    def _take(self, request: HttpRequest, shop_code: str) -> HttpResponse:
        try:
            shop = Shop.objects.filter(code=shop_code, is_active=True).first()
            if shop is None or shop.platform not in connectors:
                return HttpResponse(status=404)
            return self._accept(shop, request)
        except DatabaseError:
            return HttpResponse(status=503, headers={"Retry-After": RETRY_SECONDS})

    @staticmethod
    def _accept(shop: Shop, request: HttpRequest) -> HttpResponse:
        try:
            events, answer = connectors.get(shop.platform).accept_push(shop_access(shop), _told(request))
        except NotOfferedError:
            return HttpResponse(status=404)
        except PushRefusedError as error:
            log.warning("push refused", shop=shop.code, reason=str(error))
            return HttpResponse(status=error.status)
        except HubError:
            return HttpResponse(status=503, headers={"Retry-After": RETRY_SECONDS})
        receive_pushes(
            shop=shop, events=[(e.delivery_key, e.body, e.reader, e.numbers, e.content_type) for e in events]
        )
        return HttpResponse(answer.body, status=answer.status, content_type=answer.content_type)


@method_decorator(csrf_exempt, name="dispatch")
class WarehouseView(View):
    """The callback endpoint of one warehouse.

    Success is answered only after the report is stored, and a refusal in the warehouse system's own form: it comes
    again. 503 while the database is away.
    """

    http_method_names = ["post"]

    def post(self, request: HttpRequest, code: str) -> HttpResponse:
        """Take one callback in."""
        try:
            # One that is switched off gets no new orders; those that it has it still ships.
            warehouse = Warehouse.objects.filter(code=code).first()
            if warehouse is None or warehouse.adapter not in warehouses:
                return HttpResponse(status=404)
            return self._accept(warehouse, request)
        except DatabaseError:
            return HttpResponse(status=503, headers={"Retry-After": RETRY_SECONDS})

    @staticmethod
    def _accept(warehouse: Warehouse, request: HttpRequest) -> HttpResponse:
        adapter = warehouses.get(warehouse.adapter)
        if not adapter.reports:
            return HttpResponse(status=404)
        access = WarehouseAccess(warehouse.code, warehouse.credentials, warehouse.settings)
        try:
            reports.receive(warehouse=warehouse, reports=adapter.accept_report(access, _told(request)))
            answer = adapter.answer_report()
        except HubError as error:
            log.warning("report refused", warehouse=warehouse.code, reason=str(error))
            answer = adapter.answer_report(error)
        return HttpResponse(answer.body, status=answer.status, content_type=answer.content_type)


def _told(request: HttpRequest) -> PushRequest:
    return PushRequest(
        method=request.method or "POST",
        query=request.GET.dict(),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.body,
    )
