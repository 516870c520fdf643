import re

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType

from orderhub.models import ApiToken, Reveal
from orderhub.services.access import client_of, issue_token
from tests.factories import make_order, make_shop

TOKENS = "/ops/orderhub/apitoken/"


@pytest.mark.parametrize("rows", [1, 3])
def test_the_lists_need_a_fixed_number_of_queries(supervisor, rows, django_assert_num_queries):
    order = make_order()
    kind = ContentType.objects.get_for_model(order)
    for number in range(rows):
        issue_token(name=f"t{number}", scopes=["orders:read"], actor="a")
        Reveal.objects.create(order=order, user=supervisor.person, reason="r", place="desk")
        LogEntry.objects.create(user=supervisor.person, content_type=kind, object_id="1", action_flag=CHANGE)
    supervisor.get(TOKENS)
    for path, queries in ((TOKENS, 6), ("/ops/orderhub/reveal/", 5), ("/ops/admin/logentry/", 5)):
        with django_assert_num_queries(queries):
            response = supervisor.get(path)
        assert len(response.context["cl"].result_list) == rows, path


def test_the_log_of_looks_says_where_in_words(supervisor):
    for place in ("desk", "console"):
        Reveal.objects.create(order=make_order(), user=supervisor.person, reason="r", place=place)
    supervisor.cookies["django_language"] = "zh-hans"
    body = supervisor.get("/ops/orderhub/reveal/").content.decode()
    assert ("运营后台</td>" in body, "客服工作台</td>" in body) == (True, True)


def test_the_change_log_is_read_in_the_language_of_the_reader(supervisor):
    kind = ContentType.objects.get_for_model(ApiToken)
    for told in ("raw row shown: why", "raw row not readable: why", '[{"changed": {"fields": ["state"]}}]'):
        LogEntry.objects.create(
            user=supervisor.person, content_type=kind, object_id="1", action_flag=CHANGE, change_message=told
        )
    supervisor.cookies["django_language"] = "zh-hans"
    body = supervisor.get("/ops/admin/logentry/").content.decode()
    told = ("查看了原始数据：why", "原始数据无法解密：why", "已修改状态。")
    assert [text for text in told if text not in body] == []


def test_the_secret_is_shown_once_and_works(supervisor):
    shop = make_shop()
    response = supervisor.post(
        f"{TOKENS}add/",
        {"name": "erp", "scopes": ["orders:read"], "shops": [shop.pk], "expires_at_0": "", "expires_at_1": ""},
    )
    secret = re.search(r'id="token-secret">([^<]+)<', response.content.decode()).group(1)
    client = client_of(secret)
    assert (client.name, client.scopes, client.shop_ids) == ("erp", ("orders:read",), (shop.pk,))
    assert "no-store" in response["Cache-Control"]
    token = ApiToken.objects.get()
    for path in (TOKENS, f"{TOKENS}{token.pk}/change/"):
        body = supervisor.get(path).content.decode()
        assert secret not in body
        assert token.digest not in body
    assert secret not in "".join(LogEntry.objects.values_list("change_message", flat=True))


def test_a_token_says_for_which_shops_it_is(supervisor):
    first, second = make_shop(name="天猫旗舰店"), make_shop(name="京东自营")
    bound, _secret = issue_token(name="bound", scopes=["orders:read"], actor="a", shops=[first, second])
    free, _secret = issue_token(name="free", scopes=["orders:read"], actor="a")

    def told(token):
        return supervisor.get(f"{TOKENS}{token.pk}/change/").content.decode()

    assert "所有店铺" in told(free)
    assert all(name in told(bound) for name in ("天猫旗舰店", "京东自营"))
    first.delete()
    second.delete()
    assert "无：它所属的店铺已被删除" in told(bound)


@pytest.mark.parametrize(
    ("values", "field"),
    [({"scopes": ["root"]}, "scopes"), ({"scopes": []}, "scopes"), ({"name": ""}, "name")],
)
def test_a_token_without_name_or_with_unknown_rights_is_refused(supervisor, values, field):
    form = {"name": "erp", "scopes": ["orders:read"], "expires_at_0": "", "expires_at_1": "", **values}
    response = supervisor.post(f"{TOKENS}add/", form)
    assert list(response.context["adminform"].form.errors) == [field]
    assert not ApiToken.objects.exists()


def test_an_end_in_the_past_is_refused_beside_the_field(supervisor):
    form = {"name": "erp", "scopes": ["orders:read"], "expires_at_0": "2020-01-01", "expires_at_1": "00:00"}
    response = supervisor.post(f"{TOKENS}add/", form)
    assert list(response.context["adminform"].form.errors) == ["expires_at"]
    assert not ApiToken.objects.exists()


def test_a_token_is_switched_off_not_deleted(supervisor):
    token, secret = issue_token(name="t", scopes=["orders:read"], actor="a")
    asked = {"action": "revoke", "_selected_action": [token.pk]}
    assert "停用后不能恢复" in supervisor.post(TOKENS, asked).content.decode()
    assert client_of(secret) is not None
    supervisor.post(TOKENS, {**asked, "confirmed": "1"})
    assert client_of(secret) is None
    assert ApiToken.objects.get().is_active is False
    assert supervisor.post(f"{TOKENS}{token.pk}/delete/", {"post": "yes"}).status_code == 403
