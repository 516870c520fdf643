import re

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from django.test import Client
from drf_spectacular.validation import validate_schema
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from tests.factories import make_order

pytestmark = pytest.mark.django_db

STRICT = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'"
)


def test_the_schema_is_valid_and_names_every_operation():
    schema = Client().get("/api/schema/?format=json").json()
    validate_schema(schema)
    operations = {(method, path) for path, methods in schema["paths"].items() for method in methods}
    assert operations == {
        ("post", "/api/v1/intake/"), ("get", "/api/v1/orders/"), ("post", "/api/v1/orders/search/"),
        ("get", "/api/v1/orders/{order_id}/"),
    }  # fmt: skip
    assert schema["components"]["securitySchemes"]["token"]["name"] == "Authorization"
    names = {parameter["name"] for parameter in schema["paths"]["/api/v1/orders/"]["get"]["parameters"]}
    assert {"status", "lane", "urgent", "shop", "created_from", "modified_to", "search", "cursor", "page_size"} <= names


def test_the_docs_page_asks_no_other_host():
    page = Client().get("/api/docs/")
    assert page.status_code == 200
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.content.decode())
    assert sources
    assert all(source.startswith("/") for source in sources)
    assert b"<script>" not in page.content
    policy = dict(part.split(" ", 1) for part in page["Content-Security-Policy"].split("; "))
    assert policy.pop("style-src") == "'self' 'unsafe-inline'"
    assert policy == dict(part.split(" ", 1) for part in STRICT.split("; "))


def test_answers_carry_the_strict_policy():
    policy = Client().get("/api/v1/orders/")["Content-Security-Policy"]
    assert sorted(policy.split("; ")) == sorted(STRICT.split("; "))


@pytest.mark.django_db(transaction=True)  # a real request closes its connection, a test's transaction with it
def test_no_input_makes_the_server_fail(issue):
    make_order(external_no="T1")
    secret = issue().secret
    schema = schemathesis.openapi.from_wsgi(
        "/api/schema/?format=json", app=get_wsgi_application(), headers={"Host": "localhost"}
    )
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        def check(case):
            case.call_and_validate(
                headers={"Authorization": f"Token {secret}", "Host": "localhost"},
                checks=[not_a_server_error, response_schema_conformance],
            )

        given(operation.as_strategy())(check)()
