import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orderhub.console.columns import PageColumn, order_columns
from orderhub.core.errors import TemporaryError
from orderhub.models import Buyer, Order
from orderhub.services.limits import Limit
from tests.factories import make_order, make_parcel, make_shop
from tests.orderhub.admin.answers import answered
from tests.plans import plan_of

LIST = "/ops/orderhub/order/"


def numbers(response) -> list[str]:
    return re.findall(r'<span class="num">(T\d+)</span>', response.content.decode())


@pytest.mark.parametrize("rows", [1, 3])
def test_the_number_of_queries_does_not_grow_with_the_rows(supervisor, only_pool, rows, django_assert_num_queries):
    shop = make_shop()
    for _ in range(rows):
        make_order(shop)
    supervisor.get(LIST)
    with django_assert_num_queries(6):
        response = supervisor.get(LIST)
    assert len(numbers(response)) == rows


@pytest.mark.parametrize(("language", "title"), [("en", "Orders"), ("zh-hans", "订单")])
def test_the_page_is_called_by_what_it_lists(supervisor, language, title):
    supervisor.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    found = re.search(r"<title>(.*?)\|", supervisor.get(LIST).content.decode(), re.DOTALL)
    assert found[1].strip() == title


def test_pages_are_found_by_key_and_lead_back(supervisor, monkeypatch):
    monkeypatch.setattr("orderhub.admin.order.OrderAdmin.list_per_page", 2)
    shop = make_shop()
    names = [make_order(shop).external_no for _ in range(5)][::-1]
    first = supervisor.get(LIST)
    assert numbers(first) == names[:2]
    second = supervisor.get(LIST + link(first, "next"))
    assert numbers(second) == names[2:4]
    last = supervisor.get(LIST + link(second, "next"))
    assert numbers(last) == names[4:]
    assert link(last, "next") == ""
    assert numbers(supervisor.get(LIST + link(last, "prev"))) == names[2:4]
    assert link(supervisor.get(LIST + link(second, "prev")), "prev") == ""


def link(response, rel: str) -> str:
    found = re.search(rf'rel="{rel}" href="([^"]+)"', response.content.decode())
    return found.group(1).replace("&amp;", "&") if found else ""


def test_a_broken_cursor_shows_the_first_page(supervisor):
    order = make_order()
    assert numbers(supervisor.get(LIST + "?after=%00rubbish")) == [order.external_no]


@pytest.mark.parametrize(
    ("view", "values"),
    [
        ("regular", {"status": "ready", "lane": "regular"}),
        ("confirm", {"status": "in_triage_hold", "lane": "to_confirm"}),
        ("abnormal", {"status": "in_triage_hold", "lane": "abnormal"}),
        ("urgent", {"status": "ready", "is_urgent": True}),
        ("short", {"status": "short"}),
        ("drift", {"has_drift": True}),
    ],
)
def test_each_queue_shows_its_orders_oldest_first(supervisor, view, values):
    shop = make_shop()
    wanted = [make_order(shop, **values).external_no for _ in range(2)]
    make_order(shop, status="delivered", lane="regular")
    make_order(shop, status="wms_accepted", lane="regular")
    assert numbers(supervisor.get(f"{LIST}?view={view}")) == wanted


def test_regular_is_a_queue_of_the_side_bar_before_those_that_wait_for_people(supervisor):
    body = supervisor.get(LIST).content.decode()
    places = [body.index(f'href="{LIST}?view={key}"') for key in ("regular", "confirm", "abnormal", "urgent")]
    assert places == sorted(places)


def test_the_regular_queue_is_read_from_an_index_of_its_own(supervisor):
    with CaptureQueriesContext(connection) as queries:
        supervisor.get(f"{LIST}?view=regular")
    (page,) = [query["sql"] for query in queries if "LIMIT 51" in query["sql"]]
    plan = plan_of(page)
    assert "order_regular" in plan
    assert "Sort" not in plan


