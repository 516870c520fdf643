"""What a Taobao shop is told and what it keeps for the hub, by the real connector against the sandbox."""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from channels_sync.connectors.base import AuthorisationError, ShopAccess, ThrottledError, Window, connectors
from channels_sync.connectors.exchange import Memo, Sealed, Shipment, ShippedLine, StockWrite
from channels_sync.connectors.taobao import events, receivers, refunds, writes
from channels_sync.connectors.taobao.client import RefusedError
from channels_sync.connectors.taobao.pull import FULL, LIST, REFUSED_KEY
from channels_sync.readers import read
from channels_sync.sandbox import catalogue, top_orders
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.trades import oids
from orderhub.core.errors import HubError, TemporaryError


class Budget:
    """Takes no time and notes what it was told."""

    def __init__(self):
        self.calls, self.blocked = 0, []

    def take(self, calls):
        self.calls += calls
        return [time.monotonic()] * calls

    def block(self, seconds):
        self.blocked.append(seconds)


class Side:
    def __init__(self, platform):
        self.platform = platform
        self.settings = {}
        self.budgets = {}
        self.credentials = {
            "app_key": SANDBOX.app_key, "app_secret": SANDBOX.app_secret, "session": SANDBOX.session,
        }  # fmt: skip
        self.connector = connectors.get("taobao")

    @property
    def access(self):
        return ShopAccess(
            shop_id=1, code="tb", credentials=self.credentials, settings=self.settings,
            budget=lambda key, _rate: self.budgets.setdefault(key, Budget()), known=lambda _versions: set(),
        )  # fmt: skip

    def fault(self, kind, **options):
        self.platform.faults.add({"kind": kind, **options})

    def queues(self, what):
        """Return what each queue noted, by its name; that of the pull is named by the application key."""
        return {key.rpartition(":")[2]: getattr(budget, what) for key, budget in self.budgets.items()}

    def told(self, kind):
        return [(write["key"], write["body"]) for write in self.platform.store.writes("taobao", kind)]

    def draft(self, number):
        """Return what the reader makes of the order as it is now."""
        (page,) = self.connector.fetch(self.access, [number])
        (row,) = read(page.reader, page.body)
        return row.draft

    def paid(self, lines=1):
        for number in self.platform.live.make(60):
            draft = self.platform.store.get(number).draft
            if draft["status"] == "paid" and not draft["channel_hold"] and len(draft["lines"]) >= lines:
                return number
        raise AssertionError("no such order in sixty")


@pytest.fixture
def side(platform):
    return Side(platform)


def sku(place, quantity, **changes):
    article = catalogue.articles()[place]
    given = {
        "item_id": str(article.item_id), "sku_id": str(article.item_id * 10 + 1), "outer_id": article.sku,
        "quantity": quantity, "key": f"k{place}",
    }  # fmt: skip
    return StockWrite(**{**given, **changes})


def parcel(number, **changes):
    return Shipment(**{"external_no": number, "carrier": "YTO", "tracking_no": "YT0001", **changes})


def test_stock_is_set_however_often_it_is_told(side):
    for quantity in (7, 7, 0):
        (result,) = side.connector.write_stock(side.access, [sku(0, quantity)])
        assert (result.key, result.error) == ("k0", None)
    assert [(told["quantity"], told["type"]) for _key, told in side.told("stock")] == [(0, 1), (7, 1), (7, 1)]


def test_a_sku_that_is_gone_stops_no_other_of_its_item(side):
    gone = sku(0, 5, sku_id="4711", key="gone")
    results = side.connector.write_stock(side.access, [sku(0, 0), gone, sku(1, 6)])
    assert [(result.key, type(result.error)) for result in results] == [
        ("k0", type(None)), ("gone", RefusedError), ("k1", type(None)),
    ]  # fmt: skip
    assert [told["quantity"] for _key, told in side.told("stock")] == [0, 6]


def test_a_call_limit_among_single_skus_is_that_of_all_left(side):
    side.fault("throttle", method=writes.ITEM_STOCK)
    gone = sku(0, 5, sku_id="4711", key="gone")
    results = side.connector.write_stock(side.access, [sku(0, 0), gone, sku(1, 6, sku_id="")])
    assert [type(result.error) for result in results] == [ThrottledError] * 3
    assert side.told("stock") == []


