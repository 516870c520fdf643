import pytest

from channels_sync.models import PlatformReveal
from tests.factories import make_order, make_shop, make_user

ASKED = "/ops/channels_sync/platformreveal/"


def ask(shop, **values):
    return PlatformReveal.objects.create(shop=shop, order=make_order(shop), user=make_user(), texts=3, **values)


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_needs_a_fixed_number_of_queries(log_in, rows, django_assert_num_queries):
    client = log_in("auditor")
    for _ in range(rows):
        ask(make_shop(platform="douyin"), opened=3)
    client.get(ASKED)
    with django_assert_num_queries(6):
        assert client.get(ASKED).content.decode().count('/change/" class="num">') == rows


def test_who_asked_for_which_order_and_why_nothing_came(log_in):
    asked = ask(make_shop("dy", platform="douyin"), error="quota")
    body = log_in("auditor").get(ASKED).content.decode()
    assert asked.order.external_no in body
    assert asked.user.username in body
    assert "quota" in body


def test_nobody_writes_the_log(log_in):
    client, asked = log_in("supervisor"), ask(make_shop())
    assert client.get(f"{ASKED}add/").status_code == 403
    assert client.post(f"{ASKED}{asked.pk}/delete/", {"post": "yes"}).status_code == 403
    assert PlatformReveal.objects.get().texts == 3


@pytest.mark.parametrize("role", ["agent", "warehouse", "risk"])
def test_others_do_not_see_it(log_in, role):
    assert log_in(role).get(ASKED).status_code == 403