def test_filters_narrow_by_status_lane_urgent_shop_and_time(supervisor):
    shop, other = make_shop(), make_shop()
    fresh = make_order(shop, status="short", lane="abnormal", is_urgent=True, created_at=timezone.now())
    make_order(other, status="paid", created_at=timezone.now() - timedelta(days=3))
    for query in (
        "status__exact=short",
        "lane__exact=abnormal",
        "is_urgent__exact=1",
        f"shop={shop.pk}",
        "created_at__span=1h",
        f"created_at__from={timezone.localtime() - timedelta(hours=1):%Y-%m-%dT%H:%M}",
    ):
        assert numbers(supervisor.get(f"{LIST}?{query}")) == [fresh.external_no], query


def test_receivers_are_masked(supervisor):
    make_order(name="李雷雷", phone="13912345678", detail="文三路 90 号")
    body = supervisor.get(LIST).content.decode()
    assert "李**" in body
    for clear in ("李雷雷", "13912345678", "90 号"):
        assert clear not in body


def test_what_a_platform_sends_is_escaped(supervisor):
    make_order(make_shop(name="<script>alert(1)</script>"), external_no="<img src=x>", name="<b>x")
    body = supervisor.get(LIST).content.decode()
    for raw in ("<script>alert(1)", "<img src=x>", "<b>"):
        assert raw not in body.replace('<b aria-hidden="true">', "")
    assert "&lt;script&gt;alert(1)" in body


def test_a_feature_adds_a_column_with_one_query_for_the_page(supervisor, monkeypatch):
    asked = []
    column = PageColumn("why", "reasons", lambda ids: asked.append(sorted(ids)) or {ids[0]: "<i>price</i>"})
    monkeypatch.setitem(order_columns._items, "why", column)
    shop = make_shop()
    ids = sorted(make_order(shop).pk for _ in range(3))
    body = supervisor.get(LIST).content.decode()
    assert asked == [ids]
    assert "&lt;i&gt;price&lt;/i&gt;" in body


@pytest.mark.parametrize(
    "text",
    ["13912345678", "139 1234 5678", "T2026111100000777", "SF7777777777", "SF77 7777 7777", "sf77777 77777",
     "T20261 11100 000777", "u-777", "李雷"],
)  # fmt: skip
def test_one_hit_opens_by_itself(supervisor, text):
    shop = make_shop()
    order = make_order(
        shop, external_no="T2026111100000777", buyer=Buyer.objects.create(shop=shop, external_id="u-777", nickname="n")
    )
    make_parcel(order, "SF7777777777")
    make_order(shop, phone="13800001111", name="韩梅梅")
    response = supervisor.post(f"{LIST}search/", {"text": text})
    assert (response.status_code, response["Location"]) == (302, f"{LIST}{order.pk}/change/")


def test_several_hits_are_remembered_without_what_was_typed(supervisor):
    shop = make_shop()
    wanted = {make_order(shop, phone="13912345678").external_no for _ in range(2)}
    make_order(shop, phone="13800001111")
    response = supervisor.post(f"{LIST}search/", {"text": "13912345678"})
    address = response["Location"]
    assert "13912345678" not in address
    shown = supervisor.get(address)
    assert set(numbers(shown)) == wanted
    assert "139****5678" in shown.content.decode()
    assert "13912345678" not in shown.content.decode() + str(dict(supervisor.session))


def test_a_search_of_somebody_else_shows_nothing(supervisor, person):
    shop = make_shop()
    for _ in range(2):
        make_order(shop)
    address = supervisor.post(f"{LIST}search/", {"text": "5678"})["Location"]
    assert len(numbers(supervisor.get(address))) == 2
    assert numbers(person("agent").get(address)) == []


def test_no_hit_says_so(supervisor):
    make_order()
    response = supervisor.post(f"{LIST}search/", {"text": "T999"}, follow=True)
    assert [str(message) for message in response.context["messages"]]
    assert response.redirect_chain == [(LIST, 302)]


def test_searching_needs_the_permission_and_a_post(person, supervisor):
    assert supervisor.get(f"{LIST}search/").status_code == 405
    agent = person("agent")
    agent.person.groups.clear()
    assert agent.post(f"{LIST}search/", {"text": "5678"}).status_code == 403