def test_skus_of_one_item_share_a_call_and_items_without_have_their_own(side):
    rows = [sku(0, 5), sku(0, 5, key="again"), sku(1, 6, sku_id=""), sku(2, 7)]
    side.fault("slow", method=writes.SKU_STOCK, times=99, seconds=0)
    side.fault("slow", method=writes.ITEM_STOCK, times=99, seconds=0)
    results = side.connector.write_stock(side.access, rows)
    assert [result.key for result in results] == ["k0", "again", "k1", "k2"]
    assert all(result.error is None for result in results)
    assert [fault["fired"] for fault in side.platform.faults.listing()] == [2, 1]


def test_an_item_that_is_refused_does_not_stop_the_others(side):
    rows = [sku(0, 5), sku(1, 6, item_id="1"), sku(2, 7, item_id=""), sku(3, -4)]
    results = side.connector.write_stock(side.access, rows)
    assert [result.error is None for result in results] == [True, False, False, True]
    assert [told["quantity"] for _key, told in side.told("stock")] == [0, 5]


@pytest.mark.parametrize("kind", ["http500", "disconnect", "truncated", "remote_error", "answer_lost"])
def test_a_passing_fault_does_not_lose_a_stock_write(side, kind):
    side.fault(kind, method=writes.SKU_STOCK)
    (result,) = side.connector.write_stock(side.access, [sku(0, 9)])
    assert result.error is None
    assert side.told("stock")[0][1]["quantity"] == 9


@pytest.mark.parametrize(("kind", "error"), [("throttle", TemporaryError), ("expired_token", AuthorisationError)])
def test_a_lasting_fault_is_the_result_of_its_item(side, kind, error):
    side.fault(kind, method=writes.SKU_STOCK, times=99)
    (result,) = side.connector.write_stock(side.access, [sku(0, 9)])
    assert isinstance(result.error, error)
    assert side.told("stock") == []


def test_a_whole_order_is_shipped_once(side):
    number = side.paid(lines=2)
    for _ in range(2):
        side.connector.ship(side.access, parcel(number))
    ((key, told),) = side.told("shipment")
    assert (key, told["company_code"], told["out_sid"]) == (number, "YTO", "YT0001")
    assert told["lines"] == oids(side.platform.store.get(number).draft)
    assert (side.draft(number).status, side.draft(number).channel_status) == ("in_transit", "WAIT_BUYER_CONFIRM_GOODS")


def test_a_shipment_in_parts(side):
    number = side.paid(lines=2)
    first, *rest = [ShippedLine(line.line_no, line.quantity) for line in side.draft(number).lines]
    side.connector.ship(side.access, parcel(number, lines=[first], is_final=False))
    assert side.draft(number).channel_status == "SELLER_CONSIGNED_PART"
    side.connector.ship(side.access, parcel(number, tracking_no="YT0002", lines=rest))
    assert side.draft(number).channel_status == "WAIT_BUYER_CONFIRM_GOODS"
    assert [told["out_sid"] for _key, told in side.told("shipment")] == ["YT0002", "YT0001"]


def test_carriers_are_named_as_the_shop_says(side):
    side.settings["carrier_codes"] = {"JT": "JTSD"}
    side.connector.ship(side.access, parcel(side.paid(), carrier="JT"))
    assert side.told("shipment")[0][1]["company_code"] == "JTSD"


def test_an_answer_that_was_lost_is_looked_up_instead_of_sent_again(side):
    number = side.paid()
    side.fault("answer_lost", method=writes.SHIP)
    side.connector.ship(side.access, parcel(number))
    assert len(side.told("shipment")) == 1


def collected(side):
    """Return a trade whose courier collects the money."""
    number = side.paid(lines=2)
    order = side.platform.store.get(number)
    order.draft["raw"]["type"] = "cod"
    side.platform.store.save(order)
    return number


def test_cash_on_delivery_is_shipped_by_the_call_that_takes_it(side):
    number = collected(side)
    assert side.draft(number).channel_hold == "cod"
    side.connector.ship(side.access, parcel(number))
    ((key, told),) = side.told("shipment")
    assert (key, told["out_sid"], told["lines"]) == (number, "YT0001", oids(side.platform.store.get(number).draft))
    assert side.draft(number).channel_status == "WAIT_BUYER_CONFIRM_GOODS"


def test_cash_on_delivery_is_told_once_though_the_answer_was_lost(side):
    number = collected(side)
    side.fault("answer_lost", method=writes.SHIP_COLLECT)
    for _ in range(2):
        side.connector.ship(side.access, parcel(number))
    assert len(side.told("shipment")) == 1


def given_back(side, number, *places):
    order = side.platform.store.get(number)
    for place in places:
        order.draft["lines"][place]["refund"] = "done"
    side.platform.store.save(order)
    return oids(order.draft)


