"""`/healthz`, `/readyz` and `/metrics`, for probes and Prometheus."""

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from orderhub.api.auth import PREFIX
from orderhub.core.caller import is_on_this_machine
from orderhub.selectors.figures import figures
from orderhub.selectors.health import parts
from orderhub.services.access import METRICS_READ, client_of


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer that this process serves; asks nothing else."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 when every part works, else 503 with the parts that do not; why is told to trusted callers only."""
    checked = parts()
    is_ready = not any(part.problem for part in checked)
    details = is_trusted(request) if is_ready or checked[-1].name != "database" else is_on_this_machine(request)
    told = {part.name: _told(part.problem, details) for part in checked}
    return JsonResponse(
        {"status": "ready" if is_ready else "not ready", "parts": told}, status=200 if is_ready else 503
    )


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer Prometheus, for a token with the scope metrics:read or a caller on this machine."""
    if not is_trusted(request):
        return HttpResponse("metrics need a token with the scope metrics:read\n", "text/plain", 403)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(TableCollector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class TableCollector(Collector):
    """Offers the figures as gauges."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield one gauge family per figure."""
        for figure in figures():
            family = GaugeMetricFamily(figure.name, figure.help, labels=figure.labels)
            for values, number in figure.samples:
                family.add_metric(values, number)
            yield family


def is_trusted(request: HttpRequest) -> bool:
    """Tell whether the caller is on this machine or holds a token for figures."""
    if is_on_this_machine(request):
        return True
    header = request.headers.get("Authorization", "")
    client = client_of(header[len(PREFIX) :].strip()) if header.lower().startswith(PREFIX) else None
    return client is not None and METRICS_READ in client.scopes


def _told(problem: str, details: bool) -> str:
    if not problem:
        return "ok"
    return problem if details else "failed"
