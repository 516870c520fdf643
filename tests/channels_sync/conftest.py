import pytest

from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox
from orderhub.models import Shop, Warehouse
from tests.channels_sync.clock import PlatformClock
from tests.channels_sync.wire import Wire
from triage.services import load_defaults


@pytest.fixture
def platform(settings):
    """A sandbox that plays Taobao and the warehouse, and makes no orders by itself."""
    options = Options(taobao_share=1.0, moves=False, serial=1)
    with Sandbox(options, now=PlatformClock()) as sandbox:
        settings.TAOBAO_GATEWAY_URL = f"{sandbox.url}/router/rest"
        settings.QIMEN_GATEWAY_URL = f"{sandbox.url}/router/qimen/service"
        yield sandbox


@pytest.fixture
def rules(db):
    """The starter rules and vocabularies, as a fresh hub has them."""
    load_defaults()


@pytest.fixture
def wire(settings):
    """A socket that answers with exactly the bytes a test gives it."""
    with Wire() as server:
        settings.TAOBAO_GATEWAY_URL = settings.QIMEN_GATEWAY_URL = server.url
        yield server


@pytest.fixture
def taobao_shop(db):
    """A shop of the sandbox with its warehouse."""
    warehouse = Warehouse(code="WH01", name="仓", adapter="qimen", settings=warehouse_settings())
    warehouse.credentials = {
        "app_key": SANDBOX.qimen_app_key,
        "app_secret": SANDBOX.qimen_secret,
        "customer_id": SANDBOX.customer_id,
    }
    warehouse.save()
    shop = Shop(
        code="tb", name=SANDBOX.seller_nick, platform="taobao", warehouse=warehouse, merge_window_seconds=0,
        settings={"calls_per_second": 1000, "look_back_hours": 1},
    )  # fmt: skip
    shop.credentials = {"app_key": SANDBOX.app_key, "app_secret": SANDBOX.app_secret, "session": SANDBOX.session}
    shop.save()
    return shop


def warehouse_settings():
    return {
        "owner_code": SANDBOX.owner_code,
        "warehouse_code": SANDBOX.warehouse_code,
        "carrier": "YTO",
        "sender": {
            "name": "发货组",
            "mobile": "057100000000",
            "province": "浙江省",
            "city": "杭州市",
            "detail": "1 号",
        },
    }
