import pytest

from channels_sync.connectors.base import AuthorisationError, QueueFullError, ThrottledError
from channels_sync.connectors.exchange import Memo, NotOfferedError, PushRequest, Shipment, StockWrite
from channels_sync.connectors.jd.client import RefusedError
from channels_sync.connectors.jd.pull import SEARCH
from channels_sync.connectors.jd.readback import STOCK as STOCK_READ
from channels_sync.connectors.jd.writes import CARRIERS, NOTE, SHIP, STOCK, STOCK_BATCH
from channels_sync.connectors.readback import StockItem
from channels_sync.sandbox.catalogue import articles
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.jd_view import sku_id
from orderhub.core.errors import HubError, TemporaryError


def stock(sku, quantity, key="k1"):
    return StockWrite(item_id="1", sku_id=sku_id(sku), outer_id=sku, quantity=quantity, key=key)


def told(platform, kind, key=""):
    return [write["body"] for write in platform.store.writes("jd", kind, key)][::-1]


def test_stock_is_set_absolutely(shop, platform):
    results = shop.connector.write_stock(shop.access, [stock("SERUM-30", 12, "a"), stock("MASK-20", -3, "b")])
    assert [(result.key, result.error) for result in results] == [("a", None), ("b", None)]
    assert [(body["sku"], body["quantity"]) for body in told(platform, "stock")] == [("SERUM-30", 12), ("MASK-20", 0)]


def test_some_skus_are_refused_and_the_others_taken(shop, platform):
    unknown = StockWrite(item_id="1", sku_id="999", outer_id="GONE", quantity=4, key="x")
    good, bad = shop.connector.write_stock(shop.access, [stock("SERUM-30", 5, "a"), unknown])
    assert good.error is None
    assert (type(bad.error), bad.key) == (RefusedError, "x")
    assert [body["sku"] for body in told(platform, "stock")] == ["SERUM-30"]


def test_an_item_without_a_sku_id_is_refused_by_itself_and_not_sent(shop, platform):
    nameless = StockWrite(item_id="1", sku_id="", outer_id="SERUM-30", quantity=4, key="x")
    results = shop.connector.write_stock(shop.access, [nameless, stock("MASK-20", 6, "b")])
    assert {result.key: type(result.error) for result in results} == {"x": RefusedError, "b": type(None)}
    assert [body["sku"] for body in told(platform, "stock")] == ["MASK-20"]
    (refused,) = shop.connector.write_stock(shop.access, [nameless])
    assert str(refused.error) == "渠道商品没有 SKU 编号。"


def test_the_same_write_repeated_counts_once(shop, platform):
    rows = [stock("SERUM-30", 5, "a"), stock("MASK-20", 6, "b")]
    for _ in range(2):
        assert all(result.error is None for result in shop.connector.write_stock(shop.access, rows))
    assert len(told(platform, "stock")) == 2
    shop.connector.write_stock(shop.access, [stock("SERUM-30", 4, "c")])
    assert [body["quantity"] for body in told(platform, "stock", "SERUM-30")] == [5, 4]


def test_a_sku_whose_stock_is_refused_stops_no_other(shop, platform):
    items = [StockItem("1", sku_id(sku), sku) for sku in ("SERUM-30", "MASK-20")]
    platform.faults.add({"kind": "refused", "method": STOCK_READ, "number": sku_id("SERUM-30")})
    refused, other = shop.connector.read_stock(shop.access, items)
    assert (type(refused.error), refused.error.code) == (RefusedError, "10100018")
    assert (other.quantity, other.error) == (100, None)


def test_a_full_batch_fits_in_one_call(shop, platform):
    rows = [stock(article.sku, 7, article.sku) for article in articles()[:STOCK_BATCH]]
    assert shop.connector.stock_batch == len(rows) == 30
    assert not [result for result in shop.connector.write_stock(shop.access, rows) if result.error]
    refused = shop.connector.write_stock(shop.access, [*rows, stock("SERUM-30", 7, "x")])
    assert all(isinstance(result.error, HubError) for result in refused)


