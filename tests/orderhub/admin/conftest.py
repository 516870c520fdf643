import pytest
from django.contrib.auth.models import Group
from django.test import Client

from orderhub.console.columns import order_columns
from orderhub.console.dashboard import dashboard_cards
from orderhub.console.filters import order_views
from orderhub.console.panels import order_panels
from orderhub.selectors import overview
from orderhub.services.roles import sync_roles
from tests.factories import make_user

POOL = {
    "lines", "remarks", "receiver", "path", "claims", "parcels", "effects", "timeline",
    "tiles", "hours", "queues", "pressing",
}  # fmt: skip


@pytest.fixture
def person(db):
    """Return a function that logs a person of one role in and returns the client; the person is `client.person`."""
    sync_roles()

    def log_in(role: str) -> Client:
        user = make_user(f"{role}-{Group.objects.count()}", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(user)
        client.person = user
        return client

    return log_in


@pytest.fixture
def supervisor(person):
    return person("supervisor")


@pytest.fixture
def only_pool(monkeypatch):
    """Leave out what features add, so that the number of queries is the pool's own."""
    for registry in (order_panels, order_columns, dashboard_cards):
        items = {key: item for key, item in registry.items() if key in POOL}
        monkeypatch.setattr(registry, "_items", items)
    monkeypatch.setattr("orderhub.admin.order.order_filters", [])
    views = [view for view in order_views if view.key == "all" or view.key in overview._QUEUES]
    monkeypatch.setattr("orderhub.admin.order.OrderAdmin.views", views)
