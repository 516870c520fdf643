from datetime import UTC, datetime, timedelta

import pytest

from orderhub.models import (
    ApiToken,
    Effect,
    IdempotentRequest,
    InboxItem,
    Order,
    Receiver,
    Reject,
    Warehouse,
    WarehouseReport,
)
from orderhub.models.inbox import PayloadErasedError, pack
from orderhub.services import retention
from tests.factories import make_order, make_shop
from tests.plans import plan_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kept_days(settings):
    settings.HUB_KEEP_PAYLOAD_DAYS = 30
    settings.HUB_KEEP_EFFECT_DAYS = 180


def ago(days):
    return datetime.now(UTC) - timedelta(days=days)


def keys(model, field="key"):
    return sorted(model.objects.values_list(field, flat=True))


def test_only_deliveries_that_are_done_and_old_go():
    shop = make_shop()
    for key, state, days in (("old", "done", 31), ("young", "done", 29), ("dead", "dead", 90), ("new", "new", 90)):
        InboxItem.objects.create(
            shop=shop, source="push", delivery_key=key, packed_body=b"", state=state, received_at=ago(days)
        )
    assert retention.prune()["orderhub_inboxitem"] == 1
    assert keys(InboxItem, "delivery_key") == ["dead", "new", "young"]
    assert retention.prune()["orderhub_inboxitem"] == 0


def test_receivers_of_orders_that_ended_long_ago_are_erased(settings):
    settings.HUB_KEEP_RECEIVER_DAYS = 100
    for status, days in (("completed", 101), ("completed", 99), ("cancelled", 101), ("picking", 500),
                         ("delivered", 101), ("unpaid", 101)):  # fmt: skip
        make_order(external_no=f"{status}-{days}", status=status, modified_at=ago(days))
    make_order(external_no="just came", status="delivered", modified_at=ago(101), carrier_claim_at=ago(99))
    assert retention.prune()["orderhub_receiver"] == 4
    assert keys(Receiver, "order__external_no") == ["completed-99", "just came", "picking-500"]
    assert Order.objects.count() == 7


@pytest.mark.parametrize("status", ["in_transit", "out_for_delivery", "returning"])
def test_an_order_of_which_nobody_said_a_last_word_keeps_its_receiver_as_long_as_one_that_ended(settings, status):
    """A carrier that signs for nothing, a waybill of another one, a parcel that came back without a word."""
    settings.HUB_KEEP_RECEIVER_DAYS = 100
    make_order(external_no="old", status=status, modified_at=ago(500), warehouse_claim_at=ago(101))
    make_order(external_no="on its way", status=status, modified_at=ago(500), warehouse_claim_at=ago(99))
    assert retention.prune()["orderhub_receiver"] == 1
    assert keys(Receiver, "order__external_no") == ["on its way"]


def test_orders_that_ended_long_ago_are_found_without_reading_all_of_them():
    """Last of all: what grows by the hour is not to wait for what happens once in three years."""
    receivers = retention.plan()[-1]
    assert receivers.table == "orderhub_receiver"
    query = f"SELECT ctid FROM orderhub_receiver WHERE {receivers.condition}"
    assert "order_modified" in plan_of(query, {"days": receivers.days})


def test_reports_of_warehouses_go_once_they_are_done_and_old():
    warehouse = Warehouse.objects.create(code="w", name="w")
    for key, state, days in (("old", "done", 31), ("young", "done", 29), ("dead", "dead", 90), ("new", "new", 90)):
        WarehouseReport.objects.create(
            warehouse=warehouse, delivery_key=key, packed_body=b"", state=state, received_at=ago(days)
        )
    assert retention.prune()["orderhub_warehousereport"] == 1
    assert keys(WarehouseReport, "delivery_key") == ["dead", "new", "young"]


