import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from playwright.sync_api import expect

from channels_sync.connectors.base import AuthorisationError
from channels_sync.models import Backfill, ShopSync, SyncRun
from channels_sync.services import health
from orderhub.models import Gate, Reject, Warehouse
from orderhub.models.inbox import pack
from orderhub.services.gate import set_gate
from orderhub.services.roles import sync_roles
from tests.factories import make_shop, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

BOARD = "/ops/channels/"
SCHEMES = ["light", "dark"]


@pytest.fixture
def supervisor(transactional_db):
    sync_roles()
    user = make_user("supervisor", is_staff=True)
    user.groups.add(Group.objects.get(name="supervisor"))
    return user


@pytest.fixture
def shops(transactional_db):
    """A Taobao and a JD shop that are well, and one that sends by itself."""
    now = timezone.now()
    warehouse = Warehouse.objects.create(code="w", name="主仓")
    made = {}
    for code, platform, name in (("tb", "taobao", "旗舰店"), ("jd", "jd", "京东店"), ("mini", "own", "小程序")):
        made[code] = make_shop(code, platform=platform, name=name, warehouse=warehouse)
    for code in ("tb", "jd"):
        ShopSync.objects.create(shop=made[code], cursor=now, last_success_at=now, token_state="valid")
        SyncRun.objects.create(
            shop=made[code], window_start=now, window_end=now, started_at=now, finished_at=now, state="done", pages=2,
            new=7,
        )  # fmt: skip
    return made


@pytest.fixture
def console(open_tab, supervisor, shops):
    def at(path=BOARD, **values):
        return open_tab(user=supervisor, **{"language": "en", **values}).open(path)

    return at


@pytest.fixture
def tab(open_tab, supervisor, shops):
    """A tab whose problems a test looks at itself."""
    return open_tab(user=supervisor, language="en")


def inside(page):
    """Return whether the page fits its window sideways."""
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def names(page):
    return page.locator(".ch h2").all_inner_texts()


def read_again(page):
    """Let the page read itself again, as it does every few seconds."""
    with page.expect_response(lambda response: response.url.endswith(BOARD)):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def break_down(shop):
    health.record_failure(shop, AuthorisationError("JD does not accept the access token (code 19)"))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_board_fits_the_window(console, shops, scheme, language):
    break_down(shops["jd"])
    set_gate(shop_id=None, state="paused", reason="flood", actor="boss")
    page = console(scheme=scheme, language=language)
    expect(page.locator(".ch")).to_have_count(3)
    assert inside(page)


def test_the_board_reads_itself_again_and_keeps_the_focus(console, shops):
    page = console()
    expect(page.locator(".ch-red")).to_have_count(0)
    page.locator("#open-tb").focus()
    break_down(shops["jd"])
    read_again(page)
    expect(page.locator(".ch-red")).to_contain_text("JD does not accept the access token any more.")
    assert names(page) == ["京东店", "小程序", "旗舰店"]
    expect(page.locator("#open-tb")).to_be_focused()
    assert page.locator(".ch-red .ch-word").evaluate("item => getComputedStyle(item).fontSize") == "17px"


def test_a_closed_gate_is_told_as_soon_as_it_closes(console):
    page = console()
    expect(page.locator(".gate-banner")).to_have_count(0)
    set_gate(shop_id=None, state="paused", reason="warehouse floods", actor="boss")
    read_again(page)
    expect(page.locator(".gate-banner")).to_contain_text("Intake paused for all shops")


def test_a_hub_that_is_away_is_told_and_what_was_seen_stays(tab):
    page = tab.open(BOARD)
    page.route("**/ops/channels/", lambda route: route.abort())
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#stale")).to_contain_text("The hub does not answer.")
    expect(page.locator(".ch")).to_have_count(3)
    page.unroute("**/ops/channels/")
    read_again(page)
    expect(page.locator("#stale")).to_be_hidden()
    assert [text for text in tab.problems if "htmx:sendError" not in text and "ERR_FAILED" not in text] == []
    tab.problems.clear()


def test_who_was_logged_out_reads_it_and_keeps_the_board(console):
    page = console()
    page.context.clear_cookies(name="sessionid")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#stale")).to_contain_text("You are logged out.")
    expect(page.locator(".ch")).to_have_count(3)


