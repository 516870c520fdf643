"""Remark and flag on the order page."""

import re

import pytest

from channels_sync.services.memo import mark_of
from orderhub.models import Effect, Order, TimelineEntry
from tests.factories import make_order, make_shop


@pytest.fixture
def order(db):
    return make_order(make_shop("tb", platform="taobao"), seller_remark="旧备注", flag="grey")


def page(client, order):
    return client.get(f"/ops/orderhub/order/{order.pk}/change/").content.decode()


def save(client, order, **values):
    data = {"remark": "改发顺丰", "flag": "red", "seen": mark_of(("旧备注", "grey")), **values}
    return client.post(f"/ops/orders/{order.pk}/memo/", data)


def stored(order):
    order.refresh_from_db()
    return order.seller_remark, order.flag


def test_the_form_stands_on_the_order_page_and_saves(log_in, order):
    client = log_in("agent")
    text = page(client, order)
    assert f'action="/ops/orders/{order.pk}/memo/"' in text
    assert re.findall(r'<option value="(\w+)"', text) == ["none", "red", "yellow", "green", "blue", "purple"]
    answer = save(client, order)
    assert (answer.status_code, answer.url) == (302, f"/ops/orderhub/order/{order.pk}/change/")
    assert stored(order) == ("改发顺丰", "red")
    assert Effect.objects.get(kind="memo").payload["remark"] == "改发顺丰"
    assert "The channel is being told" in page(client, order)
    assert "Remark or flag edited" in page(client, order)


def test_too_long_a_remark_comes_back_with_the_reason_and_the_text(log_in, order):
    client = log_in("agent")
    answer = save(client, order, remark="长" * 334)
    text = answer.content.decode()
    assert (answer.status_code, "Too long for this platform by 2 bytes" in text, "长" * 334 in text) == (
        400,
        True,
        True,
    )
    assert (stored(order), Effect.objects.count()) == (("旧备注", "grey"), 0)


def test_a_newer_remark_is_shown_and_the_next_save_goes_over_it(log_in, order):
    client = log_in("agent")
    Order.objects.update(seller_remark="买家改地址", flag="blue")
    answer = save(client, order)
    text = answer.content.decode()
    assert (answer.status_code, "买家改地址" in text, "改发顺丰" in text) == (400, True, True)
    assert stored(order) == ("买家改地址", "blue")
    seen = re.search(r'name="seen" value="(\w+)"', text)[1]
    assert save(client, order, seen=seen).status_code == 302
    assert stored(order) == ("改发顺丰", "red")


def test_why_the_channel_does_not_have_it(log_in, order):
    client = log_in("agent")
    save(client, order)
    Effect.objects.update(state="dead", last_error="The channel shows another remark")
    assert "The channel shows another remark" in page(client, order)


@pytest.mark.parametrize("role", ["auditor", "warehouse"])
def test_who_may_not(log_in, order, role):
    client = log_in(role)
    assert "/memo/" not in page(client, order)
    assert save(client, order).status_code == 403
    assert (stored(order), TimelineEntry.objects.count()) == (("旧备注", "grey"), 0)


def test_a_channel_without_remarks_has_no_form(log_in, db):
    order = make_order(make_shop("f", platform="file"))
    client = log_in("agent")
    assert "/memo/" not in page(client, order)
    assert save(client, order, seen=mark_of(("", "none"))).status_code == 302
    assert stored(order) == ("", "none")
