import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from orderhub.models import Order, TimelineEntry
from tests.factories import make_buyer, make_order, make_parcel, make_shop, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WIDTHS = [1440, 360]


@pytest.fixture
def agent(transactional_db):
    return make_user("agent", "orderhub.view_order", "orderhub.reveal_personal_data")


@pytest.fixture
def orders(transactional_db):
    shop = make_shop("flagship", name="旗舰店")
    made = [
        make_order(shop, external_no=f"T100{i}", lines=3, buyer=make_buyer(shop, f"u{i}", f"小鹿{i}")) for i in range(3)
    ]
    make_parcel(made[0], "SF1390000012345")
    return made


@pytest.fixture
def desk(open_tab, agent, orders):
    def at(width=1440, **values):
        tab = open_tab(width, user=agent, language="en", **values)
        expect(tab.open("/desk/").locator("#q")).to_be_focused()
        return tab

    return at


def is_narrow(page):
    return page.viewport_size["width"] < 760


@pytest.mark.parametrize("width", WIDTHS)
def test_the_whole_flow_by_keyboard(desk, orders, width):
    page = desk(width).page
    box, card = page.locator("#q"), page.locator("#card .card")
    expect(box).to_be_focused()
    page.keyboard.type("5678")
    expect(page.locator(".hit")).to_have_count(3)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".hit.on")).to_contain_text("T1001")
    assert box.get_attribute("aria-activedescendant") == f"hit-{orders[1].pk}"
    page.keyboard.press("Enter")
    expect(card).to_have_attribute("data-title", "T1001")
    expect(card).to_be_visible()
    assert page.url.endswith(f"/desk/orders/{orders[1].pk}/")
    page.keyboard.press("Escape")
    if is_narrow(page):
        expect(card).to_be_hidden()
        expect(page.locator(".hit").first).to_be_visible()
    else:
        expect(box).to_have_value("")
    expect(box).to_be_focused()


def test_single_keys_away_from_the_box(desk):
    page = desk().page
    page.keyboard.type("5678")
    expect(page.locator(".hit")).to_have_count(3)
    page.locator("#card").focus()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.locator("#card .card")).to_have_attribute("data-title", "T1002")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    assert page.evaluate("getSelection().toString() || document.activeElement.selectionEnd") in ("5678", 4)


@pytest.mark.parametrize("width", WIDTHS)
def test_one_hit_opens_by_itself(desk, orders, width):
    page = desk(width).page
    page.keyboard.type("SF1390000012345")
    expect(page.locator("#card .card")).to_have_attribute("data-title", "T1000")
    expect(page.locator("#card .card")).to_be_visible()
    expect(page).to_have_title("T1000")
    expect(page.locator("#q")).to_be_focused()


def test_the_former_customer_s_order_is_gone_with_the_next_search(desk):
    page = desk().page
    page.keyboard.type("T1001")
    expect(page.locator("#card .card")).to_be_visible()
    page.locator("#q").fill("13900000000")
    expect(page.locator("#results")).to_contain_text("Nothing found")
    expect(page.locator("#card .card")).to_have_count(0)
    assert page.url.endswith("/desk/")


def test_the_way_back_leads_to_the_order_before_and_to_the_empty_desk(desk, orders):
    page = desk().page
    box, card = page.locator("#q"), page.locator("#card .card")
    page.keyboard.type("5678")
    for number, title in enumerate(("T1002", "T1001")):
        page.locator(".hit").nth(number).click()
        expect(card).to_have_attribute("data-title", title)
    page.go_back()
    expect(card).to_have_attribute("data-title", "T1002")
    page.wait_for_load_state()
    box.fill("5678")
    expect(page.locator(".hit")).to_have_count(3)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(card).to_have_attribute("data-title", "T1000")
    expect(page).to_have_url(re.compile(rf"/desk/orders/{orders[0].pk}/$"))
    page.go_back()
    expect(page.locator("#card .blank")).to_be_visible()
    page.wait_for_load_state()
    box.fill("5678")
    page.keyboard.press("Enter")
    expect(card).to_have_attribute("data-title", "T1002")


def test_enter_before_the_answer_opens_the_first_hit(desk):
    page = desk().page
    page.locator("#q").fill("小鹿")
    page.keyboard.press("Enter")
    expect(page.locator("#card .card")).to_have_attribute("data-title", "T1002")


FELT = """async (number) => {
    const box = document.getElementById("q");
    const started = performance.now();
    box.value = number;
    box.dispatchEvent(new Event("input", { bubbles: true }));
    while (document.querySelector("#card .card")?.dataset.title !== number) {
        await new Promise(requestAnimationFrame);
    }
    return performance.now() - started;
}"""
"""Milliseconds from the last key to the opened order."""


