from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages

from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox
from orderhub.models import Shop
from tests.channels_sync.clock import PlatformClock
from tests.factories import make_shop


@pytest.fixture
def shop(db, settings):
    with Sandbox(Options(moves=False), now=PlatformClock()) as sandbox:
        settings.JD_OAUTH_URL = f"{sandbox.url}/jd/oauth2"
        shop = make_shop("jd", platform="jd")
        shop.credentials = {"app_key": SANDBOX.jd_app_key, "app_secret": SANDBOX.jd_app_secret}
        shop.save()
        yield shop


def person(name, *permissions):
    user = User.objects.create_user(name, password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


@pytest.fixture
def boss(client, db):
    user = person("boss", "change_shop", "view_shop")
    client.force_login(user)
    client.cookies["django_language"] = "en"
    return user


def leave(client, shop):
    answer = client.get(f"/channels/{shop.pk}/authorise/")
    assert answer.status_code == 302
    return {name: values[0] for name, values in parse_qs(urlsplit(answer["Location"]).query).items()}


def said(answer):
    return [str(message) for message in get_messages(answer.wsgi_request)]


def session_of(shop):
    return Shop.objects.get(pk=shop.pk).credentials.get("access_token")


def test_out_to_the_platform_and_back_with_a_code(client, boss, shop):
    asked = leave(client, shop)
    assert asked["app_key"] == SANDBOX.jd_app_key
    assert asked["redirect_uri"] == "http://testserver/channels/authorised/"
    answer = client.get("/channels/authorised/", {"code": SANDBOX.jd_code, "state": asked["state"]})
    assert answer["Location"] == f"/ops/channels/{shop.code}/"
    assert session_of(shop).startswith("sandbox-jd-")


def test_a_state_works_once(client, boss, shop):
    asked = leave(client, shop)
    client.get("/channels/authorised/", {"code": SANDBOX.jd_code, "state": asked["state"]})
    first = session_of(shop)
    answer = client.get("/channels/authorised/", {"code": SANDBOX.jd_code, "state": asked["state"]})
    assert "not begun here" in said(answer)[-1]
    assert session_of(shop) == first


@pytest.mark.parametrize("state", ["", "forged", "WzEsMSwiYSJd:1w:sig"])
def test_a_state_that_was_not_given_out_is_refused(client, boss, shop, state):
    leave(client, shop)
    answer = client.get("/channels/authorised/", {"code": SANDBOX.jd_code, "state": state})
    assert "not begun here" in said(answer)[-1]
    assert session_of(shop) is None


def test_a_state_of_another_person_is_refused(client, boss, shop):
    asked = leave(client, shop)
    client.force_login(person("other", "change_shop"))
    leave(client, shop)
    answer = client.get("/channels/authorised/", {"code": SANDBOX.jd_code, "state": asked["state"]})
    assert "not begun here" in said(answer)[-1]
    assert session_of(shop) is None


def test_a_state_that_is_too_old_is_refused(client, boss, shop, monkeypatch):
    asked = leave(client, shop)
    monkeypatch.setattr("channels_sync.services.authorising.LIFE_SECONDS", -1)
    answer = client.get("/channels/authorised/", {"code": SANDBOX.jd_code, "state": asked["state"]})
    assert "longer than ten minutes" in said(answer)[-1]
    assert session_of(shop) is None


def test_a_refusal_of_the_platform_is_shown(client, boss, shop):
    leave(client, shop)
    answer = client.get("/channels/authorised/", {"error": "access_denied", "error_description": "authorize reject"})
    assert "authorize reject" in said(answer)[-1]
    assert session_of(shop) is None


def test_a_code_may_be_pasted(client, boss, shop):
    answer = client.post(f"/channels/{shop.pk}/code/", {"code": SANDBOX.jd_code})
    assert answer["Location"] == f"/ops/channels/{shop.code}/"
    assert session_of(shop).startswith("sandbox-jd-")


@pytest.mark.parametrize("code", ["", "wrong"])
def test_a_wrong_code_is_told_and_changes_nothing(client, boss, shop, code):
    answer = client.post(f"/channels/{shop.pk}/code/", {"code": code})
    assert len(said(answer)) == 1
    assert session_of(shop) is None


def test_a_platform_without_a_page_says_so(client, boss, db):
    other = make_shop("mini", platform="wechat")
    answer = client.get(f"/channels/{other.pk}/authorise/")
    assert "no page" in said(answer)[-1]


def test_douyin_wants_its_service_and_taobao_its_application(client, boss, db):
    douyin = make_shop("dy", platform="douyin", settings={"service_id": "42"})
    assert leave(client, douyin)["service_id"] == "42"
    taobao = make_shop("tb", platform="taobao")
    taobao.credentials = {"app_key": "k"}
    taobao.save()
    assert leave(client, taobao)["client_id"] == "k"


def test_only_people_who_may_change_shops(client, shop):
    client.force_login(person("agent", "view_shop"))
    assert client.get(f"/channels/{shop.pk}/authorise/").status_code == 403
    assert client.get("/channels/authorised/", {"code": SANDBOX.jd_code, "state": "x"}).status_code == 403
    assert client.post(f"/channels/{shop.pk}/code/", {"code": SANDBOX.jd_code}).status_code == 403
    client.logout()
    assert client.post(f"/channels/{shop.pk}/code/", {"code": SANDBOX.jd_code}).status_code == 302
    assert session_of(shop) is None
