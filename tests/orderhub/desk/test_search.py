import pytest

from orderhub.services.gate import set_gate
from orderhub.services.limits import SEARCHES
from tests.drafts import deliver, draft
from tests.factories import make_order, make_parcel, make_shop, make_user
from tests.orderhub.desk.conftest import HTMX


def test_one_hit_opens_by_itself(find):
    order = make_order(external_no="T1")
    response = find("T1")
    page = response.content.decode()
    assert response["HX-Replace-Url"] == f"/desk/orders/{order.pk}/"
    assert 'hx-swap-oob="true"' in page
    assert f'data-order="{order.pk}"' in page
    assert "139****5678" in page
    assert "13912345678" not in page


def test_several_hits_are_listed_newest_first_and_none_opens(find):
    shop = make_shop()
    first, second = make_order(shop), make_order(shop)
    response = find("5678")
    page = response.content.decode()
    assert page.index(second.external_no) < page.index(first.external_no)
    assert "2 orders <span>by last four digits</span>" in page
    assert "data-order" not in page
    assert response["HX-Replace-Url"] == "/desk/"


def test_another_search_takes_the_former_order_away_but_clearing_the_box_does_not(find):
    assert 'id="card"' in find("T404").content.decode()
    cleared = find("")
    assert 'id="card"' not in cleared.content.decode()
    assert "HX-Replace-Url" not in cleared


def test_beyond_the_limit_it_asks_for_more(find):
    shop = make_shop()
    for _ in range(21):
        make_order(shop)
    page = find("5678").content.decode()
    assert page.count('class="hit"') == 20
    assert "There are more." in page


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("13900000000", "No order has this phone."),
        ("0000", "No order&#x27;s phone ends like this."),
        ("T404", "Check the number"),
        ("无此人", "Nobody of this name."),
        ("", "Paste whatever the customer gives you"),
        ("   ", "Paste whatever the customer gives you"),
    ],
)
def test_nothing_found_says_what_to_do_next(find, text, words):
    assert words in find(text).content.decode()


def test_what_is_typed_never_comes_back_as_markup(find):
    make_order(external_no="T1", buyer_remark="<img src=x onerror=alert(1)>", name='<script>alert("n")</script>')
    page = find("T1").content.decode()
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "<script" not in page
    assert "<script" not in find("<script>alert(1)</script>").content.decode()


@pytest.mark.parametrize(("rows", "queries"), [(2, 7), (4, 7)])
def test_queries_of_a_list_are_constant(find, rows, queries, django_assert_num_queries):
    shop = make_shop()
    for _ in range(rows):
        make_order(shop, lines=rows)
    find("5678")
    with django_assert_num_queries(queries):
        assert find("5678").content.count(b'class="hit"') == rows


@pytest.mark.parametrize("size", [1, 3])
def test_queries_of_an_opened_order_are_constant(find, size, django_assert_max_num_queries):
    order = make_order(external_no="T1", lines=size)
    for _ in range(size):
        make_parcel(order)
    find("T1")
    with django_assert_max_num_queries(14):
        assert b"data-order" in find("T1").content


def test_too_many_searches_are_told_so(find, agent):
    make_order(external_no="T1")
    for _ in range(SEARCHES.most):
        assert SEARCHES.count(str(agent.pk))
    response = find("T1")
    assert response.status_code == 429
    assert "Too many searches" in response.content.decode()
    assert "T1</b>" not in response.content.decode()


def test_only_people_who_may_see_orders_search(client, desk):
    make_order(external_no="T1")
    assert client.post("/desk/search/", {"q": "T1"})["Location"].startswith("/desk/login/")
    client.force_login(make_user("nobody"))
    response = client.post("/desk/search/", {"q": "T1"}, headers=HTMX)
    assert response.status_code == 403
    assert "X-Form-Expired" not in response
    assert b"139****" not in response.content
    assert desk.get("/desk/search/", {"q": "T1"}).status_code == 405


@pytest.mark.parametrize("number", ["T77", "#77", "订单-77"])
def test_an_order_that_waits_before_the_intake_gate_is_known_by_its_number(find, number):
    shop = make_shop(name="旗舰店")
    set_gate(shop_id=shop.pk, state="paused", reason="stock count", actor="boss")
    deliver(shop, draft(number))
    page = find(number).content.decode()
    assert ("Received, not in the hub yet" in page, f"Order {number} of 旗舰店" in page) == (True, True)
    assert "Nothing found" in find("T78").content.decode()
