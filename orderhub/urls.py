"""The only place that knows every address."""

from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("ops/", admin.site.urls),
]
