"""Addresses under `/api/`."""

from django.urls import path, re_path

from orderhub.api.docs import DocsView, SchemaView
from orderhub.api.errors import page_not_found
from orderhub.api.intake import IntakeView
from orderhub.api.orders import OrderListView, OrderSearchView, OrderView

app_name = "api"
urlpatterns = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", DocsView.as_view(), name="docs"),
    path("v1/intake/", IntakeView.as_view(), name="intake"),
    path("v1/orders/", OrderListView.as_view(), name="orders"),
    path("v1/orders/search/", OrderSearchView.as_view(), name="search"),
    path("v1/orders/<int:order_id>/", OrderView.as_view(), name="order"),
    # Unknown addresses are answered here, so that they have the API's error shape in debug mode, too.
    re_path(r"", page_not_found, {"exception": None}),
]
