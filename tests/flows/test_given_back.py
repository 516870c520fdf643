"""Orders that the warehouse gives back, over HTTP both ways: what a retry sends, and what old codes still say."""

import json
from urllib.request import Request, urlopen

import pytest
from django.utils import timezone

from channels_sync.sandbox.floor import Pace
from channels_sync.sandbox.server import Options, Sandbox
from channels_sync.services import reports
from channels_sync.services.push import WarehousePush
from orderhub.models import Effect, Parcel, StockLevel, TimelineEntry, WarehouseReport
from orderhub.services import outbox
from tests.channels_sync.clock import PlatformClock
from tests.factories import make_order

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clock():
    return PlatformClock()


@pytest.fixture
def warehouse(taobao_shop, live_server, settings, clock, transactional_db):
    """An emulated warehouse that works at once and calls the hub back when a test says so."""
    settings.ALLOWED_HOSTS = ["*"]
    pace = Pace(seconds=0, doubled=0, late=0, split=0, sign_seconds=0)
    hooks = {"warehouse": f"{live_server.url}/hooks/warehouse/WH01/"}
    with Sandbox(Options(moves=False, hooks=hooks, pace=pace), now=clock) as sandbox:
        settings.QIMEN_GATEWAY_URL = f"{sandbox.url}/router/qimen/service"
        yield sandbox


@pytest.fixture
def order(taobao_shop):
    """An order that is ready, its piece reserved, its push due."""
    made = make_order(taobao_shop, external_no="T-1", status="ready")
    made.lines.update(sku="A", reserved=1, warehouse="WH01")
    StockLevel.objects.create(sku="A", warehouse="WH01", on_hand=10, reserved=1)
    now = timezone.now()
    Effect.objects.create(shop=taobao_shop, order=made, kind="wms_push", key="wms:T-1", due_at=now, created_at=now)
    return made


def push():
    Effect.objects.filter(state="pending").update(due_at=timezone.now())
    return outbox.drain(kinds=["wms_push"])


def give_back(warehouse, code, **how):
    """Have the warehouse give one delivery order back and tell the hub so."""
    body = json.dumps({"code": code, "node": "REJECT", "info": "超区", **how}).encode()
    urlopen(Request(f"{warehouse.url}/_sandbox/give_back", body), timeout=10).close()
    listen(warehouse)


def listen(warehouse):
    warehouse.warehouse.floor.catch_up()
    WarehouseReport.objects.filter(state="new").update(leased_until=None)
    while reports.drain():
        pass


def retry():
    """Try again as a person does in the console; returns how many dead letters there were."""
    return outbox.retry_dead(effect_ids=list(Effect.objects.values_list("pk", flat=True)), actor="boss")


def at_work(warehouse):
    """Return the delivery orders that the warehouse took, with how often it was told each."""
    return {row["code"]: row["times"] for row in warehouse.store.query("SELECT * FROM deliveries ORDER BY code")}


def state(order):
    order.refresh_from_db()
    effect = Effect.objects.get(kind="wms_push")
    return order.status, order.warehouse_claim, effect.state


def given_back_once(warehouse, order):
    """Push, have it given back, let a person try again."""
    assert push().done == 1
    give_back(warehouse, "tb-T-1")
    assert state(order) == ("wms_failed", "wms_failed", "dead")
    assert retry() == 1


@pytest.mark.parametrize("node", ["REJECT", "CANCELED", "CLOSED"])
def test_a_retry_is_a_delivery_order_of_its_own_that_the_warehouse_really_takes(warehouse, order, node):
    assert push().done == 1
    give_back(warehouse, "tb-T-1", node=node)
    assert retry() == 1
    assert push().done == 1
    assert state(order) == ("wms_accepted", "wms_accepted", "done")
    assert at_work(warehouse) == {"tb-T-1": 1, "tb-T-1-R1": 1}
    listen(warehouse)
    assert state(order) == ("delivered", "delivered", "done")
    assert (Parcel.objects.count(), StockLevel.objects.values_list("on_hand", "reserved").get()) == (1, (9, 0))
    told = TimelineEntry.objects.filter(kind="wms_push").order_by("id").values_list("data", flat=True)
    assert [data.get("code", "") for data in told] == ["", "tb-T-1-R1"]


@pytest.mark.parametrize("fault", ["truncated", "http500"])
def test_tries_of_one_retry_share_its_code(warehouse, order, fault):
    given_back_once(warehouse, order)
    warehouse.faults.add({"kind": fault, "times": 1, "method": "deliveryorder.create"})
    assert push().retried == 1
    assert state(order) == ("wms_queued", "", "pending")
    assert push().done == 1
    assert state(order)[0] == "wms_accepted"
    assert set(at_work(warehouse)) == {"tb-T-1", "tb-T-1-R1"}


def test_a_retry_that_is_refused_outright_keeps_its_code(warehouse, order):
    given_back_once(warehouse, order)
    warehouse.faults.add({"kind": "failure", "times": 1, "message": "货品不存在"})
    assert push().dead == 1
    assert retry() == 1
    assert push().done == 1
    assert set(at_work(warehouse)) == {"tb-T-1", "tb-T-1-R1"}


def test_each_give_back_has_its_own_code(warehouse, order):
    given_back_once(warehouse, order)
    push()
    give_back(warehouse, "tb-T-1-R1")
    assert (state(order), retry()) == (("wms_failed", "wms_failed", "dead"), 1)
    push()
    assert list(at_work(warehouse)) == ["tb-T-1", "tb-T-1-R1", "tb-T-1-R2"]


def test_an_old_delivery_order_says_nothing_of_the_new_one(warehouse, order):
    given_back_once(warehouse, order)
    push()
    give_back(warehouse, "tb-T-1", node="CLOSED", info="已关闭")
    assert state(order)[0] in {"delivered", "in_transit"}
    assert TimelineEntry.objects.filter(data__node="CLOSED").values_list("status_to", "data").get() == (
        "", {"node": "CLOSED", "info": "已关闭", "code": "tb-T-1"},
    )  # fmt: skip


def test_the_warehouse_may_give_back_before_our_own_answer_is_noted(warehouse, order, monkeypatch):
    send = WarehousePush.send

    def slow(self, prepared):
        answer = send(self, prepared)
        give_back(warehouse, "tb-T-1")
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(WarehousePush, "send", slow)
        push()
    assert state(order) == ("wms_failed", "wms_failed", "dead")
    assert retry() == 1
    push()
    assert list(at_work(warehouse)) == ["tb-T-1", "tb-T-1-R1"]


def test_what_was_given_back_while_its_push_waits_is_not_pushed_again_by_itself(warehouse, order):
    warehouse.faults.add({"kind": "truncated", "times": 1, "method": "deliveryorder.create"})
    assert push().retried == 1
    give_back(warehouse, "tb-T-1")
    assert push().dead == 1
    assert state(order) == ("wms_failed", "wms_failed", "dead")
    assert list(at_work(warehouse)) == ["tb-T-1"]
