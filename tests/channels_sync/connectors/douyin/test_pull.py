from datetime import UTC, datetime, timedelta

import orjson
import pytest

from channels_sync import readers
from channels_sync.connectors.base import AuthorisationError, ThrottledError, TooManyRowsError, Window
from channels_sync.connectors.douyin import listing
from channels_sync.connectors.douyin.mapping import REFUSED_KEY
from orderhub.core.errors import HubError, TemporaryError

LIST, DETAIL, REFUNDS = "order.searchList", "order.orderDetail", "afterSale.List"


def rows(pages):
    """Return all rows of pages, and check that each page says how many it has."""
    found = []
    for page in pages:
        orders = orjson.loads(page.body)["orders"]
        assert len(orders) == page.rows > 0
        found += orders
    return found


def numbers_of(pages):
    return {row["order_id"] for row in rows(pages)}


def shown(platform):
    """Return the numbers of all orders that the platform shows by now."""
    now = platform.now().timestamp()
    return {row["external_no"] for row in platform.store.query("SELECT * FROM orders WHERE modified <= ?", int(now))}


def test_one_call_is_enough_for_a_small_window(shop, platform):
    made = platform.live.make(7)
    pages = list(shop.pages())
    assert [(page.rows, page.is_last) for page in pages] == [(7, True)]
    assert numbers_of(pages) == set(made)


def test_an_empty_window_has_no_pages(shop):
    assert list(shop.pages()) == []


def test_all_pages_of_a_large_window_are_read_oldest_first(shop, platform):
    platform.live.backlog(450, 1.0)
    pages = list(shop.pages())
    found = rows(pages)
    assert {row["order_id"] for row in found} == shown(platform)
    assert len(found) == len(shown(platform))
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    moments = [row["update_time"] for row in found]
    assert moments == sorted(moments)


def test_more_orders_of_one_second_than_a_page_holds(shop, platform):
    made = platform.live.make(130)
    shop.settings["page_size"] = 20
    assert numbers_of(shop.pages()) == set(made)


def test_drafts_say_what_the_platform_knows(shop, platform):
    platform.live.backlog(200, 1.0)
    found = [row.draft for page in shop.pages() for row in readers.read(page.reader, page.body)]
    assert len(found) == len(shown(platform))
    for draft in found:
        truth = shop.draft(draft.external_no)
        for name in ("status", "channel_hold", "presale", "total_fen", "discount_fen", "freight_fen", "paid_fen"):
            assert getattr(draft, name) == truth[name], name
        for name in ("created_at", "paid_at", "modified_at", "ship_by"):
            moment = getattr(draft, name)
            assert (moment and moment.timestamp()) == (truth[name] and datetime.fromisoformat(truth[name]).timestamp())
        for line, told in zip(draft.lines, truth["lines"], strict=True):
            assert (line.sku, line.quantity, line.unit_price_fen, line.paid_fen, line.refund) == tuple(
                told[name] for name in ("sku", "quantity", "unit_price_fen", "paid_fen", "refund")
            )


def test_the_same_content_has_the_same_delivery_key(shop, platform):
    platform.live.make(3)
    first, second = list(shop.pages()), list(shop.pages())
    assert first[0].delivery_key == second[0].delivery_key
    platform.live.make(1)
    assert next(iter(shop.pages())).delivery_key != first[0].delivery_key


def test_orders_that_the_pool_has_are_left_out(shop, platform):
    made = platform.live.make(5)
    shop.known = dict.fromkeys(made[:4], datetime.now(UTC))
    shop.settings["after_sales"] = False
    assert numbers_of(shop.pages()) == set(made[4:])


def test_a_refund_is_found_although_the_order_did_not_change(shop, platform):
    number, other = shop.make(), shop.make()
    shop.known = dict.fromkeys(shown(platform), datetime.now(UTC))
    before = shop.draft(number)["modified_at"]
    platform.live.change(number, "ask_refund")
    found = {row["order_id"]: row for row in rows(shop.pages())}
    assert number in found
    assert other not in found
    assert found[number]["update_time"] == int(datetime.fromisoformat(before).timestamp())
    draft = readers.read("douyin", orjson.dumps({"orders": [found[number]]}))[0].draft
    assert "asked" in {line.refund for line in draft.lines}
    platform.live.change(number, "withdraw_refund")
    draft = readers.read("douyin", list(shop.pages())[-1].body)[0].draft
    assert {line.refund for line in draft.lines} == {"none"}


def test_a_remark_is_found_by_reading_again_only(shop, platform):
    number = shop.make()
    shop.known = {number: datetime.now(UTC)}
    platform.live.change(number, "note")
    assert number not in numbers_of(shop.pages())
    again = {row["order_id"]: row for row in rows(shop.connector.reread(shop.access, shop.window()))}
    assert again[number]["seller_words"] == shop.draft(number)["seller_remark"] != ""


