import hashlib
import json
import urllib.request
from datetime import datetime, timedelta, timezone
from urllib.parse import urlencode

import pytest

from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox

SHANGHAI = timezone(timedelta(hours=8))
NOON = datetime(2026, 11, 11, 12, tzinfo=SHANGHAI)
ALL_FIELDS = (
    "tid,status,type,created,pay_time,modified,payment,total_fee,discount_fee,post_fee,seller_flag,seller_memo,"
    "buyer_message,has_buyer_message,buyer_nick,buyer_open_uid,receiver_name,receiver_state,receiver_city,"
    "receiver_district,receiver_town,receiver_address,receiver_mobile,receiver_phone,oaid,step_trade_status,orders"
)


class Clock:
    """A platform clock that tests move by hand."""

    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now

    def forward(self, **span):
        self.now += timedelta(**span)


class Outside:
    """A client of the emulated platforms that shares no code with them."""

    def __init__(self, sandbox, clock):
        self.sandbox = sandbox
        self.clock = clock

    def top(self, method, *, secret=SANDBOX.app_secret, **params):
        """Return the JSON answer of one signed TOP call."""
        return json.loads(self.top_raw(method, secret=secret, **params))

    def top_raw(self, method, *, secret=SANDBOX.app_secret, **params):
        form = {
            "method": method,
            "app_key": SANDBOX.app_key,
            "session": SANDBOX.session,
            "timestamp": at(self.clock.now),
            "format": "json",
            "v": "2.0",
            "sign_method": "md5",
            **params,
        }
        form = {name: value for name, value in form.items() if value != ""}
        form["sign"] = md5_sign(form, secret)
        return self.post("/router/rest", urlencode(form).encode())

    def listing(self, **params):
        """Return the answer of one page of the incremental list of the last hour."""
        window = {"start_modified": at(self.clock.now - timedelta(hours=1)), "end_modified": at(self.clock.now)}
        given = {"fields": ALL_FIELDS, **window, **params}
        answer = self.top("taobao.trades.sold.increment.get", **given)
        return answer.get("trades_sold_increment_get_response", answer)

    def qimen(self, method, body, *, secret=SANDBOX.qimen_secret, **query):
        """Return the XML answer of one signed Qimen call."""
        params = {
            "method": method,
            "timestamp": at(self.clock.now),
            "format": "xml",
            "app_key": SANDBOX.qimen_app_key,
            "v": "2.0",
            "sign_method": "md5",
            "customerId": SANDBOX.customer_id,
            **query,
        }
        params["sign"] = md5_sign(params, secret, body)
        return self.post(f"/router/qimen/service?{urlencode(params)}", body.encode()).decode()

    def get(self, name):
        with urllib.request.urlopen(f"{self.sandbox.url}/_sandbox/{name}") as answer:
            return answer.read().decode()

    def state(self):
        return json.loads(self.get("state"))

    def control(self, name, verb="POST", **options):
        """Return the answer of the side door."""
        return json.loads(self.post(f"/_sandbox/{name}", json.dumps(options).encode(), verb))

    def make(self, count):
        """Make orders that show at once and return their numbers."""
        return self.control("tick", orders=count)["external_nos"]

    def post(self, path, body, verb="POST"):
        request = urllib.request.Request(self.sandbox.url + path, data=body, method=verb)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.read()


def md5_sign(params, secret, body=""):
    text = "".join(key + params[key] for key in sorted(params))
    return hashlib.md5(f"{secret}{text}{body}{secret}".encode()).hexdigest().upper()


def at(moment):
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


@pytest.fixture(autouse=True)
def _flat_day():
    """Here the curve of the day is under test, by a clock of its own."""


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def taobao(clock):
    """A sandbox whose every order goes to Taobao and that makes none by itself."""
    with Sandbox(Options(taobao_share=1.0, moves=False), now=clock) as sandbox:
        yield Outside(sandbox, clock)