def test_a_second_try_wants_no_number_on_a_line_that_was_given_back(side):
    number = side.paid(lines=2)
    _gone, *kept = given_back(side, number, 0)
    side.fault("answer_lost", method=writes.SHIP)
    for _ in range(2):
        side.connector.ship(side.access, parcel(number))
    assert [told["lines"] for _key, told in side.told("shipment")] == [kept]
    assert side.draft(number).channel_status == "WAIT_BUYER_CONFIRM_GOODS"


def test_a_line_of_which_a_part_of_the_money_went_back_gets_its_number(side, monkeypatch):
    number, shown = side.paid(lines=2), top_orders.trade

    def partly_refunded(draft, credentials):
        whole = shown(draft, credentials)
        whole["orders"]["order"][0]["refund_status"] = "SUCCESS"
        return whole

    monkeypatch.setattr(top_orders, "trade", partly_refunded)
    numbers = oids(side.platform.store.get(number).draft)
    side.connector.ship(side.access, parcel(number, lines=[ShippedLine(oid, 1) for oid in numbers]))
    assert [told["lines"] for _key, told in side.told("shipment")] == [numbers]


def test_a_part_leaves_out_a_line_that_was_given_back(side):
    number = side.paid(lines=2)
    gone, kept, *_ = given_back(side, number, 0)
    side.connector.ship(side.access, parcel(number, lines=[ShippedLine(gone, 1), ShippedLine(kept, 1)]))
    assert [told["lines"] for _key, told in side.told("shipment")] == [[kept]]


def test_a_parcel_of_nothing_but_what_was_given_back_is_the_platforms_to_refuse(side):
    number = side.paid(lines=2)
    gone, *_ = given_back(side, number, 0)
    with pytest.raises(RefusedError):
        side.connector.ship(side.access, parcel(number, lines=[ShippedLine(gone, 1)]))
    assert side.told("shipment") == []


def test_a_parcel_that_never_arrived_is_for_the_next_try(side):
    number = side.paid()
    side.fault("disconnect", method=writes.SHIP)
    with pytest.raises(TemporaryError):
        side.connector.ship(side.access, parcel(number))
    assert side.told("shipment") == []
    side.connector.ship(side.access, parcel(number))
    assert len(side.told("shipment")) == 1


def test_what_the_platform_refuses_is_permanent(side):
    number = side.paid()
    for change in ({"lines": [ShippedLine("1", 1)]}, {"external_no": "4" * 19}):
        with pytest.raises(HubError) as refused:
            side.connector.ship(side.access, parcel(number, **change))
        assert refused.value.permanent
    assert side.told("shipment") == []


@pytest.mark.parametrize(
    ("flag", "told", "shown"),
    [("red", "1", "red"), ("purple", "5", "purple"), ("grey", "0", "grey"), ("orange", "", None)],
)
def test_memo_and_flag(side, flag, told, shown):
    number = side.paid()
    before = side.draft(number).flag
    side.connector.write_memo(side.access, Memo(number, "先发 🎁", flag))
    assert side.told("memo") == [(number, {"memo": "先发 🎁", "flag": told})]
    draft = side.draft(number)
    assert draft.seller_remark == "先发 🎁"
    assert draft.flag == (shown or ("grey" if before == "none" else before))


def test_a_memo_fits_the_platforms_bytes_and_an_empty_one_takes_it_away(side):
    number = side.paid()
    side.connector.write_memo(side.access, Memo(number, "急" * 400, "none"))
    assert side.draft(number).seller_remark == "急" * 333
    side.connector.write_memo(side.access, Memo(number, "", "none"))
    assert side.draft(number).seller_remark == ""
    assert writes.cut("a🎁", 3) == "a"


def test_every_call_that_tells_of_a_parcel_or_a_memo_takes_a_turn(side):
    number = side.paid()
    side.connector.ship(side.access, parcel(number))
    assert (side.queues("calls")["writes"], len(side.told("shipment"))) == (2, 1)
    side.connector.write_memo(side.access, Memo(number, "先发", "red"))
    others = (SANDBOX.app_key, "stock", "events", "receivers", "refunds")
    assert side.queues("calls") == {**dict.fromkeys(others, 0), "writes": 3}


def whole_hour(side):
    now = datetime.now(UTC)
    return list(side.connector.pull(side.access, Window(now - timedelta(hours=1), now)))


