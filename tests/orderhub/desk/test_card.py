import base64
from datetime import timedelta

import pytest
from django.utils import timezone

from orderhub.api.sections import order_sections
from orderhub.models import Buyer, Order, Receiver, Reveal, TimelineEntry
from tests.factories import START, make_order, make_parcel, make_user
from tests.orderhub.desk.conftest import HTMX

pytestmark = pytest.mark.django_db

STRICT = {
    "default-src 'self'", "img-src 'self' data:", "object-src 'none'", "base-uri 'none'", "form-action 'self'",
    "frame-ancestors 'self'",
}  # fmt: skip


def card(desk, order):
    return desk.get(f"/desk/orders/{order.pk}/", headers=HTMX).content.decode()


def test_alone_for_htmx_and_on_the_whole_desk_otherwise(desk):
    order = make_order(external_no="T1")
    assert "<html" not in card(desk, order)
    page = desk.get(f"/desk/orders/{order.pk}/").content.decode()
    assert "<title>T1 · Order desk</title>" in page
    assert f'data-order="{order.pk}"' in page


@pytest.mark.parametrize("nickname", ["", "小李"])
def test_a_buyer_without_a_nickname_leaves_no_gap(desk, nickname):
    order = make_order()
    buyer = Buyer.objects.create(shop=order.shop, external_id="u1", nickname=nickname)
    Order.objects.update(buyer=buyer)
    page = card(desk, order)
    assert ("<span></span>" in page, "<span>小李</span>" in page) == (False, bool(nickname))


def test_it_shows_status_lane_parcel_claims_and_timeline(desk):
    order = make_order(
        external_no="T1", status="in_transit", lane="abnormal", is_urgent=True, has_drift=True, channel_claim="paid",
        carrier_claim="in_transit", carrier_claim_at=START,
    )  # fmt: skip
    make_parcel(order, "SF1", carrier="SF", handed_over_at=timezone.now() - timedelta(minutes=1))
    TimelineEntry.objects.create(order=order, shop=order.shop, at=START, kind="claim", source="carrier", actor="x",
                                 status_from="packed", status_to="in_transit")  # fmt: skip
    page = card(desk, order)
    for words in ("▲", "Urgent", "◆", "Abnormal", "In transit", "SF1", "SF Express has had it since", "Claims disagree",
                  "Channel: Awaiting triage ≠ Carrier: In transit", "Packed"):  # fmt: skip
        assert words in page, words


def test_the_timeline_says_what_was_tried_again(desk):
    order = make_order()
    TimelineEntry.objects.create(shop=order.shop, order=order, at=START, kind="retried", source="person", actor="boss",
                                 data={"effects": ["wms_push"]})  # fmt: skip
    assert "Tried again by hand · Push to the warehouse" in card(desk, order)


def test_the_timeline_says_what_the_channel_changed(desk):
    order = make_order()
    TimelineEntry.objects.create(order=order, shop=order.shop, at=START, kind="change", source="channel", actor="x",
                                 data={"changed": ["receiver", "remark"]})  # fmt: skip
    assert "Changed by the channel · Receiver, Buyer&#x27;s remark" in card(desk, order)


def test_an_open_refund_does_not_hide_where_the_order_is(desk):
    page = card(desk, make_order(status="refunding", under_refund="in_transit"))
    top = page[page.index('class="say-top"') : page.index('class="sentence"')]
    assert top.index("Refund in progress") < top.index("the order itself") < top.index("In transit")


def test_findings_of_triage_are_shown(desk):
    order = make_order()
    known = dict(order_sections._items)
    order_sections._items["findings"] = lambda ids: {
        ids[0]: [
            {"code": "price_high", "lane": "abnormal", "title": "Price off", "reason": "45 % above", "clears": "x"}
        ]
    }
    try:
        page = card(desk, order)
    finally:
        order_sections._items.clear()
        order_sections._items.update(known)
    assert "Price off" in page
    assert "45 % above" in page


def test_no_script_or_style_stands_in_the_page_and_the_policy_is_exact(desk):
    response = desk.get(f"/desk/orders/{make_order().pk}/")
    page = response.content.decode()
    assert page.count("<script") == 2
    assert page.count("<script src=") == 2
    assert "style=" not in page
    assert "<style" not in page
    assert " onclick" not in page
    assert set(response["Content-Security-Policy"].split("; ")) == STRICT


def test_an_unknown_order_is_told_in_words(desk):
    response = desk.get("/desk/orders/999999/")
    assert response.status_code == 404
    assert "There is nothing here." in response.content.decode()
    assert desk.get(f"/desk/orders/{'9' * 25}/").status_code == 404


def reveal(client, order, reason):
    return client.post(f"/desk/orders/{order.pk}/reveal/", {"reason": reason}, headers=HTMX)