def test_the_numbers_come_after_the_page_in_a_fixed_number_of_queries(supervisor, only_pool, django_assert_num_queries):
    shop = make_shop()
    for lane in ("to_confirm", "to_confirm", "abnormal"):
        make_order(shop, status="in_triage_hold", lane=lane)
    make_order(shop, status="short")
    make_order(shop, status="ready", lane="regular")
    supervisor.get(f"{LIST}counts/")
    with django_assert_num_queries(8):
        numbers = supervisor.get(f"{LIST}counts/?view=confirm").json()
    views = {"regular": "1", "confirm": "2", "abnormal": "1", "urgent": "0", "short": "1", "drift": "0"}
    assert numbers == {"total": "2", "is_exact": True, "views": views}
    assert supervisor.get(f"{LIST}counts/?status__exact=short").json()["total"] == "1"
    assert supervisor.get(f"{LIST}counts/?nonsense=1").status_code == 400


def test_an_action_over_all_matching_rows_reaches_beyond_the_page(supervisor, monkeypatch, rules):
    monkeypatch.setattr("orderhub.admin.order.OrderAdmin.list_per_page", 2)
    shop = make_shop()
    orders = [make_order(shop, status="in_triage_hold", lane="abnormal", channel_claim="paid") for _ in range(3)]
    make_order(shop, status="short")
    chosen = {"action": "release", "select_across": "1", "_selected_action": [orders[0].pk]}
    asked = supervisor.post(f"{LIST}?view=abnormal", chosen)
    assert asked.context["count"] == 3
    supervisor.post(f"{LIST}?view=abnormal", answered(asked))
    assert {Order.objects.get(pk=order.pk).status for order in orders} == {"ready"}


def test_what_comes_while_the_reason_is_typed_is_not_released(supervisor, rules):
    shop = make_shop()
    shown = {"status": "in_triage_hold", "lane": "abnormal", "channel_claim": "paid"}
    orders = [make_order(shop, **shown) for _ in range(2)]
    chosen = {"action": "release", "select_across": "1", "_selected_action": [orders[0].pk]}
    asked = supervisor.post(f"{LIST}?view=abnormal", chosen)
    late = make_order(shop, **shown)
    supervisor.post(f"{LIST}?view=abnormal", answered(asked))
    late.refresh_from_db()
    assert ({Order.objects.get(pk=order.pk).status for order in orders}, late.status) == ({"ready"}, "in_triage_hold")


def test_an_action_with_a_reason_takes_so_many_rows_and_says_so(supervisor, monkeypatch, rules):
    monkeypatch.setattr("orderhub.console.actions.MOST", 2)
    shop = make_shop()
    orders = [make_order(shop, status="in_triage_hold", lane="abnormal", channel_claim="paid") for _ in range(3)]
    supervisor.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    chosen = {"action": "release", "select_across": "1", "_selected_action": [orders[0].pk]}
    asked = supervisor.post(f"{LIST}?view=abnormal", chosen)
    assert "More match than the 2 that are taken at once" in asked.content.decode()
    supervisor.post(f"{LIST}?view=abnormal", answered(asked))
    assert [Order.objects.get(pk=order.pk).status for order in orders] == ["ready", "ready", "in_triage_hold"]


def test_judging_again_goes_on_after_a_batch_that_fails_and_tells_of_it(supervisor, monkeypatch, settings):
    settings.HUB_BATCH_SIZE = 2
    shop = make_shop()
    ids = [make_order(shop).pk for _ in range(5)]

    def retriage(order_ids, actor):
        if ids[2] in order_ids:
            raise TemporaryError("too many at once")
        return len(order_ids)

    monkeypatch.setattr("orderhub.core.hooks.retriage", retriage)
    supervisor.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    answer = supervisor.post(LIST, {"action": "judge_again", "_selected_action": ids}, follow=True)
    assert [str(message) for message in answer.context["messages"]] == [
        "3 orders were judged again.", "2 orders could not be judged again: too many at once",
    ]  # fmt: skip