LIMITED = {
    LIST: (SANDBOX.app_key, whole_hour),
    refunds.METHOD: ("refunds", whole_hour),
    writes.SKU_STOCK: ("stock", lambda side: side.connector.write_stock(side.access, [sku(0, 9)])),
    writes.SHIP: ("writes", lambda side: side.connector.ship(side.access, parcel(side.paid()))),
    writes.MEMO: ("writes", lambda side: side.connector.write_memo(side.access, Memo(side.paid(), "急", "red"))),
    events.CONSUME: ("events", lambda side: side.connector.events(side.access)),
    receivers.METHOD: ("receivers", lambda side: side.connector.reveal(side.access, [Sealed("1", "name", "token")])),
}
"""The queue of each kind of calls, and what makes one."""


@pytest.mark.parametrize("method", LIMITED)
@pytest.mark.parametrize(("scope", "is_wide"), [("app", True), ("api", False), ("app_api", False)])
def test_a_ban_on_the_application_holds_for_all_queues_and_one_on_a_method_for_its_own(side, method, scope, is_wide):
    queue, call = LIMITED[method]
    side.fault("throttle", method=method, seconds=9, scope=scope)
    with suppress(ThrottledError):
        call(side)
    banned = side.queues("blocked")
    assert set(banned) == {SANDBOX.app_key, "stock", "events", "receivers", "refunds", "writes"}
    assert {name for name, seconds in banned.items() if seconds == [9]} == (set(banned) if is_wide else {queue})


def test_messages_come_until_they_are_confirmed(side):
    made = side.platform.live.make(5)
    first, again = (list(side.connector.events(side.access)) for _ in range(2))
    assert [event.delivery_key for event in first] == [event.delivery_key for event in again]
    assert {number for event in first for number in event.numbers} == set(made)
    side.connector.confirm(side.access, [event.delivery_key for event in first[:3]])
    assert side.connector.events(side.access) == first[3:]
    side.connector.confirm(side.access, [event.delivery_key for event in first])
    assert side.connector.events(side.access) == []


def test_a_change_between_reading_and_confirming_is_told(side):
    (number,) = side.platform.live.make(1)
    (event,) = side.connector.events(side.access)
    side.platform.live.change(number, "note")
    side.connector.confirm(side.access, [event.delivery_key])
    (later,) = side.connector.events(side.access)
    assert (later.numbers, later.delivery_key != event.delivery_key) == ((number,), True)


def test_messages_of_another_shop_are_left_alone(side):
    side.platform.live.make(2)
    side.settings["tmc_user_id"] = "1"
    assert side.connector.events(side.access) == []
    side.settings["tmc_user_id"] = SANDBOX.seller_id
    assert len(side.connector.events(side.access)) == 2


def test_the_authorisation_tells_whose_messages_are_the_shops(side):
    side.platform.live.make(2)
    side.credentials |= side.connector.obtain_token(side.access, SANDBOX.authorization_code)
    assert side.credentials["taobao_user_id"] == SANDBOX.seller_id
    assert len(side.connector.events(side.access)) == 2
    side.credentials["taobao_user_id"] = "1"
    assert side.connector.events(side.access) == []
    side.settings["tmc_user_id"] = SANDBOX.seller_id
    assert len(side.connector.events(side.access)) == 2


@pytest.mark.parametrize(
    ("row", "numbers"),
    [
        ({"topic": "taobao_trade_TradeChanged", "content": '{"tid": 4012345678901234567}'}, ("4012345678901234567",)),
        ({"topic": "taobao_refund_RefundCreated", "content": '{"tid": "12"}'}, ("12",)),
        ({"topic": "taobao_item_ItemUpdate", "content": '{"tid": 12}'}, ()),
        ({"topic": "taobao_trade_TradeChanged", "content": "{"}, ()),
        ({"topic": "taobao_trade_TradeChanged", "content": "[]"}, ()),
        ({"topic": "taobao_trade_TradeChanged", "content": '{"tid": "x"}'}, ()),
        ({}, ()),
    ],
)
def test_what_a_message_names(row, numbers):
    assert events._numbers(row) == numbers


def test_single_orders_are_fetched_and_a_refused_one_is_marked(side):
    made = side.platform.live.make(3)
    pages = list(side.connector.fetch(side.access, [made[0], "4" * 19, made[2], made[0]]))
    rows = {str(row["tid"]): row for page in pages for row in orjson.loads(page.body)["trades"]}
    assert set(rows) == {made[0], made[2], "4" * 19}
    assert [number for number, row in rows.items() if REFUSED_KEY in row] == ["4" * 19]
    assert [page.rows for page in pages] == [3]
    side.fault("http500", method=FULL, times=99)
    (page,) = side.connector.fetch(side.access, made)
    assert (page.rows, set(page.later)) == (0, set(made))
    assert list(side.connector.fetch(side.access, [])) == []
