"""The warehouse at work: what it tells the hub, when, and how often."""

from urllib.parse import parse_qsl, urlsplit
from xml.etree.ElementTree import fromstring

import pytest

from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.floor import GIVES_BACK, MOST_TRIES, Pace
from channels_sync.sandbox.server import Options, Sandbox
from channels_sync.sandbox.signatures import is_signed
from tests.channels_sync.clock import PlatformClock
from tests.channels_sync.sandbox.test_qimen import delivery_order
from tests.channels_sync.wire import Wire

SUCCESS = b"<response><flag>success</flag><code>0</code><message>ok</message></response>"
FAILURE = b"<response><flag>failure</flag><code>1</code><message>no</message></response>"


@pytest.fixture
def hub():
    with Wire() as server:
        server.body(SUCCESS)
        yield server


@pytest.fixture
def clock():
    return PlatformClock()


def warehouse(hub, clock, **pace):
    exact = {"doubled": 0, "late": 0, "split": 0, **pace}
    return Sandbox(Options(moves=False, hooks={"warehouse": hub.url}, pace=Pace(**exact)), now=clock)


def take(sandbox, code="DO1", source="M1"):
    body = delivery_order(code=code, source=source)
    with sandbox.store.transaction():
        sandbox.warehouse._create(body, fromstring(body))
    return sandbox.warehouse.floor


def told(hub):
    """Return method, step and body of each callback that arrived, checking its signature."""
    found = []
    for head, body in hub.requests:
        query = dict(parse_qsl(urlsplit(head.split(b" ")[1].decode()).query))
        assert is_signed(query, SANDBOX.qimen_secret, body.decode())
        root = fromstring(body)
        step = root.findtext("process/processStatus") or root.findtext("deliveryOrder/status")
        found.append((query["method"].removeprefix("taobao.qimen."), step, root))
    return found


def test_an_order_is_worked_through_in_its_time(hub, clock):
    with warehouse(hub, clock, seconds=20, sign_seconds=5) as sandbox:
        floor = take(sandbox)
        assert floor.step() == 0.5
        clock.forward(17)
        assert floor.step() == 0.0
        assert [step for _, step, _ in told(hub)] == ["ACCEPT", "PICK", "PACKAGE", "READY"]
        clock.forward(8)
        floor.step()
    assert [step for _, step, _ in told(hub)][4:] == ["DELIVERED", "SIGN"]
    method, _, root = told(hub)[4]
    assert method == "deliveryorder.confirm"
    assert (root.findtext("deliveryOrder/confirmType"), root.findtext("deliveryOrder/outBizCode")) == (
        "0", "WMS0000000001-1",
    )  # fmt: skip
    (item,) = root.findall("packages/package/items/item")
    assert (item.findtext("itemCode"), item.findtext("quantity")) == ("SKU1", "2")


def test_split_orders_leave_piece_by_piece_and_no_piece_twice(hub, clock):
    with warehouse(hub, clock, split=1) as sandbox:
        for code in ("DO1", "DO2", "DO3", "DO4"):
            take(sandbox, code)
        sandbox.warehouse.floor.catch_up()
    parcels, confirms = {}, {}
    for method, _, root in told(hub):
        if method == "deliveryorder.confirm":
            code = root.findtext("deliveryOrder/deliveryOrderCode")
            confirms.setdefault(code, []).append(root.findtext("deliveryOrder/confirmType"))
            counts = [int(item.findtext("quantity")) for item in root.findall("packages/package/items/item")]
            parcels.setdefault(code, []).extend(counts)
    assert list(parcels.values()) == [[1, 1]] * 4
    assert set(map(tuple, confirms.values())) == {("0",), ("1", "0")}


def test_a_callback_is_repeated_until_the_hub_says_success_and_then_never_again(hub, clock):
    hub.answers.clear()
    hub.body(FAILURE)
    hub.body(b"", status="503 Service Unavailable")
    hub.body(SUCCESS)
    with warehouse(hub, clock) as sandbox:
        assert take(sandbox).catch_up() == 8
        assert [(call["tries"], call["state"]) for call in sandbox.warehouse.floor.calls("DO1")][-1] == (2, "done")
        assert sandbox.warehouse.floor.catch_up() == 0


def test_a_hub_that_never_answers_is_given_up(hub, clock):
    hub.answers.clear()
    hub.body(FAILURE)
    with warehouse(hub, clock) as sandbox:
        take(sandbox).catch_up()
        assert {(call["tries"], call["state"]) for call in sandbox.warehouse.floor.calls()} == {(MOST_TRIES, "lost")}


def test_faults_double_reverse_and_lose_callbacks(hub, clock):
    with warehouse(hub, clock) as sandbox:
        sandbox.faults.add({"kind": "out_of_order", "method": "qimen.callback"})
        sandbox.faults.add({"kind": "duplicates", "method": "deliveryorder.confirm"})
        sandbox.faults.add({"kind": "answer_lost", "method": "orderprocess.report"})
        take(sandbox).catch_up()
    steps = [step for _, step, _ in told(hub)]
    assert steps == ["SIGN", "DELIVERED", "DELIVERED", "READY", "PACKAGE", "PICK", "ACCEPT", "SIGN"]


def test_an_order_is_given_back_on_demand_and_nothing_more_is_done_for_it(hub, clock):
    with warehouse(hub, clock, seconds=20) as sandbox:
        floor = take(sandbox)
        clock.forward(8)
        floor.step()
        assert not floor.is_given_back("DO1")
        assert floor.give_back("DO1", "CANCELED", "客服取消")
        floor.catch_up()
        assert floor.is_given_back("DO1")
    assert [step for _, step, _ in told(hub)] == ["ACCEPT", "PICK", "CANCELED"]
    assert told(hub)[-1][2].findtext("process/operateInfo") == "客服取消"


def test_what_cannot_be_given_back_is_told(hub, clock):
    with warehouse(hub, clock) as sandbox:
        floor = take(sandbox)
        assert not floor.give_back("DO2")
        with pytest.raises(ValueError, match="REJECT, CANCELED, CLOSED"):
            floor.give_back("DO1", "PICK")


def test_a_part_of_the_orders_is_given_back_in_the_middle_of_the_work(hub, clock):
    with warehouse(hub, clock, gives_back=1) as sandbox:
        take(sandbox).catch_up()
    *steps, last = [step for _, step, _ in told(hub)]
    assert steps == ["ACCEPT", "PICK"]
    assert last in GIVES_BACK


def test_what_was_received_is_closed_by_its_platform(hub, clock):
    with warehouse(hub, clock, complete_seconds=0) as sandbox:
        (number,) = sandbox.live.make(1)
        order = sandbox.store.get(number)
        order.draft["status"] = "in_transit"
        sandbox.store.save(order)
        take(sandbox, source=number).catch_up()
        sandbox.live.beat(0)
        assert sandbox.store.get(number).draft["status"] == "completed"
