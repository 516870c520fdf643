"""The schema and its page; both work offline, with scripts from this server only."""

from csp.decorators import csp_update
from django.utils.decorators import method_decorator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.renderers import TemplateHTMLRenderer

from orderhub.api.scheme import TokenScheme

__all__ = ["DocsView", "SchemaView", "TokenScheme"]


class SchemaView(SpectacularAPIView):  # type: ignore[misc]
    """The OpenAPI document, as YAML or with `?format=json` as JSON."""

    renderer_classes = [OpenApiYamlRenderer, OpenApiJsonRenderer]


@method_decorator(csp_update({"style-src": ["'self'", "'unsafe-inline'"]}), name="dispatch")
class DocsView(SpectacularSwaggerSplitView):  # type: ignore[misc]
    """Swagger UI; its page styles itself inline, so this one page may."""

    renderer_classes = [TemplateHTMLRenderer]
    url_name = "api:schema"
