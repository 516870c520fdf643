import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from playwright.sync_api import expect

from orderhub.models import Reveal
from orderhub.services.roles import sync_roles
from tests.factories import make_order, make_shop, make_user
from triage.models import Finding, RuleSet
from triage.services import load_defaults

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SCHEMES = ["light", "dark"]


@pytest.fixture
def supervisor(transactional_db):
    load_defaults()
    sync_roles()
    user = make_user("supervisor", is_staff=True, last_name="王", first_name="敏")
    user.groups.add(Group.objects.get(name="supervisor"))
    return user


@pytest.fixture
def orders(transactional_db):
    shop = make_shop("flagship", name="旗舰店")
    now = timezone.now()
    return [
        make_order(
            shop, external_no=f"T100{number}", created_at=now - timedelta(minutes=number), status="in_triage_hold",
            lane="to_confirm", is_urgent=number == 0, held_since=now - timedelta(minutes=number),
            ship_by=now + timedelta(minutes=30), channel_claim="paid", name="李雷雷",
        )
        for number in range(3)
    ]  # fmt: skip


@pytest.fixture
def console(open_tab, supervisor, orders):
    def at(path="/ops/", **values):
        return open_tab(user=supervisor, **values).open(path)

    return at


def inside(page):
    """Return whether the page fits its window sideways."""
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_dashboard_draws_its_chart_and_has_it_as_a_table(console, scheme):
    page = console(scheme=scheme)
    expect(page.locator(".tile")).to_have_count(6)
    expect(page.locator("canvas[data-source]")).to_be_visible()
    assert page.evaluate("Boolean(document.querySelector('canvas[data-source]').hubChart)")
    page.locator("#dashboard details summary").first.click()
    expect(page.locator("#dashboard details table").first).to_contain_text("旗舰店")
    assert inside(page)


@pytest.mark.parametrize(("width", "scrolls"), [(1600, False), (1366, False), (400, True)])
def test_a_list_never_moves_the_page_sideways(console, orders, width, scrolls):
    rules = RuleSet.objects.latest("number")
    for order in orders:
        for code in ("address_vague", "phone_bad", "remark_change"):
            Finding.objects.create(
                shop=order.shop, order=order, code=code, rule_set_id=rules.pk, severity=2, lane="to_confirm",
                values={}, facts_key=1,
            )  # fmt: skip
    page = console("/ops/orderhub/order/", width=width)
    expect(page.locator("tr[data-href]")).to_have_count(3)
    box = page.locator(".table-wrap")
    assert inside(page)
    assert box.evaluate("box => box.scrollWidth > box.clientWidth") is scrolls
    assert box.evaluate("box => getComputedStyle(box).overflowX") == ("auto" if scrolls else "visible")


def test_the_keyboard_walks_the_list_and_opens_an_order(console):
    page = console("/ops/orderhub/order/", language="en")
    expect(page.locator("tr[data-href]")).to_have_count(3)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("tr.current")).to_contain_text("T1001")
    page.keyboard.press("k")
    expect(page.locator("tr.current")).to_contain_text("T1000")
    page.keyboard.press("?")
    expect(page.locator("#key-map")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/order/\d+/change/"))  # loaded: before that the page knows no keys
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"/ops/orderhub/order/\?view=all"))


