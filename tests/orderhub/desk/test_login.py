from ipaddress import ip_network

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client

from orderhub.services.limits import LOGIN_FAILURES
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def log_in(client, name, password, headers=None, **extra):
    return client.post("/desk/login/", {"username": name, "password": password, **extra}, headers=headers)


def test_logging_in_leads_to_the_start_and_out_again(client):
    make_user("li")
    assert client.get("/desk/")["Location"] == "/desk/login/?next=/desk/"
    assert log_in(client, "li", "li-password")["Location"] == "/"
    assert client.post("/desk/logout/")["Location"] == "/desk/login/"
    assert client.get("/desk/").status_code == 302


@pytest.mark.parametrize("wrong", ["//evil.example", "https://evil.example/", "/\\evil.example"])
def test_it_never_leads_to_another_host(client, wrong):
    make_user("li")
    assert log_in(client, "li", "li-password", next=wrong)["Location"] == "/"


def test_a_wrong_name_and_a_wrong_password_are_told_alike(client):
    make_user("li")
    pages = [log_in(client, name, "wrong").content.decode().replace(name, "?") for name in ("li", "nobody")]
    strip = [page[page.index('<form method="post" class') :].split("csrfmiddlewaretoken")[0] for page in pages]
    assert strip[0] == strip[1]


def test_a_name_that_failed_five_times_waits_even_with_the_right_password(client):
    make_user("li")
    for _ in range(5):
        assert log_in(client, "li", "wrong").status_code == 200
    response = log_in(client, "LI ", "li-password")
    assert response.status_code == 429
    assert response["Retry-After"] == "300"
    assert "_auth_user_id" not in client.session
    make_user("han")
    assert log_in(client, "han", "han-password").status_code == 302


def test_behind_a_proxy_each_client_has_failures_of_its_own(client, settings):
    settings.HUB_PROXIES = [ip_network("127.0.0.1")]
    make_user("li")
    for _ in range(5):
        assert log_in(client, "li", "wrong", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 200
    assert log_in(client, "li", "li-password", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 429
    forged = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
    assert log_in(client, "li", "li-password", headers=forged).status_code == 429
    assert log_in(client, "li", "li-password", headers={"X-Forwarded-For": "198.51.100.1"}).status_code == 302


def test_names_do_not_stand_in_the_table(client):
    log_in(client, "li", "wrong")
    with connection.cursor() as cursor:
        cursor.execute("SELECT cache_key FROM hub_cache")
        keys = [row[0] for row in cursor.fetchall()]
    assert keys
    assert all("li" not in key.split(":")[-1] or len(key.split(":")[-1]) == 64 for key in keys)
    assert LOGIN_FAILURES.name in {key.split(":")[1] for key in keys}


def test_the_console_has_the_same_door(client):
    assert client.get("/ops/login/?next=/ops/")["Location"] == "/desk/login/?next=/ops/"
    make_user("li")
    client.force_login(make_user("agent-only"))
    response = client.get("/ops/", follow=True)
    assert response.status_code == 403


@pytest.mark.parametrize(
    ("is_staff", "groups", "place"),
    [(False, [], "/desk/"), (True, [], "/ops/"), (True, ["agent"], "/desk/"), (True, ["agent", "supervisor"], "/ops/"),
     (True, ["risk"], "/ops/")],
)  # fmt: skip
def test_everyone_begins_where_their_work_is(client, is_staff, groups, place):
    user = make_user(is_staff=is_staff)
    user.groups.set([Group.objects.get_or_create(name=name)[0] for name in groups])
    client.force_login(user)
    assert client.get("/")["Location"] == place


def test_an_expired_form_and_a_crash_are_told_in_words(client, monkeypatch):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies["django_language"] = "en"
    response = log_in(strict, "li", "x")
    assert (response.status_code, response["X-Form-Expired"]) == (403, "1")
    assert "This form has expired." in response.content.decode()
    failing = Client(raise_request_exception=False)
    failing.cookies["django_language"] = "en"
    monkeypatch.setattr("orderhub.desk.views.login.LOGIN_FAILURES", None)
    response = log_in(failing, "li", "x")
    assert response.status_code == 500
    assert "Something went wrong on our side." in response.content.decode()
    assert "Traceback" not in response.content.decode()


def test_the_language_switch_is_kept(client):
    assert 'lang="zh-hans"' in client.get("/desk/login/").content.decode()
    client.post("/i18n/setlang/", {"language": "en", "next": "/desk/login/"})
    assert 'lang="en"' in client.get("/desk/login/").content.decode()