def test_effects_that_wait_or_failed_stay_however_old():
    order = make_order()
    for state in ("done", "cancelled", "pending", "sending", "dead"):
        for days in (179, 181):
            Effect.objects.create(
                shop=order.shop, order=order, kind="sms", key=f"{state}-{days}", state=state, due_at=ago(days),
                created_at=ago(days),
            )  # fmt: skip
    assert retention.prune()["orderhub_effect"] == 2
    gone = {"done-181", "cancelled-181"}
    assert gone.isdisjoint(keys(Effect))
    assert Effect.objects.count() == 8
    assert Order.objects.count() == 1


def test_what_no_handler_carries_out_goes_once_its_order_ended_long_ago():
    for status, days in (("completed", 181), ("completed", 179), ("picking", 500)):
        order = make_order(external_no=f"{status}-{days}", status=status, modified_at=ago(days))
        for kind in ("sms", "popup", "risk_case", "warehouse_heads_up", "wms_push", "shipment"):
            Effect.objects.create(
                shop=order.shop, order=order, kind=kind, key=f"{kind}:{status}-{days}", due_at=ago(days),
                created_at=ago(days),
            )  # fmt: skip
    Effect.objects.create(shop=order.shop, kind="sms", key="done", state="done", due_at=ago(181), created_at=ago(181))
    assert retention.prune()["orderhub_effect"] == 5
    left = [key for key in keys(Effect) if key.endswith("completed-181")]
    assert left == ["shipment:completed-181", "wms_push:completed-181"]
    assert Effect.objects.count() == 14
    assert retention.prune()["orderhub_effect"] == 0


def test_open_rejects_stay():
    shop = make_shop()
    for row, state in enumerate(("open", "taken", "dropped")):
        Reject.objects.create(shop=shop, row=row, reason="r", packed_row=b"", state=state, created_at=ago(31))
    assert retention.prune()["orderhub_reject"] == 2
    assert keys(Reject, "state") == ["open"]


def test_what_waits_for_a_person_loses_its_raw_data_with_the_receivers_and_keeps_its_reason(settings):
    settings.HUB_KEEP_RECEIVER_DAYS = 100
    shop, warehouse = make_shop(), Warehouse.objects.create(code="w", name="w")
    for days in (99, 101):
        key, raw = str(days), pack(b"{}")
        InboxItem.objects.create(
            shop=shop, source="push", delivery_key=key, packed_body=raw, state="dead", received_at=ago(days)
        )
        WarehouseReport.objects.create(
            warehouse=warehouse, delivery_key=key, packed_body=raw, state="dead", received_at=ago(days)
        )
        Reject.objects.create(shop=shop, row=days, reason="r", packed_row=raw, created_at=ago(days))
    emptied = [f"orderhub_{name}_emptied" for name in ("inboxitem", "warehousereport", "reject")]
    assert [[counts[name] for name in emptied] for counts in (retention.prune(), retention.prune())] == [
        [1] * 3,
        [0] * 3,
    ]
    for model, name in ((InboxItem, "body"), (WarehouseReport, "body"), (Reject, "raw_row")):
        old, young = model.objects.order_by("received_at" if name == "body" else "created_at")
        assert getattr(young, name) == b"{}"
        with pytest.raises(PayloadErasedError):
            getattr(old, name)
    assert keys(Reject, "reason") == ["r", "r"]


def test_answers_of_repeatable_requests_are_kept_a_week():
    token = ApiToken.objects.create(name="t", digest="d")
    for days in (6, 8):
        row = IdempotentRequest.objects.create(token=token, key=f"{days}", body_hash="h")
        IdempotentRequest.objects.filter(pk=row.pk).update(created_at=ago(days))
    assert retention.prune()["orderhub_idempotentrequest"] == 1
    assert keys(IdempotentRequest) == ["6"]


def test_a_large_table_is_pruned_in_small_batches(monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(retention, "BATCHES_PER_RUN", 2)
    shop = make_shop()
    for number in range(5):
        InboxItem.objects.create(
            shop=shop, source="push", delivery_key=str(number), packed_body=b"", state="done", received_at=ago(40)
        )
    assert retention.prune()["orderhub_inboxitem"] == 4
    assert retention.prune()["orderhub_inboxitem"] == 1