@pytest.mark.parametrize("kind", ["http500", "truncated", "remote_error", "disconnect"])
def test_a_stock_write_whose_answer_is_lost_is_repeated_and_counts_once(shop, platform, kind):
    platform.faults.add({"kind": kind, "method": STOCK, "times": 1})
    (result,) = shop.connector.write_stock(shop.access, [stock("SERUM-30", 5)])
    assert result.error is None
    assert len(told(platform, "stock")) == 1


def test_failures_of_the_whole_stock_call(shop, platform):
    platform.faults.add({"kind": "http500", "method": STOCK, "times": 3})
    (result,) = shop.connector.write_stock(shop.access, [stock("SERUM-30", 5)])
    assert (type(result.error), result.error.permanent) == (TemporaryError, False)
    platform.faults.add({"kind": "expired_token", "method": STOCK, "times": 1})
    (result,) = shop.connector.write_stock(shop.access, [stock("SERUM-30", 5)])
    assert isinstance(result.error, AuthorisationError)
    platform.faults.add({"kind": "throttle", "method": STOCK, "times": 1})
    with pytest.raises(ThrottledError):
        shop.connector.write_stock(shop.access, [stock("SERUM-30", 5)])
    assert len(shop.budget.blocked) == 1
    assert told(platform, "stock") == []


def no_place(_calls):
    raise QueueFullError("25 s away", retry_after=25)


def test_what_jd_is_told_does_not_wait_behind_a_long_pull(shop, platform):
    (number,) = shop.paid()
    shop.budget.take = no_place
    (result,) = shop.connector.write_stock(shop.access, [stock("SERUM-30", 5)])
    shop.connector.ship(shop.access, Shipment(number, "YTO", "YT0001"))
    shop.connector.write_memo(shop.access, Memo(number, "今晚发", "red"))
    assert (result.error, len(told(platform, "stock")), len(told(platform, "shipment"))) == (None, 1, 1)
    with pytest.raises(QueueFullError):
        shop.orders()
    assert [budget.blocked for budget in shop.budgets.values()] == [[], []]


@pytest.mark.parametrize("method", [STOCK, SEARCH, STOCK_READ])
def test_a_limit_that_jd_names_holds_for_pulls_and_for_what_it_is_told(shop, platform, method):
    calls = {
        STOCK: lambda: shop.connector.write_stock(shop.access, [stock("SERUM-30", 5)]),
        SEARCH: shop.orders,
        STOCK_READ: lambda: shop.connector.read_stock(shop.access, [StockItem("1", sku_id("SERUM-30"), "SERUM-30")]),
    }
    platform.faults.add({"kind": "throttle", "method": method, "times": 1})
    with pytest.raises(ThrottledError) as failed:
        calls[method]()
    bans = {key.rpartition(":")[2]: budget.blocked for key, budget in shop.budgets.items()}
    assert bans == {SANDBOX.jd_app_key: [failed.value.retry_after], "writes": [failed.value.retry_after]}


def test_a_shipment_makes_the_order_shipped(shop, platform):
    (number,) = shop.paid()
    shop.connector.ship(shop.access, Shipment(number, "YTO", "YT0001"))
    assert told(platform, "shipment", number) == [{"order": number, "carriers": ["463"], "parcels": [["YT0001"]]}]
    draft = shop.drafts()[number]
    assert (draft.status, draft.channel_status) == ("in_transit", "WAIT_GOODS_RECEIVE_CONFIRM")
    assert (draft.raw["waybill"], draft.raw["logisticsId"]) == ("YT0001", "463")


def test_telling_it_again_is_no_error_but_another_parcel_is(shop, platform):
    (number,) = shop.paid()
    for _ in range(2):
        shop.connector.ship(shop.access, Shipment(number, "sf", "SF0001"))
    assert len(told(platform, "shipment", number)) == 1
    with pytest.raises(RefusedError):
        shop.connector.ship(shop.access, Shipment(number, "SF", "SF0002"))