def test_reveal_shows_clear_data_once_for_a_minute_and_is_logged(desk, agent):
    order = make_order(phone="13912345678", detail="文三路 90 号")
    response = reveal(desk, order, "customer asks")
    page = response.content.decode()
    assert "13912345678" in page
    assert "文三路 90 号" in page
    assert 'data-masks-again="60"' in page
    assert 'data-seconds="%s s">60 s<' in page
    assert "no-store" in response["Cache-Control"]
    row = Reveal.objects.get()
    assert (row.order_id, row.user_id, row.reason, row.place) == (order.pk, agent.pk, "customer asks", "desk")
    assert "13912345678" not in card(desk, order)


def test_reveal_without_a_reason_shows_nothing_and_asks_for_it(desk):
    order = make_order()
    page = reveal(desk, order, " ").content.decode()
    assert "Give the reason" in page
    assert '<details class="reveal" open>' in page
    assert "13912345678" not in page
    assert Reveal.objects.count() == 0


def test_reveal_needs_the_permission(client):
    order = make_order()
    client.force_login(make_user("looker", "orderhub.view_order"))
    assert "<details" not in card(client, order)
    assert "13912345678" not in reveal(client, order, "curious").content.decode()
    assert Reveal.objects.count() == 0


def test_reveal_ends_with_the_quota(desk, settings):
    settings.HUB_REVEALS_PER_HOUR = 1
    order = make_order()
    assert "13912345678" in reveal(desk, order, "first").content.decode()
    assert "13912345678" not in reveal(desk, order, "second").content.decode()
    assert Reveal.objects.count() == 1


def test_reveal_of_what_cannot_be_opened_or_was_erased_is_told_in_words(desk, settings):
    order = make_order()
    settings.HUB_DATA_KEYS = [f"lost:{base64.b64encode(bytes(32)).decode()}"]
    response = reveal(desk, order, "customer asks")
    assert (response.status_code, "a data key is missing" in response.content.decode()) == (200, True)
    Receiver.objects.all().delete()
    response = reveal(desk, order, "customer asks")
    assert (response.status_code, "was erased" in response.content.decode()) == (200, True)


def test_reveal_of_an_unknown_order_is_404_and_get_changes_nothing(desk):
    assert desk.post("/desk/orders/999999/reveal/", {"reason": "why"}).status_code == 404
    assert desk.get(f"/desk/orders/{make_order().pk}/reveal/").status_code == 405
    assert Reveal.objects.count() == 0


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_theme_comes_from_its_cookie(desk, theme):
    desk.cookies["theme"] = theme
    assert f'data-theme="{theme}"' in desk.get("/desk/").content.decode()
    desk.cookies["theme"] = '"><script>'
    assert "data-theme=" not in desk.get("/desk/").content.decode()


def test_an_order_whose_receiver_was_erased_still_opens(desk):
    order = make_order()
    order.receiver.delete()
    page = card(desk, order)
    assert "The personal data of this order was erased." in page
    assert "<details" not in page


def news(desk, order, card, say):
    return desk.get(f"/desk/orders/{order.pk}/news/?card={card}&say={say}", headers=HTMX)


def happens(order, kind="status", **values):
    return TimelineEntry.objects.create(order=order, shop=order.shop, at=START, kind=kind, source="hub", **values).pk


def test_an_open_card_is_told_when_its_order_has_changed(desk, django_assert_max_num_queries):
    order = make_order(external_no="T1", status="ready")
    first = happens(order, status_to="ready")
    page = card(desk, order)
    assert f"/news/?card={first}&amp;say={first}" in page
    assert "has changed since" not in page
    with django_assert_max_num_queries(5):
        assert news(desk, order, first, first).status_code == 204
    Order.objects.update(status="packed")
    second = happens(order, status_to="packed")
    told = news(desk, order, first, first).content.decode()
    assert f"/news/?card={first}&amp;say={second}" in told
    assert "The order has changed since you opened it." in told
    assert "Packed" in told
    assert news(desk, order, first, second).status_code == 204


@pytest.mark.parametrize(
    ("kind", "actor", "is_news"),
    [("memo", "agent", False), ("memo", "boss", True), ("memo_told", "outbox:memo", False),
     ("memo_failed", "outbox:memo", True), ("shipment", "outbox:shipment", False), ("shipped_by_hand", "agent", True)],
)  # fmt: skip
def test_only_what_changes_an_order_for_its_reader_is_news(desk, kind, actor, is_news):
    order = make_order()
    first = happens(order, status_to="paid")
    happens(order, kind=kind, actor=actor)
    told = news(desk, order, first, first)
    assert (told.status_code, "has changed since" in told.content.decode()) == (200 if is_news else 204, is_news)
    assert (f"/news/?card={first}&amp;say={first}" in card(desk, order)) is not is_news


@pytest.mark.parametrize("said", ["", "x", "²", "9" * 30])
def test_what_a_card_says_of_itself_is_not_trusted(desk, said):
    order = make_order()
    happens(order)
    assert news(desk, order, said, said).status_code == 200


def test_news_of_an_order_that_is_not_there(desk):
    assert desk.get("/desk/orders/1/news/?card=1&say=1", headers=HTMX).status_code == 404
