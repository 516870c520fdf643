from datetime import timedelta
from uuid import UUID

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from orderhub.api import errors, sections
from orderhub.core.errors import FieldError, TemporaryError
from orderhub.models import ApiToken
from orderhub.services.access import ORDERS_READ, revoke_token
from tests.factories import make_order
from tests.orderhub.api.conftest import Api, error_of

pytestmark = pytest.mark.django_db


def test_without_a_token_everything_is_401():
    for response in (Api().get("orders/"), Api().post("intake/", {}), Api().post("orders/search/", {"q": "1"})):
        error_of(response, 401, "not_authenticated")
        assert response["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("header", ["Token", "Token ", "Token nonsense", "Bearer x", "Basic eDp5", "Token 李"])
def test_a_bad_token_is_401(header):
    response = Client().get("/api/v1/orders/", headers={"Authorization": header})
    error_of(response, 401, "token_invalid")


def test_switched_off_and_expired_tokens_are_401(issue):
    off, ended = issue(ORDERS_READ), issue(ORDERS_READ, expires_at=timezone.now() + timedelta(hours=1))
    assert off.get("orders/").status_code == ended.get("orders/").status_code == 200
    revoke_token(token_id=ApiToken.objects.get(name="client-0").pk, actor="test")
    ApiToken.objects.filter(name="client-1").update(expires_at=timezone.now() - timedelta(hours=1))
    for api in (off, ended):
        error_of(api.get("orders/"), 401, "token_invalid")


def test_an_unknown_address_has_the_same_shape(api):
    error_of(api.get("nothing/"), 404, "not_found")
    error_of(api.client.get("/api/nothing"), 404, "not_found")


def test_each_refusal_names_its_own_request(api):
    ids = {error_of(api.get("orders/999/"), 404, "not_found")["request_id"] for _ in range(2)}
    assert len({UUID(request_id) for request_id in ids}) == 2


def test_language_of_the_message_follows_the_client(api):
    texts = {
        language: error_of(api.get("orders/999/", headers={"Accept-Language": language}), 404, "not_found")["message"]
        for language in ("en", "zh-CN")
    }
    assert texts["en"] == "There is no such order."


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (RuntimeError("13912345678"), 500, "server_error"),
        (OperationalError("gone"), 503, "unavailable"),
        (TemporaryError("later", retry_after=7), 503, "unavailable"),
        (FieldError("a.b", "wrong"), 400, "invalid"),
    ],
)
def test_failures_inside_have_the_same_shape_and_tell_nothing(api, failure, status, code):
    order = make_order()

    def fail(_ids):
        raise failure

    sections.order_sections.add("failing", fail)
    try:
        response = api.get(f"orders/{order.pk}/")
    finally:
        del sections.order_sections._items["failing"]
    error_of(response, status, code)
    assert b"13912345678" not in response.content


def test_django_s_own_refusals_have_the_same_shape(settings):
    response = Client(headers={"host": "evil.example"}).get("/api/v1/orders/")
    error_of(response, 400, "invalid")


def test_nested_validation_is_flattened_to_paths():
    flat = list(errors._flatten({"lines": [{}, {"quantity": ["too small"]}], "non_field_errors": ["odd"]}))
    assert flat == [("lines[1].quantity", "too small"), ("", "odd")]