def test_a_shipment_whose_answer_is_lost_came_through(shop, platform):
    (number,) = shop.paid()
    platform.faults.add({"kind": "truncated", "method": SHIP, "times": 1})
    shop.connector.ship(shop.access, Shipment(number, "ZTO", "ZT1"))
    assert len(told(platform, "shipment", number)) == 1


def test_parts_are_told_with_the_last_parcel(shop, platform):
    (number,) = shop.paid()
    shop.connector.ship(shop.access, Shipment(number, "YTO", "YT1", is_final=False))
    assert told(platform, "shipment", number) == []
    earlier = [("YTO", "YT1"), ("SF", "SF1")]
    shop.connector.ship(shop.access, Shipment(number, "YTO", "YT2", earlier=earlier))
    assert told(platform, "shipment", number) == [
        {"order": number, "carriers": ["463", "467"], "parcels": [["YT1", "YT2"], ["SF1"]]}
    ]
    shop.connector.ship(shop.access, Shipment(number, "YTO", "YT2", earlier=earlier))


def test_a_held_order_is_not_shipped(shop, platform):
    (number,) = shop.paid()
    platform.live.change(number, "hold")
    with pytest.raises(RefusedError) as refused:
        shop.connector.ship(shop.access, Shipment(number, "YTO", "YT1"))
    assert refused.value.code == "10100021"
    assert told(platform, "shipment") == []
    assert shop.order(number)["status"] == "paid"


def test_an_unknown_carrier_is_named_and_can_be_set(shop, platform):
    (number,) = shop.paid()
    with pytest.raises(RefusedError, match="PIGEON"):
        shop.connector.ship(shop.access, Shipment(number, "PIGEON", "P1"))
    shop.settings = {"carriers": {"pigeon": 2087}}
    shop.connector.ship(shop.access, Shipment(number, "PIGEON", "P1"))
    assert told(platform, "shipment", number)[0]["carriers"] == ["2087"]


@pytest.mark.parametrize(("carrier", "number"), sorted(CARRIERS.items()))
def test_carriers(shop, platform, carrier, number):
    (order,) = shop.paid()
    shop.connector.ship(shop.access, Shipment(order, carrier, "N1"))
    assert told(platform, "shipment", order)[0]["carriers"] == [number]


@pytest.mark.parametrize(
    ("flag", "colour"),
    [("none", "grey"), ("grey", "grey"), ("red", "red"), ("yellow", "yellow"), ("green", "green"), ("blue", "blue"),
     ("purple", "purple"), ("orange", "yellow"), ("cyan", "green")],
)  # fmt: skip
def test_notes_and_flags(shop, platform, flag, colour):
    (number,) = shop.paid()
    shop.connector.write_memo(shop.access, Memo(number, "今晚发", flag))
    draft = shop.drafts()[number]
    assert (draft.seller_remark, draft.flag) == ("今晚发", colour)


def test_a_long_note_is_cut_to_what_jd_takes(shop, platform):
    (number,) = shop.paid()
    shop.connector.write_memo(shop.access, Memo(number, "急" * 600, "red"))
    assert told(platform, "memo", number) == [{"remark": "急" * 500, "flag": 1}]


def test_a_note_to_an_unknown_order_is_refused(shop, platform):
    with pytest.raises(RefusedError):
        shop.connector.write_memo(shop.access, Memo("3999", "x", "red"))
    platform.faults.add({"kind": "throttle", "method": NOTE, "times": 1})
    with pytest.raises(ThrottledError):
        shop.connector.write_memo(shop.access, Memo("3999", "x", "red"))
    assert len(shop.budget.blocked) == 1


def test_jd_pushes_nothing(shop):
    assert not shop.connector.pushes
    with pytest.raises(NotOfferedError):
        shop.connector.accept_push(shop.access, PushRequest("POST", {}, {}, b"{}"))
