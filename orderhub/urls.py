"""The only place that knows every address."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from channels_sync.authorisation import AuthorisedView, AuthoriseView, CodeView
from channels_sync.webhooks import PushView, WarehouseView
from orderhub.api import health
from orderhub.desk import errors
from orderhub.desk.views.start import start

urlpatterns = [
    path("", start, name="start"),
    # One door for desk and console, so that its limits hold for both.
    path("ops/login/", RedirectView.as_view(pattern_name="desk:login", query_string=True)),
    path("ops/", admin.site.urls),
    path("desk/", include("orderhub.desk.urls")),
    path("api/", include("orderhub.api.urls")),
    path("hooks/warehouse/<str:code>/", WarehouseView.as_view(), name="warehouse_report"),
    path("hooks/<slug:shop_code>/", PushView.as_view(), name="push"),
    path("channels/<int:shop_id>/authorise/", AuthoriseView.as_view(), name="authorise"),
    path("channels/<int:shop_id>/code/", CodeView.as_view(), name="authorise_code"),
    path("channels/authorised/", AuthorisedView.as_view(), name="authorised"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]

handler400 = errors.bad_request
handler403 = errors.permission_denied
handler404 = errors.page_not_found
handler500 = errors.server_error
