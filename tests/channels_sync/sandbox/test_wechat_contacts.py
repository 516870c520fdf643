"""What the emulated WeChat shop opens on request, asked by code that shares nothing with it."""

import pytest

from tests.channels_sync.sandbox.test_wechat import ORDER, paid, shop

__all__ = ["shop"]
DECODE, AGAIN, EXCHANGE = "order/sensitiveinfo/decode", "order/virtualnumber/applyagain", "order/virtualtelnumber/get"


def address(shop, number):
    return shop.order(number)["order_detail"]["delivery_info"]["address_info"]


def an_order(shop, *, virtual=True):
    while True:
        number = paid(shop)
        if bool(address(shop, number)["use_tel_number"]) is virtual:
            return number


def receiver(shop, number):
    return shop.sandbox.store.get(number).draft["receiver"]


def ended(shop, number):
    """Let the order be shipped and completed, and its number end with it."""
    products = [
        {"product_id": p["product_id"], "sku_id": p["sku_id"], "product_cnt": p["sku_cnt"]}
        for p in shop.order(number)["order_detail"]["product_infos"]
    ]
    parcel = {"delivery_id": "SF", "waybill_id": "SF1", "deliver_type": 1, "product_infos": products}
    assert shop.call("order/delivery/send", order_id=number, delivery_list=[parcel])["errcode"] == 0
    shop.sandbox.live.change(number, "complete")
    return number


def test_masked_receivers_are_opened_and_show_their_number_afterwards(shop):
    number = an_order(shop)
    shop.sandbox.wechat.contacts.hides = True
    before, truth = address(shop, number), receiver(shop, number)
    assert (before["detail_info"], before["user_name"]) == ("****", truth["name"][0] + "*" * (len(truth["name"]) - 1))
    assert "virtual_tel_number" not in before["tel_number_ext_info"]
    opened = shop.call(DECODE, order_id=number)
    assert opened["address_info"]["user_name"] == truth["name"]
    assert opened["address_info"]["detail_info"] == truth["town"] + truth["detail"]
    assert "*" in opened["address_info"]["tel_number"]
    told, after = opened["virtual_number_info"], address(shop, number)
    shown = after["tel_number_ext_info"]
    assert f"{told['virtual_number']}-{told['extension']}" == shown["virtual_tel_number"]
    assert told["expiration"] == shown["virtual_tel_expire_time"]
    assert after["detail_info"] == "****"


def test_masking_is_switched_by_the_side_door(shop):
    number = an_order(shop)
    for hides in (True, False):
        shop.post("/_sandbox/options", {"wechat_hides": hides})
        assert (address(shop, number)["detail_info"] == "****") is hides


def test_a_buyer_without_a_virtual_number_is_opened_with_their_own(shop):
    number = an_order(shop, virtual=False)
    opened = shop.call(DECODE, order_id=number)
    assert opened["address_info"]["tel_number"] == receiver(shop, number)["phone"]
    assert "virtual_number_info" not in opened


def test_an_order_counts_once_and_the_quota_is_that_of_a_day(shop, clock):
    shop.sandbox.wechat.contacts.quota = 1
    first, second = an_order(shop), an_order(shop)
    assert [shop.call(DECODE, order_id=number)["errcode"] for number in (first, first, second)] == [0, 0, 10020123]
    clock.forward(days=1)
    shop.token = shop.ask_token()["access_token"]
    assert shop.call(DECODE, order_id=second)["errcode"] == 0
    assert [key for key, _body in shop.writes("reveal")] == [second, first]


def test_only_orders_to_be_shipped_and_in_their_after_sales_are_opened(shop, clock):
    while shop.order(unpaid := shop.sandbox.live.make(1)[0])["status"] != 10:
        pass
    assert shop.call(DECODE, order_id=unpaid)["errcode"] == 10020124
    shop.sandbox.live.change(unpaid, "cancel")
    assert shop.call(DECODE, order_id=unpaid)["errcode"] == 10020503
    done = ended(shop, an_order(shop))
    assert shop.call(DECODE, order_id=done)["errcode"] == 0
    clock.forward(days=8)
    shop.token = shop.ask_token()["access_token"]
    assert shop.call(DECODE, order_id=done)["errcode"] == 10020503
    assert shop.call(DECODE, order_id="1")["errcode"] == 10020051


def test_a_number_that_has_ended_is_replaced_once(shop, clock):
    number = an_order(shop)
    assert shop.call(AGAIN, order_id=number)["errcode"] == 6060454
    ended(shop, number)
    assert address(shop, number)["tel_number_ext_info"]["virtual_tel_expire_time"] == int(clock.now.timestamp())
    given = shop.call(AGAIN, order_id=number)
    assert set(given) == {"errcode", "errmsg", "virtual_number", "extension", "apply_quota"}
    shown = address(shop, number)["tel_number_ext_info"]
    assert shown["virtual_tel_number"] == f"{given['virtual_number']}-{given['extension']}"
    assert shown["virtual_tel_expire_time"] == int(clock.now.timestamp()) + 30 * 86400
    clock.forward(days=31)
    shop.token = shop.ask_token()["access_token"]
    assert shop.call(AGAIN, order_id=number)["errcode"] == 6060455


def test_the_older_call_gives_three_numbers_for_three_days_each(shop, clock):
    number = ended(shop, an_order(shop))
    found = []
    for count in (1, 2, 3):
        given = shop.call(EXCHANGE, order_id=number)
        assert given["virtual_tel_expire_time"] == int(clock.now.timestamp()) + 3 * 86400
        assert given["get_virtual_tel_cnt"] == count
        assert shop.call(EXCHANGE, order_id=number)["errcode"] == 6060454
        found.append(given["virtual_tel_number"])
        clock.forward(days=4)
        shop.token = shop.ask_token()["access_token"]
    assert len(set(found)) == 3
    assert shop.call(EXCHANGE, order_id=number)["errcode"] == 6060455


def test_an_order_without_a_virtual_number_gets_none(shop):
    number = an_order(shop, virtual=False)
    assert [shop.call(path, order_id=number)["errcode"] for path in (AGAIN, EXCHANGE)] == [6060453] * 2


@pytest.mark.parametrize("path", [DECODE, AGAIN, EXCHANGE])
def test_faults_come_as_for_every_call(shop, path):
    number = an_order(shop)
    shop.sandbox.faults.add({"kind": "throttle", "method": f"/channels/ec/{path}"})
    assert shop.call(path, order_id=number)["errcode"] == 45011
    assert shop.call(ORDER, order_id=number)["errcode"] == 0
