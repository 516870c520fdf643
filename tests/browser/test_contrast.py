"""Every main page in both colours, looked at by axe-core (see `axe/`): contrast, names of controls, structure."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from channels_sync.connectors.base import AuthorisationError
from channels_sync.models import Listing, ShopSync, SyncRun
from channels_sync.services import health
from orderhub.models import Effect, InboxItem, Reject
from orderhub.models.inbox import pack
from orderhub.services.gate import set_gate
from orderhub.services.roles import sync_roles
from tests.factories import make_order, make_shop, make_user
from triage.services import load_defaults

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
LOOK = "axe.run(document, {runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21aa']}})"
PAGES = (
    "/ops/", "/ops/orderhub/order/", "/ops/orderhub/order/{order}/change/", "/ops/orderhub/reject/",
    "/ops/orderhub/inboxitem/", "/ops/orderhub/effect/", "/ops/orderhub/shop/", "/ops/channels/", "/ops/channels/jd/",
    "/ops/channels/tb/", "/ops/channels_sync/syncrun/", "/ops/channels_sync/listing/", "/ops/triage/rule/",
    "/ops/triage/vocabulary/", "/ops/auth/user/", "/desk/", "/desk/orders/{order}/",
)  # fmt: skip


@pytest.fixture
def supervisor(transactional_db):
    load_defaults()
    sync_roles()
    user = make_user("supervisor", is_staff=True)
    user.groups.add(Group.objects.get(name="supervisor"))
    return user


@pytest.fixture
def order(transactional_db):
    """One order, and a channel in every colour."""
    now = timezone.now()
    shop, broken = make_shop("tb", platform="taobao", name="旗舰店"), make_shop("jd", platform="jd", name="京东店")
    ShopSync.objects.create(shop=shop, cursor=now - timedelta(minutes=9), last_success_at=now)
    ShopSync.objects.create(shop=broken)
    health.record_failure(broken, AuthorisationError("no"))
    make_shop("mini", platform="own")
    set_gate(shop_id=None, state="trickle", rate_per_minute=60, reason="slow", actor="boss")
    Reject.objects.create(shop=shop, reason="no", packed_row=pack(b"{}"))
    InboxItem.objects.create(shop=shop, source="push", delivery_key="k", packed_body=pack(b"{}"))
    Listing.objects.create(shop=shop, item_id="1", title="精华液")
    SyncRun.objects.create(shop=shop, window_start=now, window_end=now, started_at=now, state="failed", error="no")
    order = make_order(
        shop, status="in_triage_hold", lane="abnormal", is_urgent=True, created_at=now, triaged_at=now, ship_by=now,
        channel_claim="paid", has_drift=True,
    )  # fmt: skip
    Effect.objects.create(shop=shop, order=order, kind="sms", key="k", state="dead", due_at=now, created_at=now)
    return order


def problems(page):
    """Return what axe-core finds, as rule, element and its measure."""
    page.evaluate(AXE)
    return [
        f"{page.url}: {found['id']} {node['target']} {node['failureSummary']}"
        for found in page.evaluate(LOOK)["violations"]
        for node in found["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.timeout(600)
def test_everybody_can_read_every_main_page(open_tab, supervisor, order, scheme):
    tab = open_tab(user=supervisor, scheme=scheme)
    found = [problem for path in PAGES for problem in problems(tab.open(path.format(order=order.pk)))]
    assert found == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_the_log_in(open_tab, transactional_db, scheme):
    assert problems(open_tab(scheme=scheme).open("/desk/login/")) == []


def test_it_sees_what_nobody_could_read(open_tab, transactional_db):
    page = open_tab().open("/desk/login/")
    page.evaluate("document.querySelector('button[type=submit], input[type=submit]').style.color = '#3f6fd0'")
    page.evaluate("document.querySelector('button[type=submit], input[type=submit]').style.background = '#4070d0'")
    assert [problem for problem in problems(page) if "color-contrast" in problem]
