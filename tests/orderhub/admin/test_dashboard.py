from datetime import timedelta

import pytest
from django.utils import timezone

from orderhub.console import paging
from orderhub.console.dashboard import DashboardCard, dashboard_cards
from orderhub.selectors import overview
from tests.factories import make_order, make_shop


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_the_number_of_queries_is_fixed(supervisor, only_pool, rows, django_assert_num_queries):
    shop = make_shop()
    for _ in range(rows):
        make_order(shop, created_at=timezone.now(), status="in_triage_hold", lane="to_confirm")
    supervisor.get("/ops/")
    with django_assert_num_queries(7):
        assert supervisor.get("/ops/").status_code == 200


def cards(client):
    return {card.key: card.context for card in client.get("/ops/").context["cards"]}


def test_tiles_say_what_the_pool_holds(supervisor, only_pool, time_machine):
    now = timezone.now().replace(minute=30)  # the figures of this hour begin anew at the full one
    time_machine.move_to(now, tick=False)
    shop = make_shop(name="旗舰店")
    make_order(shop, created_at=now, lane="regular", status="ready")
    make_order(shop, created_at=now, lane="regular", status="ready", is_urgent=True)
    make_order(shop, created_at=now, lane="abnormal", status="in_triage_hold")
    late = now - timedelta(minutes=31)
    make_order(shop, created_at=now, lane="to_confirm", status="in_triage_hold", held_since=late)
    shown = cards(supervisor)
    values = [(tile.value, tile.second) for tile in shown["tiles"]["tiles"]]
    assert values == [("4", ""), ("1", "1"), ("25.0%", ""), ("50.0%", ""), ("0", "0"), ("0", "0")]
    assert sum(shown["hours"]["chart"]["series"][0]["values"]) == 4
    assert [(row["this_hour"], row["waiting"]) for row in shown["queues"]["rows"]] == [
        ("2", "2"), ("1", "1"), ("1", "1"), ("1", "1"), ("", "0"), ("", "0"), ("", "0"), ("", "0"),
    ]  # fmt: skip
    assert len(shown["pressing"]["orders"]) == 2


def test_shops_of_one_name_have_bars_of_their_own(supervisor, only_pool):
    now = timezone.now()
    for code, name, platform in (
        ("a", "旗舰店", "taobao"), ("b", "旗舰店", "jd"), ("c", "旗舰店", "jd"), ("d", "专卖店", "jd"),
        ("e", "旗舰店", "old"),
    ):  # fmt: skip
        make_order(make_shop(code, name=name, platform=platform), created_at=now)
    chart = cards(supervisor)["hours"]["chart"]
    assert [(line["name"], sum(line["values"])) for line in chart["series"]] == [
        ("旗舰店 · 淘宝 / 天猫", 1), ("旗舰店 · b", 1), ("旗舰店 · c", 1), ("专卖店", 1), ("旗舰店 · old", 1),
    ]  # fmt: skip


def test_a_queue_too_long_to_count_says_how_many_are_late_at_least(supervisor, only_pool, monkeypatch):
    monkeypatch.setattr(overview, "COUNT_CAP", 2)
    monkeypatch.setattr(paging, "COUNT_CAP", 2)
    late = timezone.now() - timedelta(minutes=31)
    for number in range(4):
        make_order(status="in_triage_hold", lane="to_confirm", held_since=late if number < 2 else timezone.now())
    shown = cards(supervisor)
    tile, row = shown["tiles"]["tiles"][1], shown["queues"]["rows"][1]
    assert (tile.value, tile.second, tile.is_second_bad) == ("2+", "≥ 2", True)
    assert (row["waiting"], row["overdue"]) == ("2+", "≥ 2")


def test_an_empty_hub_has_a_dashboard_too(supervisor, only_pool):
    values = [tile.value for tile in cards(supervisor)["tiles"]["tiles"]]
    assert values == ["0", "0", "—", "—", "0", "0"]


def test_a_feature_adds_a_card_that_hides_itself(supervisor, monkeypatch):
    seen = DashboardCard("x", "Mine", "console/cards/pressing.html", lambda request: {"orders": []}, rank=1)
    hidden = DashboardCard("y", "Hidden", "console/cards/pressing.html", lambda request: {})
    monkeypatch.setattr(dashboard_cards, "_items", {"x": seen, "y": hidden})
    assert list(cards(supervisor)) == ["x"]


def test_people_without_orders_see_no_figures(client, db, only_pool):
    from tests.factories import make_user

    client.force_login(make_user("new", is_staff=True))
    response = client.get("/ops/")
    assert (response.status_code, response.context["cards"]) == (200, [])
