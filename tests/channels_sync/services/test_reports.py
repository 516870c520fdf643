"""How long a report is tried; what reports do to orders stands in test_warehouse_hook.py."""

import pytest
from django.db import connection

from channels_sync.services import reports
from orderhub.models import Warehouse, WarehouseReport
from tests.channels_sync.callbacks import step

pytestmark = pytest.mark.django_db


def pause():
    """Return the seconds that the report waits, by the server's clock, which stands still within a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM leased_until - now())::int FROM orderhub_warehousereport")
        return cursor.fetchone()[0]


def test_a_report_of_an_unknown_order_is_tried_for_an_hour():
    warehouse = Warehouse.objects.create(code="WH01", name="WH01", adapter="qimen")
    said = reports.Reported("k", "orderprocess.report", "t-b-T-2", step("t-b-T-2", "PICK").encode())
    reports.receive(warehouse=warehouse, reports=[said])
    pauses = []
    while reports.drain() and WarehouseReport.objects.get().state == "new":
        pauses.append(pause())
        WarehouseReport.objects.update(leased_until=None)
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    assert (WarehouseReport.objects.get().state, sum(pauses) // 60) == ("dead", 62)
