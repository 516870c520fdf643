from ipaddress import ip_network

import pytest

from orderhub.core.caller import FORWARDED_PROTO

STRICT = (
    "base-uri 'none'; default-src 'self'; form-action 'self'; frame-ancestors 'self'; img-src 'self' data:;"
    " object-src 'none'"
)
CONSOLE = f"{STRICT}; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'"


def policy(response) -> str:
    return "; ".join(sorted(part.strip() for part in response["Content-Security-Policy"].split(";")))


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/ops/login/", "/ops/", "/ops/nothing-here/"])
def test_the_console_may_evaluate_and_style_inline_but_not_script_inline(client, path):
    assert policy(client.get(path)) == CONSOLE


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/desk/", "/opsx/", "/api/v1/orders/", "/healthz"])
def test_everywhere_else_is_strict(client, path):
    assert policy(client.get(path)) == STRICT


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("cookie", "language"),
    [("", "zh-hans"), ("en", "en"), ("zh-hans", "zh-hans"), ("xx", "zh-hans"), ("../../etc", "zh-hans")],
)
def test_people_get_chinese_until_they_choose(client, cookie, language):
    client.cookies["django_language"] = cookie
    response = client.get("/desk/login/", headers={"accept-language": "en-US,en"})
    assert response["Content-Language"] == language
    assert f'lang="{language}"' in response.content.decode()


@pytest.mark.django_db
def test_api_clients_get_the_language_they_ask_for(client):
    response = client.get("/api/v1/orders/", headers={"accept-language": "en"})
    assert response["Content-Language"] == "en"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "logged"),
    [
        ("/api/v1/orders/?search=13912345678", "GET /api/v1/orders/"),
        ("/channels/authorised/?code=s3cret&state=signed", "GET /channels/authorised/"),
        ("/nothing-here/?search=13912345678", "GET /nothing-here/"),
    ],
)
def test_a_request_is_logged_without_what_stands_behind_the_question_mark(client, caplog, address, logged):
    caplog.set_level("INFO")
    client.get(address)
    told = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert [line["event"] for line in told] == ["request_started", "request_finished"]
    assert {line["request"] for line in told} == {logged}
    assert not any(word in caplog.text for word in ("13912345678", "s3cret", "signed"))


@pytest.mark.parametrize(
    ("peer", "told", "is_https"),
    [
        ("10.0.0.5", "https", True),
        ("10.0.0.5", "http", False),
        ("10.0.0.5", None, False),
        ("203.0.113.9", "https", False),
        ("203.0.113.9", None, False),
    ],
)
def test_only_a_proxy_is_believed_about_https(client, settings, peer, told, is_https):
    settings.SECURE_PROXY_SSL_HEADER, settings.SECURE_SSL_REDIRECT = FORWARDED_PROTO, True
    settings.HUB_PROXIES = [ip_network("10.0.0.0/8")]
    headers = {"X-Forwarded-Proto": told} if told else {}
    response = client.get("/static/nothing.css", headers=headers, REMOTE_ADDR=peer)
    assert response.status_code == (404 if is_https else 301)
    assert response.wsgi_request.is_secure() is is_https
