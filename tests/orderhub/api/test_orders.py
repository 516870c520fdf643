from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orderhub.models import TimelineEntry
from orderhub.services.access import INTAKE_WRITE, ORDERS_READ
from orderhub.services.limits import Limit
from tests.factories import START, make_buyer, make_order, make_parcel, make_shop
from tests.orderhub.api.conftest import error_of
from tests.plans import plan_of

pytestmark = pytest.mark.django_db


def numbers(response):
    assert response.status_code == 200, response.content
    return [row["external_no"] for row in response.json()["results"]]


def test_a_row_shows_the_order_masked(api):
    shop = make_shop("flagship")
    order = make_order(shop, external_no="T1", lane="abnormal", is_urgent=True, has_drift=True, ship_by=START)
    row = api.get("orders/").json()["results"][0]
    stamp = order.created_at.isoformat().replace("+00:00", "Z")
    assert row == {
        "id": order.pk, "external_no": "T1", "shop": "flagship", "status": "paid", "lane": "abnormal", "urgent": True,
        "drift": True, "created_at": stamp, "paid_at": stamp, "modified_at": stamp, "received_at": stamp,
        "ship_by": "2026-11-11T00:00:00Z", "total_fen": 12900, "paid_fen": 12900, "item_count": 1,
        "receiver": {"name": "李*", "phone": "139****5678", "province": "浙江省", "city": "杭州市",
                     "district": "西湖区"},
    }  # fmt: skip


@pytest.mark.parametrize("rows", [1, 3])
def test_list_queries_are_constant(api, rows, django_assert_num_queries):
    shop = make_shop()
    for _ in range(rows):
        make_order(shop, lines=rows)
    api.get("orders/")
    with django_assert_num_queries(2):
        assert len(numbers(api.get("orders/"))) == rows


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"status": "ready"}, ["T2"]),
        ({"status": ["ready", "paid"]}, ["T3", "T2", "T1"]),
        ({"lane": "abnormal"}, ["T3"]),
        ({"urgent": "true"}, ["T1"]),
        ({"urgent": "false"}, ["T3", "T2"]),
        ({"shop": "b"}, ["T3"]),
        ({"created_from": "2026-11-11T02:00:00Z"}, ["T3", "T2"]),
        ({"created_to": "2026-11-11T02:00:00Z"}, ["T1"]),
        ({"created_from": "2026-11-11T10:00:00+08:00", "created_to": "2026-11-11T11:00:00+08:00"}, ["T2"]),
        ({"modified_from": "2026-11-12T00:00:00Z"}, ["T1"]),
        ({"created_from": "2026-11-11T23:59:00+22:00"}, ["T3", "T2"]),
        ({"search": "T2"}, ["T2"]),
        ({"search": "open-1"}, ["T1"]),
        ({"search": "SF0000000000001"}, ["T3"]),
        ({"search": "T404"}, []),
    ],
)
def test_each_filter_narrows(api, params, expected):
    a, b = make_shop("a"), make_shop("b")
    hour = timedelta(hours=1)
    make_order(a, external_no="T1", created_at=START + hour, modified_at=START + 24 * hour, is_urgent=True,
               buyer=make_buyer(a, "open-1"))  # fmt: skip
    make_order(a, external_no="T2", created_at=START + 2 * hour, status="ready")
    third = make_order(b, external_no="T3", created_at=START + 3 * hour, lane="abnormal")
    make_parcel(third, "SF0000000000001")
    assert numbers(api.get("orders/", **params)) == expected


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"status": "nonsense"}, "status"), ({"lane": "x"}, "lane"), ({"created_from": "yesterday"}, "created_from"),
        ({"cursor": "???"}, "cursor"), ({"cursor": "W10"}, "cursor"), ({"cursor": "WzEsImEiXQ"}, "cursor"),
        ({"page_size": "0"}, "page_size"), ({"page_size": "201"}, "page_size"), ({"page_size": "x"}, "page_size"),
        ({"stauts": "paid"}, "stauts"), ({"shop": "x" * 51}, "shop"), ({"urgent": "perhaps"}, "urgent"),
        ({"created_to": "0001-01-01T00:00:00+08:00"}, "created_to"),
    ],
)  # fmt: skip
def test_a_parameter_that_cannot_be_used_is_named(api, params, path):
    make_order()
    assert [field["path"] for field in error_of(api.get("orders/", **params), 400, "invalid")["fields"]] == [path]