def test_reading_again_brings_every_order_created_in_the_window(shop, platform):
    platform.live.backlog(250, 1.0)
    pages = list(shop.connector.reread(shop.access, shop.window()))
    assert numbers_of(pages) == shown(platform)
    assert pages[-1].is_last


@pytest.mark.parametrize("kind", ["mutate_while_paging", "wrong_page", "duplicates", "out_of_order"])
def test_nothing_is_lost_while_the_list_changes(shop, platform, kind):
    platform.live.backlog(450, 1.0)
    shop.fault(kind, LIST, times=2, orders=40)
    assert numbers_of(shop.pages()) == shown(platform)
    assert shop.fired() == 2


def test_a_wrong_page_that_says_that_it_is_the_right_one_is_noticed_by_the_count(shop, platform, monkeypatch):
    platform.live.backlog(450, 1.0)
    search = platform.douyin.orders.search
    monkeypatch.setitem(platform.douyin._methods, LIST, lambda params: {**search(params), "page": params["page"]})
    shop.fault("wrong_page", LIST, times=2)
    assert numbers_of(shop.pages()) == shown(platform)
    assert shop.short == []
    shop.fault("wrong_page", LIST, times=99)
    found = numbers_of(shop.connector.reread(shop.access, shop.window()))
    assert found < shown(platform) and shop.short == [(len(shown(platform)), len(found))]


def test_a_page_that_stays_wrong_is_temporary(shop, platform):
    platform.live.make(2)
    shop.fault("wrong_page", LIST, times=99)
    with pytest.raises(TemporaryError):
        list(shop.pages())


def test_nothing_comes_twice_in_the_same_version(shop, platform):
    platform.live.backlog(450, 1.0)
    for kind in ("duplicates", "out_of_order", "duplicates"):
        shop.fault(kind, LIST, orders=30)
    found = [(row["order_id"], row["update_time"]) for row in rows(shop.pages())]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("kind", ["http500", "disconnect", "truncated", "remote_error"])
@pytest.mark.parametrize("method", [LIST, DETAIL, REFUNDS])
def test_a_passing_fault_costs_one_retry(shop, platform, kind, method):
    made = platform.live.make(4)
    platform.live.change(made[0], "ask_refund")
    shop.known = {made[0]: datetime.now(UTC)}
    shop.fault(kind, method)
    assert numbers_of(shop.pages()) == set(made)
    assert shop.fired() == 1


@pytest.mark.parametrize("method", [LIST, DETAIL, REFUNDS])
def test_a_limit_is_waited_out(shop, platform, method):
    made = platform.live.make(4)
    platform.live.change(made[0], "ask_refund")
    shop.known = {made[0]: datetime.now(UTC)}
    shop.fault("throttle", method)
    assert numbers_of(shop.pages()) == set(made)
    assert shop.budget.blocked == [1]


def test_a_limit_that_does_not_end_ends_the_pull(shop, platform):
    platform.live.make(2)
    shop.fault("throttle", LIST, times=99)
    with pytest.raises(ThrottledError):
        list(shop.pages())
    assert shop.fired() == 4


@pytest.mark.parametrize("kind", ["http500", "timeout", "slow"])
def test_a_lasting_fault_is_temporary(shop, platform, settings, kind):
    settings.OUTBOUND_TIMEOUT_SECONDS = 0.3
    platform.live.make(1)
    shop.fault(kind, LIST, times=99, seconds=1)
    with pytest.raises(TemporaryError):
        list(shop.pages())


def test_an_expired_token_needs_a_new_one(shop, platform):
    platform.live.make(1)
    shop.fault("expired_token", LIST, times=1)
    with pytest.raises(AuthorisationError):
        list(shop.pages())
    shop.credentials |= shop.connector.refresh_token(shop.access)
    assert len(numbers_of(shop.pages())) == 1


def test_a_clock_that_is_far_off_is_named_and_not_retried_on_the_spot(shop, platform):
    shop.fault("clock_skew", LIST, times=99, seconds=3600)
    with pytest.raises(TemporaryError) as failed:
        list(shop.pages())
    assert failed.value.concerns_all
    assert "40003" in str(failed.value)
    assert shop.fired() == 1


def test_a_clock_that_is_a_little_off_does_not_matter(shop, platform):
    made = platform.live.make(2)
    shop.fault("clock_skew", LIST, times=99, seconds=300)
    assert numbers_of(shop.pages()) == set(made)


def test_a_wrong_secret_is_never_tried_again(shop):
    shop.credentials["app_secret"] = "another secret"
    with pytest.raises(HubError) as failed:
        list(shop.pages())
    assert failed.value.permanent
    assert not isinstance(failed.value, AuthorisationError)