def test_the_whole_row_opens_the_order_and_a_tick_does_not(console):
    page = console("/ops/orderhub/order/")
    page.locator("tr[data-href] input.action-select").first.check()
    expect(page.locator(".selection-bar")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/ops/orderhub/order/$"))
    page.locator("tr[data-href] td.field-receiver_masked").nth(1).click()
    expect(page).to_have_url(re.compile(r"/order/\d+/change/"))


def test_one_search_box_finds_by_phone_without_the_phone_in_the_address(console):
    page = console("/ops/orderhub/order/")
    page.keyboard.press("/")
    expect(page.locator("[data-hotkey='/']")).to_be_focused()
    page.keyboard.type("13912345678")
    page.keyboard.press("Enter")
    expect(page.locator(".found")).to_contain_text("139****5678")
    assert "13912345678" not in page.url
    expect(page.locator("tr[data-href]")).to_have_count(3)


PASTE = """([text]) => {
    const data = new DataTransfer();
    data.setData("text", text);
    const box = document.querySelector("[data-hotkey='/']");
    box.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
    return box.value;
}"""


def test_a_column_of_numbers_is_pasted_and_looked_up(console):
    page = console("/ops/orderhub/order/", language="en")
    assert page.evaluate(PASTE, ["T1000\r\nT1002\r\nT1009\r\n"]) == "T1000 T1002 T1009"
    page.locator("[data-hotkey='/']").press("Enter")
    expect(page.locator("tr[data-href]")).to_have_count(2)
    expect(page.locator(".found")).to_contain_text("3 numbers")
    expect(page.get_by_text("1 number is unknown: T1009")).to_be_visible()


def test_several_statuses_are_ticked(console, orders):
    orders[1].status = "short"
    orders[1].save()
    page = console("/ops/orderhub/order/", language="en")
    page.locator(".filter summary").first.click()
    page.get_by_label("Short of stock").check()
    page.get_by_label("Held by triage").check()
    page.get_by_role("button", name="Apply").first.click()
    expect(page.locator("tr[data-href]")).to_have_count(3)
    expect(page.locator(".filter summary").first).to_have_text("Held by triage +1")


def test_filters_keep_the_list_and_can_be_cleared(console):
    page = console("/ops/orderhub/order/", language="en")
    page.locator("select[aria-label=Urgent]").select_option(label="Yes")
    expect(page.locator("tr[data-href]")).to_have_count(1)
    page.get_by_text("Clear all filters").click()
    expect(page.locator("tr[data-href]")).to_have_count(3)
    page.locator(".filter.time summary").click()
    page.get_by_role("link", name="Last hour").click()
    page.wait_for_url(re.compile("=1h"))
    expect(page.locator("tr[data-href]")).to_have_count(3)


def test_clocks_run(console):
    page = console("/ops/orderhub/order/", language="en")
    clock = page.locator("time.clock").first
    before = clock.inner_text()
    page.wait_for_timeout(2100)
    assert clock.inner_text() != before
    assert clock.inner_text().endswith(" left")


def test_personal_data_is_shown_for_a_reason_and_goes_away(console, orders):
    page = console(f"/ops/orderhub/order/{orders[0].pk}/change/", language="en")
    assert "13912345678" not in page.content()
    page.get_by_label("Reason for looking").fill("customer called")
    page.clock.install()
    page.get_by_role("button", name="Show for 60 seconds").click()
    expect(page.locator("#revealed")).to_contain_text("13912345678")
    page.clock.run_for(61_000)
    expect(page.locator("#revealed")).to_be_empty()
    assert "13912345678" not in page.content()
    assert Reveal.objects.get().reason == "customer called"


@pytest.mark.parametrize(("cookie", "told"), [("sessionid", []), ("csrftoken", ["403"])])
def test_who_was_logged_out_reads_it_instead_of_the_personal_data(open_tab, supervisor, orders, cookie, told):
    tab = open_tab(user=supervisor, language="en")
    page = tab.open(f"/ops/orderhub/order/{orders[0].pk}/change/")
    page.get_by_label("Reason for looking").fill("customer called")
    page.context.clear_cookies(name=cookie)
    page.get_by_role("button", name="Show for 60 seconds").click()
    expect(page.locator("#revealed")).to_have_text("Your session has ended: load the page again.")
    expect(page.locator("input[name=password]")).to_have_count(0)
    expect(page.get_by_label("Reason for looking")).to_have_value("customer called")
    expect(page.get_by_role("button", name="Show for 60 seconds")).to_be_visible()
    assert [code for code in told if code not in " ".join(tab.problems)] == []
    tab.problems[:] = [text for text in tab.problems if "403" not in text]


def test_a_held_order_is_released_from_its_page(console, orders):
    page = console(f"/ops/orderhub/order/{orders[2].pk}/change/?view=confirm", language="en")
    page.get_by_role("button", name="Release…").click()
    page.locator("#release-dialog input[name=reason]").fill("phone checked")
    page.locator("#release-dialog button[type=submit]").click()
    expect(page.get_by_text("The order was released.")).to_be_visible()
    orders[2].refresh_from_db()
    assert orders[2].status == "ready"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "path", ["/ops/orderhub/order/", "/ops/orderhub/reject/", "/ops/auth/user/", "/ops/orderhub/sku/"]
)
def test_pages_fit_the_window_in_both_colours(console, path, scheme):
    page = console(path, scheme=scheme)
    assert inside(page)
    dark = page.evaluate("document.documentElement.classList.contains('dark')")
    assert dark == (scheme == "dark")


def read_again(page):
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


LIVE = [("/ops/", "#dashboard .tile", 6), ("/ops/gate/", "#gate .gate-banner", 1)]


@pytest.mark.parametrize(("path", "part", "count"), LIVE)
def test_a_page_that_gets_no_answer_keeps_its_numbers_and_says_so(open_tab, supervisor, path, part, count):
    tab = open_tab(user=supervisor, language="en")
    page = tab.open(path)
    page.route(f"**{path}", lambda route: route.abort())
    read_again(page)
    expect(page.locator("#stale")).to_contain_text("The hub does not answer.")
    expect(page.locator(part)).to_have_count(count)
    page.unroute(f"**{path}")
    read_again(page)
    expect(page.locator("#stale")).to_be_hidden()
    assert [text for text in tab.problems if "htmx:sendError" not in text and "ERR_FAILED" not in text] == []
    tab.problems.clear()


@pytest.mark.parametrize(("path", "part", "count"), LIVE)
def test_who_was_logged_out_reads_it_and_keeps_the_numbers(open_tab, supervisor, path, part, count):
    page = open_tab(user=supervisor, language="en").open(path)
    page.context.clear_cookies(name="sessionid")
    read_again(page)
    expect(page.locator("#stale")).to_contain_text("You are logged out.")
    expect(page.locator(part)).to_have_count(count)


def test_what_is_open_on_the_dashboard_stays_open_when_it_is_read_again(console):
    page = console(language="en")
    page.get_by_text("The same as a table").click()
    page.evaluate("document.getElementById('dashboard').dataset.old = ''")
    read_again(page)
    expect(page.locator("#dashboard[data-old]")).to_have_count(0)
    expect(page.locator("#dashboard details table")).to_be_visible()
    page.get_by_text("The same as a table").click()
    page.evaluate("document.getElementById('dashboard').dataset.old = ''")
    read_again(page)
    expect(page.locator("#dashboard[data-old]")).to_have_count(0)
    expect(page.locator("#dashboard details table")).to_be_hidden()
