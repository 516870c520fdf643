import orjson
import pytest
from django.test import Client

from orderhub.services.access import INTAKE_WRITE, METRICS_READ, ORDERS_READ, issue_token
from tests.factories import make_shop
from triage.services import load_defaults


class Api:
    """Calls the API with a token."""

    def __init__(self, secret=""):
        self.secret = secret
        self.client = Client()

    def headers(self, extra=None):
        return {**({"Authorization": f"Token {self.secret}"} if self.secret else {}), **(extra or {})}

    def get(self, path, headers=None, **params):
        return self.client.get(f"/api/v1/{path}", params, headers=self.headers(headers))

    def post(self, path, body, headers=None, content_type="application/json"):
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        return self.client.post(f"/api/v1/{path}", raw, content_type=content_type, headers=self.headers(headers))


@pytest.fixture
def issue():
    def make(*scopes, shops=(), **values):
        scopes = scopes or (INTAKE_WRITE, ORDERS_READ, METRICS_READ)
        _token, secret = issue_token(name=f"client-{make.count}", scopes=scopes, actor="test", shops=shops, **values)
        make.count += 1
        return Api(secret)

    make.count = 0
    return make


@pytest.fixture
def api(db, issue):
    return issue()


@pytest.fixture
def shop(db):
    load_defaults()
    return make_shop("mini")


def draft(number="T1", **values):
    return {
        "external_no": number, "status": "paid", "created_at": "2026-11-11T00:00:07+08:00",
        "paid_at": "2026-11-11T00:00:31+08:00", "modified_at": "2026-11-11T00:00:31+08:00",
        "receiver": {"name": "李雷", "phone": "13912345678", "province": "浙江省", "city": "杭州市",
                     "district": "西湖区",
                     "detail": "文三路 90 号 3 幢 501 室"},
        "lines": [{"line_no": "1", "sku": "SERUM-30", "title": "精华液 30ml", "quantity": 2, "unit_price_fen": 12900,
                   "paid_fen": 25800}],
        "total_fen": 25800, **values,
    }  # fmt: skip


def error_of(response, status, code):
    """The error of a refused request, after checking its status, code and shape."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/json"
    error = response.json()["error"]
    assert set(error) == {"code", "message", "fields", "request_id"}
    assert error["code"] == code
    assert error["message"]
    return error
