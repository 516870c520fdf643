from datetime import timedelta

import pytest

from tests.triage.judge import NOW, batch, candidate, fact_of
from triage.predicates.base import Stop, facts

SNOW = Stop(1, "新疆", "新疆", "65", "", NOW + timedelta(days=2), "暴雪")
FLOOD = Stop(2, "贵州", "贵州", "52", "YUNDA", NOW + timedelta(days=1), "洪水")


def region(province, city="", district=""):
    return {"province": province, "city": city, "district": district}


def is_stopped(province, city="", *, stops=(SNOW, FLOOD), courier=""):
    couriers = {1: courier} if courier else {}
    return fact_of("region.is_stopped", receiver=region(province, city), context={"stops": stops, "couriers": couriers})


@pytest.mark.parametrize("province", ["新疆维吾尔自治区", "新疆"])
@pytest.mark.parametrize("city", ["", "喀什地区", "乌鲁木齐市"])
def test_a_stop_holds_every_spelling_of_its_region(province, city):
    assert is_stopped(province, city) is True


def test_other_regions_go_on():
    assert is_stopped("浙江省", "杭州市") is False
    assert is_stopped("四川省", "成都市", stops=[Stop(3, "甘孜", "甘孜", "5133", "", NOW, "滑坡")]) is False
    assert is_stopped("四川省", "甘孜藏族自治州", stops=[Stop(3, "甘孜", "甘孜", "5133", "", NOW, "滑坡")]) is True


@pytest.mark.parametrize(
    ("courier", "stopped"), [("YUNDA", True), ("yd", True), ("SF", False), ("OWN-1", False), ("", None)]
)
def test_a_stop_of_one_courier_counts_for_shops_that_use_it(courier, stopped):
    assert is_stopped("贵州省", "贵阳市", courier=courier) is stopped


def test_a_stop_of_every_courier_counts_beside_one_of_another():
    both = (Stop(4, "贵州", "贵州", "52", "", NOW, "洪水"), FLOOD)
    assert is_stopped("贵州省", courier="SF", stops=both) is True
    assert is_stopped("贵州省", stops=both) is True


def test_an_unknown_region_is_unknown_only_while_something_is_stopped():
    assert is_stopped("某某省") is None
    assert is_stopped("某某省", stops=()) is False


def test_a_finding_says_where_until_when_and_why():
    made = candidate(receiver=region("贵州省", "贵阳市"))
    judged = batch(made, stops=[FLOOD], couriers={1: "YD"})
    assert judged.column("region.is_stopped") == [True]
    assert facts.get("region.is_stopped").explain(judged, 0) == {
        "region.stop_id": 2,
        "region.stop_place": "贵州",
        "region.stop_courier": "YUNDA",
        "region.stop_until": "2026-11-12 08:30",
        "region.stop_reason": "洪水",
        "region.stop_region": "贵州",
        "region.stop_ships_with": "YD",
    }
