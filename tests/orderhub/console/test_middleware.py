import pytest

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
