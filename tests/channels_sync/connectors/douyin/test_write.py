import pytest

from channels_sync.connectors.base import AuthorisationError
from channels_sync.connectors.douyin.errors import RefusedError
from channels_sync.connectors.douyin.write import CARRIERS, STARS
from channels_sync.connectors.exchange import Memo, Shipment, ShippedLine, StockWrite
from channels_sync.sandbox import catalogue
from orderhub.core.errors import TemporaryError

ARTICLES = catalogue.articles()
SHIP, SHIP_PARTS, REMARK, STOCK, STOCK_BATCH = (
    "order.logisticsAdd", "order.logisticsAddMultiPack", "order.addOrderRemark", "sku.syncStock", "sku.syncStockBatch",
)  # fmt: skip


def row(article, quantity, key="k"):
    return StockWrite(str(article.item_id), str(article.item_id * 10 + 1), article.sku, quantity, key)


def write(shop, *rows):
    return {result.key: result.error for result in shop.connector.write_stock(shop.access, rows)}


def told(shop, article):
    return [body["stock_num"] for body in shop.writes("stock", article.sku)]


def ship(shop, number, *lines, carrier="YTO", tracking="YT1234567890"):
    shop.connector.ship(shop.access, Shipment(number, carrier, tracking, lines))


def parcels(shop, number):
    return [(p["company"], p["tracking_no"], p["lines"]) for p in shop.draft(number)["raw"].get("parcels", [])]


def memo(shop, number, remark="改发顺丰", flag="red"):
    shop.connector.write_memo(shop.access, Memo(number, remark, flag))


def test_stock_is_absolute_and_telling_it_again_changes_nothing(shop):
    first = ARTICLES[0]
    assert write(shop, row(first, 55)) == {"k": None}
    assert write(shop, row(first, 55)) == {"k": None}
    assert write(shop, row(first, 0, "k2")) == {"k2": None}
    assert told(shop, first) == [0, 55, 55]


def test_what_unpaid_orders_hold_comes_off_first(shop):
    number = shop.make("unpaid")
    line = shop.draft(number)["lines"][0]
    article = catalogue.by_sku()[line["sku"]]
    write(shop, row(article, 500))
    assert told(shop, article) == [500 - line["quantity"]]
    shop.settings["subtract_held"] = False
    write(shop, row(article, 500, "k2"))
    assert told(shop, article)[0] == 500


def test_less_than_is_held_shows_as_nothing(shop):
    number = shop.make("unpaid")
    article = catalogue.by_sku()[shop.draft(number)["lines"][0]["sku"]]
    write(shop, row(article, 0))
    assert told(shop, article) == [0]


def test_many_items_in_one_go_and_a_bad_one_costs_itself_only(shop):
    bad = StockWrite("1", "77", "", 5, "bad")
    found = write(shop, row(ARTICLES[0], 1, "a"), bad, row(ARTICLES[1], 2, "b"))
    assert list(found) == ["a", "bad", "b"]
    assert (found["a"], found["b"]) == (None, None)
    assert type(found["bad"]) is RefusedError
    assert (told(shop, ARTICLES[0]), told(shop, ARTICLES[1])) == ([1], [2])


def test_a_sku_may_be_named_by_the_shops_code(shop):
    assert write(shop, StockWrite("", "", ARTICLES[2].sku, 9, "k")) == {"k": None}
    assert told(shop, ARTICLES[2]) == [9]


def test_skus_of_one_product_go_in_one_call_and_one_by_one_when_it_is_refused(shop, platform, monkeypatch):
    # The catalogue has one SKU a product: a second one makes the platform refuse the whole batch.
    first = ARTICLES[0]
    stranger = StockWrite(str(first.item_id), str(ARTICLES[1].item_id * 10 + 1), "", 3, "b")
    calls = []
    for name in (STOCK, STOCK_BATCH):
        method = platform.douyin._methods[name]
        monkeypatch.setitem(platform.douyin._methods, name, lambda p, n=name, m=method: calls.append(n) or m(p))
    assert write(shop, row(first, 7, "a"), stranger) == {"a": None, "b": None}
    assert calls == [STOCK_BATCH, STOCK, STOCK]
    calls.clear()
    monkeypatch.setitem(platform.douyin._methods, STOCK_BATCH, lambda params: calls.append(params) or {})
    assert write(shop, row(first, 8, "a"), stranger) == {"a": None, "b": None}
    (params,) = calls
    assert (params["product_id"], params["incremental"]) == (first.item_id, False)
    assert [sku["stock_num"] for sku in params["sku_sync_list"]] == [8, 3]


@pytest.mark.parametrize("sub_code", ["isv.idempotent-id-existed", "isv.parameter-invalid:40010"])
def test_done_before_is_done(shop, wire, settings, sub_code):
    settings.DOUYIN_GATEWAY_URL = wire.url
    wire.body({"code": 40003, "sub_code": sub_code, "sub_msg": "重复", "data": None})
    shop.settings["subtract_held"] = False
    assert write(shop, row(ARTICLES[0], 1)) == {"k": None}


@pytest.mark.parametrize("method", ["sku.stockNum", STOCK])
def test_a_platform_that_is_away_fails_each_row_for_now(shop, method):
    shop.fault("http500", method, times=99)
    found = write(shop, row(ARTICLES[0], 1, "a"), row(ARTICLES[1], 1, "b"))
    assert {type(error) for error in found.values()} == {TemporaryError}
    assert shop.writes("stock") == []


