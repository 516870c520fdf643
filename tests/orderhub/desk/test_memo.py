"""Our remark and flag on the order card."""

import re

import pytest
from django.contrib.auth.models import Permission

from channels_sync.services.memo import mark_of
from orderhub.models import Effect, Order, TimelineEntry
from tests.factories import make_order, make_shop

HTMX = {"HX-Request": "true"}


@pytest.fixture
def editor(agent, desk):
    agent.user_permissions.add(Permission.objects.get(codename="edit_memo"))
    return desk


@pytest.fixture
def order(db):
    return make_order(make_shop("jd", platform="jd"), seller_remark="旧备注", flag="red")


def save(client, order, **values):
    data = {"remark": "改发顺丰", "flag": "blue", "seen": mark_of(("旧备注", "red")), **values}
    return client.post(f"/desk/orders/{order.pk}/memo/", data, headers=HTMX)


def stored(order):
    order.refresh_from_db()
    return order.seller_remark, order.flag


def test_the_card_has_the_form_and_the_answer_is_the_box(editor, order):
    card = editor.get(f"/desk/orders/{order.pk}/", headers=HTMX).content.decode()
    assert f'hx-post="/desk/orders/{order.pk}/memo/"' in card
    assert card.count("旧备注") == 2
    box = save(editor, order).content.decode()
    assert re.match(r'\s*<section class="box reveal" id="memo">', box)
    assert ("改发顺丰" in box, "Saved; the channel is told next." in box, "<details>" in box) == (True, True, True)
    assert stored(order) == ("改发顺丰", "blue")
    assert Effect.objects.get(kind="memo").payload["flag"] == "blue"


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ({"remark": "长" * 501}, "At most 500 characters here; these are 501."),
        ({"remark": ""}, "keeps a flag only together with a remark"),
        ({"flag": "cyan"}, "Select a valid choice"),
    ],
)
def test_a_refused_edit_keeps_what_was_typed(editor, order, typed, reason):
    box = save(editor, order, **typed).content.decode()
    assert (reason in box, "<details open>" in box) == (True, True)
    assert typed.get("remark", "改发顺丰") in box
    assert (stored(order), Effect.objects.count()) == (("旧备注", "red"), 0)


def test_a_save_that_changes_nothing_says_so(editor, order):
    box = save(editor, order, remark="旧备注", flag="red").content.decode()
    assert ("Nothing was changed." in box, "Saved;" in box, "<details>" in box) == (True, False, True)
    assert Effect.objects.count() == 0
    assert "Saved;" in save(editor, order).content.decode()
    box = save(editor, order).content.decode()
    assert ("Nothing was changed." in box, "Saved;" in box, "The channel is being told" in box) == (True, False, True)


def test_the_card_is_not_told_of_the_edit_that_was_made_on_it(editor, order):
    save(editor, order)
    assert TimelineEntry.objects.get().kind == "memo"
    assert editor.get(f"/desk/orders/{order.pk}/news/?card=0&say=0", headers=HTMX).status_code == 204


def test_what_the_channel_said_meanwhile_is_shown_first(editor, order):
    Order.objects.update(seller_remark="平台上写的")
    box = save(editor, order).content.decode()
    assert "It says now: “平台上写的”" in box
    assert stored(order) == ("平台上写的", "red")
    seen = re.search(r'name="seen" value="(\w+)"', box)[1]
    save(editor, order, seen=seen)
    assert stored(order) == ("改发顺丰", "blue")


def test_without_permission_the_remark_is_only_read(desk, order):
    card = desk.get(f"/desk/orders/{order.pk}/", headers=HTMX).content.decode()
    assert ("旧备注" in card, "/memo/" in card) == (True, False)
    assert save(desk, order).status_code == 403
    assert stored(order) == ("旧备注", "red")


def test_a_channel_without_remarks_has_no_form(editor, db):
    order = make_order(make_shop("f", platform="file"))
    assert "/memo/" not in editor.get(f"/desk/orders/{order.pk}/", headers=HTMX).content.decode()
    assert save(editor, order).status_code == 404