def test_the_answer_is_felt_at_once(desk):
    page = desk().page
    page.keyboard.type("T1001")
    expect(page.locator("#card .card")).to_be_visible()
    times = [page.evaluate(FELT, number) for number in ("T1000", "T1002", "T1001", "T1000", "T1002")]
    # 150 ms on a quiet machine; a shared one may be three times as slow, and busy with other tests now and then.
    assert min(times) < 450, times


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_sidebar(desk, orders, scheme):
    page = desk(360, scheme=scheme).page
    page.keyboard.type("5678")
    expect(page.locator(".hit")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.locator(".hit").first.click()
    expect(page.locator("#card .card")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    small = page.evaluate(
        """() => [...document.querySelectorAll("button:not(.copy), summary, input:not([type=hidden])")]
            .filter((item) => item.offsetParent && item.getBoundingClientRect().height < 32)
            .map((item) => item.outerHTML.slice(0, 80))"""
    )
    assert small == []
    places = page.evaluate(
        """() => [".customer", ".sentence", ".lines", ".timeline"]
            .map((name) => document.querySelector(name).getBoundingClientRect().top)"""
    )
    assert places == sorted(places)


def test_clear_data_goes_after_a_minute(desk, orders):
    tab = desk()
    page = tab.page
    page.clock.install()
    tab.open(f"/desk/orders/{orders[0].pk}/")
    page.locator("summary").click()
    page.locator("input[name=reason]").fill("customer asks")
    page.keyboard.press("Enter")
    expect(page.locator("#receiver")).to_contain_text("13912345678")
    page.clock.run_for(50_000)
    expect(page.locator("#receiver")).to_contain_text("13912345678")
    expect(page.locator("[data-seconds]")).to_have_text(re.compile(r"^\d+ (s|秒)$"))
    page.clock.run_for(12_000)
    expect(page.locator("#receiver mark")).to_have_count(0)
    expect(page.locator("#receiver")).to_contain_text("139****5678")
    assert "13912345678" not in page.content()


def test_offline_is_told_and_the_search_goes_on(desk):
    tab = desk()
    page = tab.page
    tab.context.set_offline(True)
    expect(page.locator("#offline")).to_be_visible()
    page.keyboard.type("5678")
    page.wait_for_timeout(300)
    expect(page.locator("#q")).to_have_value("5678")
    tab.context.set_offline(False)
    expect(page.locator(".hit")).to_have_count(3)
    expect(page.locator("#offline")).to_be_hidden()
    tab.problems[:] = [text for text in tab.problems if "sendError" not in text and "ERR_INTERNET" not in text]


def test_an_ended_session_is_told_and_what_was_typed_stays(desk):
    tab = desk()
    tab.context.clear_cookies(name="sessionid")
    tab.page.keyboard.type("5678")
    expect(tab.page.locator("#failure")).to_contain_text("You are logged out.")
    expect(tab.page.locator("#failure a:visible")).to_have_text("Log in again")
    expect(tab.page.locator("#q")).to_have_value("5678")
    expect(tab.page.locator("#results form")).to_have_count(0)


def test_a_login_in_another_tab_asks_to_reload(desk):
    tab = desk()
    tab.context.clear_cookies(name="csrftoken")
    tab.page.keyboard.type("5678")
    expect(tab.page.locator("#failure")).to_contain_text(
        "You logged in again in another tab; this page is out of date."
    )
    expect(tab.page.locator("#failure a:visible")).to_have_text("Reload the page")
    tab.page.locator("#failure a:visible").click()
    tab.page.locator("#q").fill("5678")
    expect(tab.page.locator(".hit")).to_have_count(3)
    tab.problems[:] = [text for text in tab.problems if "403" not in text]


def test_the_theme_switch_is_kept(desk):
    tab = desk(scheme="light")
    page = tab.page
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("[data-theme-switch]").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark != light
    tab.open("/desk/")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark


def test_markup_in_names_is_shown_as_text(desk, orders):
    evil = "<img src=x onerror=\"document.title='owned'\">"
    make_order(orders[0].shop, external_no="EVIL", buyer_remark=evil)
    page = desk().page
    page.keyboard.type("EVIL")
    expect(page.locator(".remark")).to_have_text(evil)
    expect(page).to_have_title("EVIL")


@pytest.mark.parametrize("width", WIDTHS)
def test_logging_in_and_out(open_tab, agent, width):
    page = open_tab(width, language="en").open("/desk/")
    expect(page.locator("[name=username]")).to_be_focused()
    page.keyboard.type("agent")
    page.keyboard.press("Tab")
    page.keyboard.type("agent-password")
    page.keyboard.press("Enter")
    expect(page.locator("#q")).to_be_focused()
    page.get_by_role("button", name="Log out").click()
    expect(page.locator("[name=password]")).to_be_visible()


def test_the_docs_page_works_offline(open_tab, transactional_db):
    page = open_tab().open("/api/docs/")
    expect(page.locator(".opblock")).to_have_count(4)


def test_the_remark_is_edited_without_a_warning_of_it(open_tab, transactional_db):
    order = make_order(make_shop("jd", platform="jd"), seller_remark="旧备注")
    agent = make_user("agent", "orderhub.view_order", "orderhub.edit_memo")
    page = open_tab(user=agent, language="en").open(f"/desk/orders/{order.pk}/")
    memo = page.locator("#memo")

    def save(text):
        memo.locator("summary").click()
        memo.locator("textarea").fill(text)
        memo.get_by_role("button", name="Save and tell the channel").click()

    save("改发顺丰")
    expect(memo.locator("[role=status]")).to_have_text("Saved; the channel is told next.")
    with page.expect_response("**/news/**") as answer:
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert answer.value.status == 204
    save("改发顺丰")
    expect(memo.locator("[role=status]")).to_have_text("Nothing was changed.")
    expect(page.locator(".say .news")).to_have_count(0)


@pytest.mark.parametrize("width", WIDTHS)
def test_an_open_card_says_that_its_order_has_changed(desk, orders, width):
    page = desk(width).open(f"/desk/orders/{orders[0].pk}/")
    Order.objects.filter(pk=orders[0].pk).update(status="delivered")
    TimelineEntry.objects.create(shop=orders[0].shop, order=orders[0], at=timezone.now(), kind="status", source="hub",
                                 status_to="delivered")  # fmt: skip
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator(".say .news")).to_be_visible()
    expect(page.locator(".say .pill").first).to_contain_text("Delivered")
    expect(page.locator(".path .now")).not_to_contain_text("Delivered")
    page.get_by_role("button", name="Show it as it is now").click()
    expect(page.locator(".path .now")).to_contain_text("Delivered")
    expect(page.locator(".say .news")).to_have_count(0)