def test_from_the_board_to_the_rejects_of_a_shop(console, shops):
    Reject.objects.create(shop=shops["tb"], reason="no", packed_row=pack(b"{}"))
    page = console()
    page.locator("#shop-tb .ch-trouble").get_by_role("link", name="Rejects").click()
    expect(page).to_have_url(re.compile(rf"/reject/\?shop={shops['tb'].pk}$"))
    expect(page.locator("tr[data-href]")).to_have_count(1)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_page_of_a_shop_fits_the_window(console, shops, scheme, language):
    break_down(shops["jd"])
    page = console(f"{BOARD}jd/", scheme=scheme, language=language)
    expect(page.locator(".ch-trouble")).to_contain_text("JD")
    expect(page.locator("progress")).to_have_count(0)
    assert inside(page)


def test_a_gate_is_set_from_the_page_of_a_shop(tab, shops):
    page = tab.open(f"{BOARD}tb/")
    page.get_by_role("button", name="Gate…").click()
    dialog = page.locator("#gate-dialog")
    dialog.get_by_label("Throttled").check()
    dialog.get_by_label("Reason").fill("slow start")
    dialog.get_by_role("button", name="Set the gate").click()
    expect(page.locator("#gate-dialog")).to_be_visible()
    expect(page.locator("#gate-dialog .error")).to_have_text("A throttled gate needs a number of orders a minute.")
    (told,) = tab.problems
    assert "422" in told
    tab.problems.clear()
    page.locator("#gate-dialog").get_by_label("Orders a minute").fill("90")
    page.locator("#gate-dialog").get_by_role("button", name="Set the gate").dblclick()
    expect(page.get_by_text("The gate is throttled;")).to_be_visible()
    gate = Gate.objects.get(shop=shops["tb"])
    assert (gate.state, gate.rate_per_minute, gate.reason) == ("trickle", 90, "slow start")


def test_a_dialog_is_not_closed_by_the_page_reading_itself_again(console, shops):
    page = console(f"{BOARD}tb/")
    page.clock.install()
    page.get_by_role("button", name="Back-fill…").click()
    page.locator("#id_start").fill("2026-11-10T00:00")
    page.clock.run_for(30_000)
    expect(page.locator("#backfill-dialog")).to_be_visible()
    expect(page.locator("#id_start")).to_have_value("2026-11-10T00:00")


def test_a_back_fill_is_stopped_once_that_is_confirmed(console, shops):
    now = timezone.now()
    job = Backfill.objects.create(
        shop=shops["tb"], start=now - timedelta(hours=2), end=now, position=now, actor="pull"
    )  # fmt: skip
    page = console(f"{BOARD}tb/")
    page.get_by_role("button", name="Stop…").click()
    dialog = page.get_by_role("dialog", name="Stop the back-fill")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Stop…").click()
    dialog.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("The back-fill was stopped;")).to_be_visible()
    job.refresh_from_db()
    assert job.state == "cancelled"


def test_credentials_are_typed_and_never_shown(console, shops):
    shops["tb"].credentials = {"app_key": "key-1234", "app_secret": "very-secret", "session": "old"}
    shops["tb"].save()
    page = console(f"{BOARD}tb/")
    assert "very-secret" not in page.content()
    page.get_by_label("Session (access token)").fill("new-token")
    page.get_by_role("button", name="Store the credentials").click()
    expect(page.get_by_text("The credentials were stored encrypted")).to_be_visible()
    assert "new-token" not in page.content()
    shops["tb"].refresh_from_db()
    assert shops["tb"].credentials == {"app_key": "key-1234", "app_secret": "very-secret", "session": "new-token"}


def test_long_ago_is_told_in_the_largest_unit(console, shops):
    ShopSync.objects.filter(shop=shops["tb"]).update(cursor=timezone.now() - timedelta(days=3, hours=2))
    page = console()
    expect(page.locator("#shop-tb")).to_have_class(re.compile("ch-red"))
    expect(page.locator("#shop-tb .ch-cells dd").first).to_have_text("3 d 2 h")
