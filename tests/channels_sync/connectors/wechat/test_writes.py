import pytest

from channels_sync.connectors.base import AuthorisationError
from channels_sync.connectors.exchange import Memo, Shipment, ShippedLine, StockWrite
from channels_sync.connectors.wechat.writes import NOTE, SHIP, STOCK
from channels_sync.sandbox import catalogue
from channels_sync.sandbox.wechat_view import product_key
from orderhub.core.errors import HubError, TemporaryError


def item(place, quantity, **changes):
    article = catalogue.articles()[place]
    given = {
        "item_id": str(article.item_id), "sku_id": str(article.item_id * 10 + 1), "outer_id": article.sku,
        "quantity": quantity, "key": f"k{place}",
    }  # fmt: skip
    return StockWrite(**{**given, **changes})


def paid(side, lines=1):
    """Return the number of a paid order with at least so many lines."""
    for number in side.platform.live.make(60):
        draft = side.platform.store.get(number).draft
        refunds = {line["refund"] for line in draft["lines"]}
        if draft["status"] == "paid" and len(draft["lines"]) >= lines and refunds == {"none"}:
            return number
    raise AssertionError("no such order in sixty")


def parcel(number, **changes):
    return Shipment(**{"external_no": number, "carrier": "YTO", "tracking_no": "YT0001", **changes})


def test_stock_is_set_not_added(side):
    for quantity in (7, 7, 0):
        (result,) = side.connector.write_stock(side.access, [item(0, quantity)])
        assert (result.key, result.error) == ("k0", None)
    assert [told["quantity"] for told in side.told("stock")] == [0, 7, 7]


def test_one_item_that_is_refused_does_not_stop_the_others(side):
    rows = [item(0, 5), item(1, 6, sku_id="1"), item(2, 7, item_id=""), item(3, 8)]
    results = side.connector.write_stock(side.access, rows)
    assert [result.key for result in results] == ["k0", "k1", "k2", "k3"]
    assert [result.error is None for result in results] == [True, False, False, True]
    assert all(result.error.permanent for result in results if result.error)
    assert sorted(told["quantity"] for told in side.told("stock")) == [5, 8]


@pytest.mark.parametrize("kind", ["http500", "disconnect", "truncated", "remote_error", "expired_token", "throttle"])
def test_a_passing_fault_does_not_lose_a_stock_write(side, kind):
    side.fault(kind, method=STOCK)
    (result,) = side.connector.write_stock(side.access, [item(0, 9)])
    assert result.error is None
    assert side.told("stock")[0]["quantity"] == 9


def test_a_lasting_fault_is_the_result_of_its_item(side):
    side.fault("remote_error", method=STOCK, times=99)
    (result,) = side.connector.write_stock(side.access, [item(0, 9)])
    assert isinstance(result.error, TemporaryError)


def test_a_whole_order_is_shipped_once(side):
    number = paid(side, lines=2)
    for _ in range(2):
        side.connector.ship(side.access, parcel(number))
    (told,) = side.told("shipment")
    (sent,) = told["parcels"]
    lines = side.platform.store.get(number).draft["lines"]
    assert (sent["delivery_id"], sent["waybill_id"], sent["deliver_type"]) == ("YTO", "YT0001", 1)
    assert [product["product_cnt"] for product in sent["product_infos"]] == [line["quantity"] for line in lines]
    assert side.drafts()[number].channel_status == "30"


def test_a_line_that_was_given_back_is_not_shipped(side):
    number = paid(side, lines=2)
    order = side.platform.store.get(number)
    order.draft["lines"][0]["refund"] = "done"
    side.platform.store.save(order)
    side.connector.ship(side.access, parcel(number))
    (sent,) = side.told("shipment")[0]["parcels"]
    kept = [line["quantity"] for line in order.draft["lines"][1:]]
    assert [product["product_cnt"] for product in sent["product_infos"]] == kept
    assert side.drafts()[number].channel_status == "30"


def test_a_shipment_in_parts(side):
    number = paid(side, lines=2)
    first, *rest = side.platform.store.get(number).draft["lines"]
    lines = [ShippedLine(":".join(product_key(line)), line["quantity"]) for line in (first, *rest)]
    side.connector.ship(side.access, parcel(number, lines=lines[:1], is_final=False))
    assert side.drafts()[number].channel_status == "21"
    side.connector.ship(side.access, parcel(number, tracking_no="YT0002", lines=lines[1:]))
    assert side.drafts()[number].channel_status == "30"
    assert [told["parcels"][0]["waybill_id"] for told in side.told("shipment")] == ["YT0002", "YT0001"]


@pytest.mark.parametrize(
    ("carrier", "told"), [("SF", "SF"), ("JT", "JTSD"), ("DBL", "DBKD"), ("zto", "ZTO"), ("XX", "OTHER")]
)
def test_carriers_are_named_as_the_platform_names_them(side, carrier, told):
    side.connector.ship(side.access, parcel(paid(side), carrier=carrier))
    assert side.told("shipment")[0]["parcels"][0]["delivery_id"] == told


def test_an_answer_that_was_lost_is_looked_up_instead_of_sent_again(side):
    number = paid(side)
    side.fault("answer_lost", method=SHIP)
    side.connector.ship(side.access, parcel(number))
    assert len(side.told("shipment")) == 1


def test_a_call_that_never_arrived_is_for_the_next_try(side):
    number = paid(side)
    side.fault("disconnect", method=SHIP)
    with pytest.raises(TemporaryError):
        side.connector.ship(side.access, parcel(number))
    assert side.told("shipment") == []
    side.connector.ship(side.access, parcel(number))
    assert len(side.told("shipment")) == 1


def test_an_order_changed_too_often_is_left_alone_for_a_while(side):
    number = paid(side)
    side.fault("changed_too_often", method=SHIP)
    with pytest.raises(TemporaryError) as refused:
        side.connector.ship(side.access, parcel(number))
    assert refused.value.retry_after == 5


def test_what_the_platform_refuses_is_permanent(side):
    number = paid(side)
    with pytest.raises(HubError) as refused:
        side.connector.ship(side.access, parcel(number, lines=[ShippedLine("1:2", 1)]))
    assert refused.value.permanent
    side.connector.ship(side.access, parcel(number))
    with pytest.raises(HubError) as refused:
        side.connector.ship(side.access, parcel(number, tracking_no="YT0002"))
    assert refused.value.permanent
    assert len(side.told("shipment")) == 1


def test_a_note_is_written_and_comes_back(side):
    number = paid(side)
    side.connector.write_memo(side.access, Memo(number, "先发 🎁", "red"))
    side.connector.write_memo(side.access, Memo(number, "已改地址", ""))
    assert [told["merchant_notes"] for told in side.told("memo")] == ["已改地址", "先发 🎁"]
    assert side.drafts()[number].seller_remark == "已改地址"
    with pytest.raises(HubError):
        side.connector.write_memo(side.access, Memo("1", "x", ""))


def test_a_note_without_authorisation_needs_a_person(side):
    number = paid(side)
    side.fault("expired_token", method=NOTE, times=99)
    with pytest.raises(AuthorisationError):
        side.connector.write_memo(side.access, Memo(number, "x", ""))