@pytest.mark.parametrize("text", ["13912345678", "5678", "139****5678", "李雷"])
def test_personal_data_in_the_address_is_refused(api, text):
    make_order()
    error_of(api.get("orders/", search=text), 400, "personal_data_in_address")


def test_all_orders_of_a_buyer_are_narrowed_further(api, monkeypatch):
    monkeypatch.setattr("orderhub.api.filters.SEARCH_LIMIT", 2)
    shop, other = make_shop(), make_shop()
    guest = make_buyer(shop, "guest")
    make_order(shop, external_no="OLD", status="refunding", buyer=guest)
    for number in range(3):
        make_order(shop, external_no=f"T{number}", buyer=guest)
    make_order(other, external_no="guest", created_at=START + timedelta(days=1))
    assert numbers(api.get("orders/", search="guest", status="refunding")) == ["OLD"]
    assert numbers(api.get("orders/", search="guest")) == ["guest", "T2", "T1", "T0", "OLD"]
    assert numbers(api.get("orders/", search="guest", shop=other.code)) == ["guest"]


def test_a_number_that_names_too_many_orders_is_told(api, monkeypatch):
    monkeypatch.setattr("orderhub.api.filters.SEARCH_LIMIT", 1)
    for _ in range(2):
        make_parcel(make_order(), "SF0000000000001")
    error = error_of(api.get("orders/", search="SF0000000000001"), 400, "invalid")
    assert [field["path"] for field in error["fields"]] == ["search"]


def test_orders_of_a_buyer_are_read_by_the_buyer(api):
    make_order(buyer=make_buyer(make_shop(), "guest"))
    with CaptureQueriesContext(connection) as queries:
        api.get("orders/", search="guest")
    assert "order_buyer" in plan_of(queries.captured_queries[-1]["sql"])


def test_pages_are_complete_and_stable_while_orders_come_in(api):
    shop = make_shop()
    for i in range(5):
        make_order(shop, external_no=f"T{i}", created_at=START if i < 3 else START + timedelta(seconds=i))
    seen, page = [], api.get("orders/", page_size=2)
    while True:
        seen += numbers(page)
        next_url = page.json()["next"]
        if not next_url:
            break
        make_order(shop, external_no=f"NEW{len(seen)}", created_at=START + timedelta(days=1))
        page = api.client.get(next_url, headers=api.headers())
    assert seen == ["T4", "T3", "T2", "T1", "T0"]


def test_search_finds_by_post_and_tells_the_kind(api):
    shop = make_shop()
    order = make_order(shop, external_no="T1", name="欧阳娜娜", phone="13812340987")
    for text, kind in [("T1", "order_no"), ("13812340987", "phone"), ("0987", "phone_tail"), ("阳娜", "name")]:
        answer = api.post("orders/search/", {"q": text}).json()
        assert (answer["kind"], answer["more"], [row["id"] for row in answer["results"]]) == (kind, False, [order.pk])
        assert "13812340987" not in str(answer)
    assert api.post("orders/search/", {"q": "nobody-1"}).json()["results"] == []


def test_search_queries_are_constant(api, django_assert_num_queries):
    shop = make_shop()
    for _ in range(3):
        make_order(shop)
    api.post("orders/search/", {"q": "5678"})
    with django_assert_num_queries(4):
        assert len(api.post("orders/search/", {"q": "5678"}).json()["results"]) == 3


def test_a_token_that_searches_too_often_waits(issue, monkeypatch):
    monkeypatch.setattr("orderhub.api.orders.API_SEARCHES", Limit("test", most=2, seconds=60))
    make_order()
    first, second = issue(ORDERS_READ), issue(ORDERS_READ)
    assert [first.post("orders/search/", {"q": "5678"}).status_code for _ in range(2)] == [200, 200]
    refused = first.post("orders/search/", {"q": "5678"})
    error_of(refused, 429, "throttled")
    assert refused["Retry-After"] == "60"
    assert second.post("orders/search/", {"q": "5678"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "paths"), [({}, ["q"]), ({"q": ""}, ["q"]), ({"q": "a", "limit": 0}, ["limit"]), ([1], [""])]
)
def test_a_search_of_another_shape_names_its_fields(api, body, paths):
    error = error_of(api.post("orders/search/", body), 400, "invalid")
    assert [field["path"] for field in error["fields"]] == paths


