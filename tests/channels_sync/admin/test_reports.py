import pytest

from channels_sync.services import reports
from orderhub.models import Warehouse, WarehouseReport
from tests.channels_sync.callbacks import step

LIST = "/ops/orderhub/warehousereport/"


@pytest.fixture
def warehouse(db):
    return Warehouse.objects.create(code="WH01", name="仓")


def make_report(warehouse, state="dead", **values):
    key = f"k{WarehouseReport.objects.count()}"
    report = WarehouseReport(
        warehouse=warehouse,
        delivery_key=key,
        method="orderprocess.report",
        order_code=f"tb-{key}",
        state=state,
        **values,
    )
    report.body = step(f"tb-{key}", "PICK").encode()
    report.save()
    return report


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_needs_a_fixed_number_of_queries(log_in, warehouse, rows, django_assert_num_queries):
    client = log_in("supervisor")
    for _ in range(rows):
        make_report(warehouse)
    client.get(LIST)
    with django_assert_num_queries(6):
        assert client.get(LIST).content.decode().count("<tr data-href") == rows


def test_reports_that_wait_for_a_person_come_first_with_their_reason(log_in, warehouse):
    lost = make_report(warehouse, last_error="The hub knows no order <b>.")
    done = make_report(warehouse, "done")
    client = log_in("warehouse")
    body = client.get(LIST).content.decode()
    assert f"{LIST}{lost.pk}/change/" in body
    assert f"{LIST}{done.pk}/change/" not in body
    assert "knows no order &lt;b&gt;" in body
    assert f"{LIST}{done.pk}/change/" in client.get(f"{LIST}?view=all").content.decode()


@pytest.mark.parametrize(("role", "states"), [("warehouse", ["new", "done"]), ("auditor", ["dead", "done"])])
def test_those_who_may_have_them_worked_on_again(log_in, warehouse, role, states):
    rows = [make_report(warehouse, attempts=9), make_report(warehouse, "done", attempts=1)]
    log_in(role).post(LIST, {"action": "retry", "_selected_action": [row.pk for row in rows]})
    assert list(WarehouseReport.objects.order_by("pk").values_list("state", flat=True)) == states
    if role == "warehouse":
        assert reports.drain() == 1