def test_a_missing_token_needs_a_person_or_a_refresh(shop):
    del shop.credentials["access_token"]
    with pytest.raises(AuthorisationError):
        list(shop.pages())


def test_what_came_before_a_failure_is_handed_out(shop, platform):
    platform.live.backlog(450, 1.0)
    pages = shop.pages()
    first = next(pages)
    assert first.rows == 100
    shop.fault("http500", LIST, times=99)
    rest = []
    with pytest.raises(TemporaryError):
        rest.extend(pages)
    assert not any(page.is_last for page in [first, *rest])


def test_a_window_with_too_many_rows_asks_to_be_halved(shop, platform, monkeypatch):
    monkeypatch.setattr(listing, "LARGEST_SLICE", 10)
    platform.live.make(11)
    with pytest.raises(TooManyRowsError) as refused:
        list(shop.pages())
    assert refused.value.rows == 11


def test_what_is_older_than_the_list_says_so(shop):
    now = datetime.now(UTC)
    window = Window(now - timedelta(days=120), now - timedelta(days=100))
    with pytest.raises(HubError, match="90"):
        list(shop.connector.pull(shop.access, window))


def test_the_beginning_of_a_long_window_is_cut_to_what_is_listed(shop, platform):
    made = platform.live.make(2)
    assert numbers_of(shop.connector.reread(shop.access, shop.window(hours=24 * 100))) == set(made)


def test_masked_texts_are_asked_for_where_the_list_has_none(shop, platform):
    platform.douyin.orders.with_masks = False
    made = platform.live.make(60)
    found = [row.draft for page in shop.pages() for row in readers.read(page.reader, page.body)]
    assert {draft.external_no for draft in found} == set(made)
    assert {draft.receiver.kind for draft in found} == {"masked"}
    assert all(draft.receiver.phone.startswith("*******") for draft in found)
    assert shop.writes("reveal") == []


def test_an_order_whose_masked_texts_cannot_be_had_comes_with_cipher_texts(shop, platform):
    platform.douyin.orders.with_masks = False
    platform.live.make(2)
    shop.fault("http500", "order.batchSensitive", times=99)
    found = [row.draft for page in shop.pages() for row in readers.read(page.reader, page.body)]
    assert [draft.receiver.kind for draft in found] == ["cipher", "cipher"]


def test_single_orders_are_fetched_and_one_that_is_refused_is_marked(shop, platform):
    made = platform.live.make(3)
    pages = list(shop.connector.fetch(shop.access, [*made, "6999999999999999999"]))
    found = {row["order_id"]: row for row in rows(pages)}
    assert set(found) == {*made, "6999999999999999999"}
    assert [number for number, row in found.items() if REFUSED_KEY in row] == ["6999999999999999999"]
    read = readers.read(pages[0].reader, pages[0].body)
    assert [row.error and row.error.path for row in read if row.draft is None] == ["order_id"]


def test_an_order_that_cannot_be_shown_now_is_named_for_later(shop, platform):
    failing, other = shop.make(), shop.make()
    shop.fault("http500", DETAIL, number=failing, times=99)
    (page,) = shop.connector.fetch(shop.access, [failing, other])
    assert (list(page.later), [row["order_id"] for row in orjson.loads(page.body)["orders"]]) == ([failing], [other])


def test_a_refunded_order_that_cannot_be_shown_now_stops_no_pull(shop, platform):
    failing, other = shop.make(), shop.make()
    for number in (failing, other):
        platform.live.change(number, "ask_refund")
    shop.known = dict.fromkeys((failing, other), datetime.now(UTC) + timedelta(days=1))
    shop.fault("http500", DETAIL, number=failing, times=99)
    (page,) = [page for page in shop.pages() if page.later]
    assert (list(page.later), [row["order_id"] for row in orjson.loads(page.body)["orders"]]) == ([failing], [other])


@pytest.mark.parametrize("kind", ["throttle", "expired_token", "clock_skew"])
def test_what_concerns_the_whole_shop_stops_it_also_at_one_order(shop, kind):
    numbers = [shop.make(), shop.make()]
    shop.fault(kind, DETAIL, times=99, seconds=999)
    with pytest.raises(HubError) as failed:
        list(shop.connector.fetch(shop.access, numbers))
    assert failed.value.concerns_all


def test_a_hold_comes_and_goes(shop, platform):
    number = shop.make()
    for change, state, hold in (("hold", "105", "risk_review"), ("release", "2", "")):
        platform.live.change(number, change)
        (page,) = shop.connector.fetch(shop.access, [number])
        draft = readers.read(page.reader, page.body)[0].draft
        assert (draft.status, draft.channel_status, draft.channel_hold) == ("paid", state, hold)