def test_one_order_with_everything_around_it(api):
    shop = make_shop("flagship")
    order = make_order(shop, external_no="T1", lines=2, channel_claim="paid", channel_claim_at=START,
                       channel_status="WAIT_SELLER_SEND_GOODS")  # fmt: skip
    make_parcel(order, "SF1", handed_over_at=START)
    TimelineEntry.objects.create(shop=shop, order=order, at=START, kind="intake", source="channel", actor="intake:api",
                                 status_to="paid")  # fmt: skip
    answer = api.get(f"orders/{order.pk}/").json()
    assert [line["sku"] for line in answer["lines"]] == ["SKU-1", "SKU-2"]
    assert answer["receiver"] == {
        "name": "李*", "phone": "139****5678", "detail": "文三路 ***", "kind": "plain", "country": "CN",
        "province": "浙江省", "city": "杭州市", "district": "西湖区", "town": "",
    }  # fmt: skip
    assert answer["claims"] == [
        {"source": "channel", "status": "paid", "at": "2026-11-11T00:00:00Z", "own_word": "WAIT_SELLER_SEND_GOODS"},
        {"source": "warehouse", "status": "", "at": None, "own_word": ""},
        {"source": "carrier", "status": "", "at": None, "own_word": ""},
    ]
    assert answer["parcels"] == [
        {"carrier": "SF", "tracking_no": "SF1", "handed_over_at": "2026-11-11T00:00:00Z", "delivered_at": None}
    ]
    assert answer["timeline"][0]["status_to"] == "paid"
    assert "13912345678" not in str(answer)


@pytest.mark.parametrize("size", [1, 3])
def test_detail_queries_are_constant(api, size, django_assert_max_num_queries):
    order = make_order(lines=size)
    for _ in range(size):
        make_parcel(order)
    api.get(f"orders/{order.pk}/")
    with django_assert_max_num_queries(11):
        assert len(api.get(f"orders/{order.pk}/").json()["lines"]) == size


def test_orders_of_other_shops_are_not_there(issue):
    own, other = make_shop("own"), make_shop("other")
    make_order(own, external_no="MINE")
    foreign = make_order(other, external_no="THEIRS")
    api = issue(ORDERS_READ, shops=[own])
    assert numbers(api.get("orders/")) == ["MINE"]
    assert numbers(api.get("orders/", shop="other")) == []
    assert numbers(api.get("orders/", search="THEIRS")) == []
    assert numbers(api.post("orders/search/", {"q": "THEIRS"})) == []
    error_of(api.get(f"orders/{foreign.pk}/"), 404, "not_found")


def test_a_token_without_any_shop_left_sees_nothing(issue):
    gone, other = make_shop("gone"), make_shop("other")
    order = make_order(other, external_no="THEIRS", buyer=make_buyer(other, "open-1"))
    api = issue(ORDERS_READ, shops=[gone])
    gone.delete()
    for params in ({}, {"search": "THEIRS"}, {"search": "open-1"}):
        assert numbers(api.get("orders/", **params)) == []
    assert numbers(api.post("orders/search/", {"q": "THEIRS"})) == []
    error_of(api.get(f"orders/{order.pk}/"), 404, "not_found")


@pytest.mark.parametrize("pk", ["0", "999999", "9" * 30])
def test_an_unknown_order_is_not_there(api, pk):
    error_of(api.get(f"orders/{pk}/"), 404, "not_found")


def test_a_writing_token_may_not_read(issue):
    order = make_order()
    api = issue(INTAKE_WRITE)
    for response in (api.get("orders/"), api.get(f"orders/{order.pk}/"), api.post("orders/search/", {"q": "T1"})):
        error_of(response, 403, "scope_missing")