@pytest.mark.parametrize("method", ["sku.stockNum", STOCK])
def test_a_token_that_has_run_out_stops_all_writes(shop, method):
    shop.fault("expired_token", method, times=99)
    with pytest.raises(AuthorisationError):
        write(shop, row(ARTICLES[0], 1, "a"), row(ARTICLES[1], 1, "b"))


def test_a_whole_order_ships_once(shop):
    number = shop.make(lines=2)
    ship(shop, number)
    ship(shop, number)
    quantities = {str(int(number) + i): line["quantity"] for i, line in enumerate(shop.draft(number)["lines"])}
    assert parcels(shop, number) == [("yuantong", "YT1234567890", quantities)]
    assert shop.draft(number)["status"] == "in_transit"


def test_another_parcel_for_a_shipped_order_is_refused(shop):
    number = shop.make()
    ship(shop, number)
    with pytest.raises(RefusedError):
        ship(shop, number, tracking="YT9999999999")
    assert len(parcels(shop, number)) == 1


def test_an_answer_that_was_lost_is_no_second_parcel(shop):
    number = shop.make()
    shop.fault("truncated", SHIP)
    ship(shop, number)
    assert len(parcels(shop, number)) == 1


def test_parts_of_an_order_go_in_parcels_of_their_own(shop):
    number = shop.make(lines=2)
    lines = [ShippedLine(str(int(number) + i), line["quantity"]) for i, line in enumerate(shop.draft(number)["lines"])]
    ship(shop, number, lines[0])
    ship(shop, number, lines[0])
    assert len(parcels(shop, number)) == 1
    (page,) = shop.connector.fetch(shop.access, [number])
    assert b'"order_status":101' in page.body
    ship(shop, number, *lines[1:], carrier="SF", tracking="SF1234567890")
    (page,) = shop.connector.fetch(shop.access, [number])
    assert b'"order_status":3,' in page.body
    assert [parcel[:2] for parcel in parcels(shop, number)] == [
        ("yuantong", "YT1234567890"), ("shunfeng", "SF1234567890"),
    ]  # fmt: skip


def test_more_pieces_than_were_bought_are_refused(shop):
    number = shop.make()
    with pytest.raises(RefusedError):
        ship(shop, number, ShippedLine(number, 10_000))
    assert parcels(shop, number) == []


def test_an_order_with_an_open_refund_does_not_ship(shop, platform):
    number = shop.make()
    platform.live.change(number, "ask_refund")
    with pytest.raises(RefusedError, match="60040"):
        ship(shop, number)
    assert parcels(shop, number) == []


def test_an_order_under_review_ships_later(shop, platform):
    number = shop.make()
    platform.live.change(number, "hold")
    with pytest.raises(TemporaryError) as failed:
        ship(shop, number)
    assert failed.value.retry_after == 1800
    platform.live.change(number, "release")
    ship(shop, number)
    assert len(parcels(shop, number)) == 1


@pytest.mark.parametrize(("status", "code"), [("unpaid", "60137"), ("cancelled", "60021")])
def test_an_order_that_cannot_ship_says_why(shop, platform, status, code):
    number = shop.make("unpaid")
    if status == "cancelled":
        platform.live.change(number, "cancel")
    with pytest.raises(RefusedError, match=code):
        ship(shop, number)


def test_a_carrier_without_a_code_is_refused_until_the_shop_names_it(shop):
    number = shop.make()
    with pytest.raises(RefusedError, match="XYZ"):
        ship(shop, number, carrier="XYZ")
    shop.settings["carriers"] = {"XYZ": "ems"}
    ship(shop, number, carrier="xyz")
    assert parcels(shop, number)[0][0] == "ems"


def test_every_carrier_has_its_code():
    assert CARRIERS["SF"] == "shunfeng"
    assert {code == code.upper() for code in CARRIERS} == {True}


@pytest.mark.parametrize(("flag", "star"), sorted(STARS.items()))
def test_a_remark_with_each_flag(shop, flag, star):
    number = shop.make()
    before = shop.draft(number)["modified_at"]
    memo(shop, number, flag=flag)
    assert shop.writes("memo", number) == [{"remark": "改发顺丰", "star": str(star)}]
    assert shop.draft(number)["seller_remark"] == "改发顺丰"
    assert shop.draft(number)["modified_at"] == before


def test_a_remark_without_a_colour_takes_the_colour_away(shop):
    number = shop.make()
    memo(shop, number, flag="green")
    memo(shop, number, "第二次", flag="none")
    assert (shop.draft(number)["flag"], shop.draft(number)["seller_remark"]) == ("grey", "第二次")


def test_a_remark_that_is_too_long_is_refused_and_not_cut(shop):
    number = shop.make()
    before = shop.draft(number)["seller_remark"]
    memo(shop, shop.make(), "字" * 60)
    with pytest.raises(RefusedError, match="61"):
        memo(shop, number, "字" * 61)
    assert shop.draft(number)["seller_remark"] == before
    assert shop.writes("memo", number) == []


def test_a_remark_of_an_order_that_is_not_there_is_refused(shop):
    with pytest.raises(RefusedError):
        memo(shop, "6999999999999999999")