def test_several_statuses_at_once(supervisor):
    shop = make_shop()
    wanted = [make_order(shop, status=status).external_no for status in ("short", "ready")][::-1]
    make_order(shop, status="paid", is_urgent=True)
    for query in ("status__in=short&status__in=ready", "status__in=short,ready"):
        response = supervisor.get(f"{LIST}?{query}")
        assert numbers(response) == wanted, query
        body = response.content.decode()
        assert re.findall(r'value="(\w+)" checked', body) == ["ready", "short"]
        assert supervisor.get(f"{LIST}counts/?{query}").json()["total"] == "2"
    assert numbers(supervisor.get(f"{LIST}?status__in=nonsense")) == []
    kept = supervisor.get(f"{LIST}?is_urgent__exact=1&status__in=short").content.decode()
    assert '<input type="hidden" name="is_urgent__exact" value="1">' in kept
    assert 'href="?is_urgent__exact=1"' in kept


def test_a_typed_time_range_keeps_every_ticked_status(supervisor):
    query = "status__in=short&status__in=ready&lane__in=urgent&lane__in=abnormal"
    response = supervisor.get(f"{LIST}?{query}")
    kept = {spec.field_name: spec.kept for spec in response.context["cl"].filter_specs if hasattr(spec, "kept")}
    lanes = [("lane__in", "urgent"), ("lane__in", "abnormal")]
    assert kept["status"] == lanes
    assert kept["created_at"] == [("status__in", "short"), ("status__in", "ready"), *lanes]


def test_a_pasted_list_of_numbers_shows_their_orders(supervisor):
    shop, other = make_shop(), make_shop()
    first = make_order(shop, external_no="T2026111100000001")
    second = make_order(other, external_no="T2026111100000002")
    third = make_order(shop, external_no="T2026111100000003")
    make_parcel(third, "SF1234567890123")
    make_order(shop, external_no="T2026111100000004")
    text = "T2026111100000001\r\nT2026111100000002，SF1234567890123;T2026111100000001 T999999"
    response = supervisor.post(f"{LIST}search/", {"text": text})
    assert response.status_code == 302
    shown = supervisor.get(response["Location"])
    assert numbers(shown) == [third.external_no, second.external_no, first.external_no]
    (told,) = [str(message) for message in shown.context["messages"]]
    assert "T999999" in told


def test_a_pasted_list_that_nobody_knows_says_so(supervisor):
    make_order()
    response = supervisor.post(f"{LIST}search/", {"text": "T999998 T999999"}, follow=True)
    assert response.redirect_chain == [(LIST, 302)]
    assert "T999998、T999999" in str(next(iter(response.context["messages"])))


def test_pasted_phones_are_looked_for_and_told_masked_only(supervisor):
    make_order(phone="13912345678")
    text = "13912345678\n13800001111 0571-88886666, 13700002222-1234 张三13600003333 T999999"
    response = supervisor.post(f"{LIST}search/", {"text": text})
    assert "13912345678" not in str(dict(supervisor.session))
    shown = supervisor.get(response["Location"])
    assert len(numbers(shown)) == 1
    (told,) = [str(message) for message in shown.context["messages"]]
    assert told.endswith("：138****1111、057****6666、137****2222、张**、T999999")


def test_each_phone_of_a_pasted_list_is_a_search(supervisor, monkeypatch):
    monkeypatch.setattr("orderhub.admin.order_search.SEARCHES", Limit("test", most=4, seconds=60))
    orders = [make_order(phone="13912345678") for _ in range(2)]

    def search(text):
        response = supervisor.post(f"{LIST}search/", {"text": text}, follow=True)
        return len(numbers(response)), [str(message) for message in response.context["messages"]]

    assert search("13912345678 13912345678 +86-13912345678") == (2, [])
    assert search(f"{orders[0].external_no} {orders[1].external_no}") == (2, [])
    assert search("13912345678 13912345679") == (2, ["一分钟内搜索次数过多，请稍等片刻。"])
