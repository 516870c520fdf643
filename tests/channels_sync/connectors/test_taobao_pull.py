import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from unittest import mock

import orjson
import pytest

from channels_sync.connectors import turns
from channels_sync.connectors.base import (
    AuthorisationError,
    ShopAccess,
    ThrottledError,
    TooManyRowsError,
    Window,
    connectors,
)
from channels_sync.connectors.taobao import pull, refunds
from channels_sync.connectors.taobao.client import TopClient
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.replies import json_reply
from channels_sync.sandbox.top_errors import TopError
from orderhub.core.errors import HubError, TemporaryError

LIST, FULL = "taobao.trades.sold.increment.get", "taobao.trade.fullinfo.get"


class Budget:
    """Takes no time and notes what it was told."""

    def __init__(self):
        self.blocked = []

    def take(self, calls):
        return [time.monotonic()] * calls

    def block(self, seconds):
        self.blocked.append(seconds)


class Puller:
    """Pulls the last hour of the sandbox's shop."""

    def __init__(self, platform, **settings):
        self.platform = platform
        self.budget = Budget()
        self.known = {}
        self.short = []
        self.settings = settings
        self.credentials = {
            "app_key": SANDBOX.app_key, "app_secret": SANDBOX.app_secret, "session": SANDBOX.session,
        }  # fmt: skip

    def pages(self):
        now = datetime.now(UTC)
        access = ShopAccess(
            shop_id=1, code="tb", credentials=self.credentials, settings=self.settings,
            budget=lambda _key, _rate: self.budget,
            known=lambda versions: {n for n, at in versions.items() if self.known.get(n, at) > at},
            short=lambda counted, seen: self.short.append((counted, seen)),
        )  # fmt: skip
        window = Window(now - timedelta(hours=2), now - timedelta(seconds=10))
        return connectors.get("taobao").pull(access, window)

    def trades(self):
        """Return all trades of the window, by number, and check that every page says how many it has."""
        found = {}
        for page in self.pages():
            rows = orjson.loads(page.body)["trades"]
            assert len(rows) == page.rows
            found |= {str(row["tid"]): row for row in rows}
        return found


@pytest.fixture
def puller(platform):
    return Puller(platform)


def numbers(platform):
    """Return the numbers of all orders that the platform shows by now."""
    now = platform.now().timestamp()
    rows = platform.store.query("SELECT external_no FROM orders WHERE modified <= ?", int(now))
    return {row["external_no"] for row in rows}


def test_one_call_is_enough_for_a_small_window(puller, platform):
    made = platform.live.make(7)
    pages = list(puller.pages())
    assert [page.rows for page in pages] == [7]
    assert pages[0].is_last
    assert {str(row["tid"]) for row in orjson.loads(pages[0].body)["trades"]} == set(made)


def test_an_empty_window_has_no_pages(puller):
    assert list(puller.pages()) == []


def test_all_pages_of_a_large_window_are_read_oldest_first(puller, platform):
    platform.live.backlog(260, 1.0)
    pages = list(puller.pages())
    found = [row for page in pages for row in orjson.loads(page.body)["trades"]]
    assert {str(row["tid"]) for row in found} == numbers(platform)
    assert len(found) == len(numbers(platform))
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert max(r["modified"] for r in orjson.loads(pages[0].body)["trades"]) <= min(
        r["modified"] for r in orjson.loads(pages[-1].body)["trades"]
    )


def test_details_that_the_list_leaves_out_are_fetched(puller, platform):
    number = platform.live.make(1)[0]
    order = platform.store.get(number)
    order.draft["buyer_remark"], order.draft["seller_remark"] = "生日礼物", "老客户"
    platform.store.save(order)
    trade = puller.trades()[number]
    assert (trade["buyer_message"], trade["seller_memo"]) == ("生日礼物", "老客户")
    assert trade["oaid"]


def just_placed(puller, platform):
    """Return an unpaid order of which nothing changed since it was placed."""
    platform.live.make(120)
    found = next(number for number, row in puller.trades().items() if row["status"] in pull.WITHOUT_DETAILS)
    order = platform.store.get(found)
    order.draft["created_at"] = order.draft["modified_at"]
    platform.store.save(order)
    return found


def test_of_an_order_that_was_just_placed_the_list_says_enough(puller, platform):
    unpaid = just_placed(puller, platform)
    assert "seller_memo" not in puller.trades()[unpaid]


@pytest.mark.parametrize("flag", ["red", "grey"])
def test_a_memo_of_the_seller_is_read_before_the_order_is_paid(puller, platform, flag):
    unpaid = just_placed(puller, platform)
    platform.now.forward(5)
    platform.live.change(unpaid, "note")
    order = platform.store.get(unpaid)
    order.draft["flag"] = flag  # of the grey one a list tells nothing
    platform.store.save(order)
    assert puller.trades()[unpaid]["seller_memo"] == order.draft["seller_remark"] != ""


def paid_long_ago(puller, platform, count=1):
    """Return paid trades that last changed a day ago and that the pool has since then."""
    found = [n for n in platform.live.make(60) if platform.store.get(n).draft["status"] == "paid"][:count]
    for number in found:
        order = platform.store.get(number)
        order.draft["modified_at"] = "2026-01-01T08:00:00+08:00"
        platform.store.save(order)
        puller.known[number] = datetime(2026, 1, 2, tzinfo=UTC)
    return found


@pytest.mark.parametrize("count", [1, 5])
def test_a_refund_that_does_not_move_its_trade_is_seen(platform, count):
    puller = Puller(platform, page_size=2)
    numbers = paid_long_ago(puller, platform, count)
    assert not set(numbers) & set(puller.trades())
    for number in numbers:
        platform.live.change(number, "ask_refund", is_quiet=True)
    trades = puller.trades()
    assert set(numbers) <= set(trades)
    assert "WAIT_SELLER_AGREE" in {line["refund_status"] for line in trades[numbers[0]]["orders"]["order"]}


def test_a_refund_that_the_pool_has_seen_costs_no_look_up(puller, platform):
    (number,) = paid_long_ago(puller, platform)
    platform.live.change(number, "ask_refund", is_quiet=True)
    puller.known[number] = datetime.now(UTC) + timedelta(seconds=1)
    assert number not in puller.trades()


def test_a_withdrawn_refund_is_seen_too(puller, platform):
    (number,) = paid_long_ago(puller, platform)
    for change in ("ask_refund", "withdraw_refund"):
        platform.live.change(number, change, is_quiet=True)
    assert {line["refund_status"] for line in puller.trades()[number]["orders"]["order"]} == {"NO_REFUND"}


def test_a_shop_may_leave_refunds_to_its_messages(puller, platform):
    (number,) = paid_long_ago(puller, platform)
    platform.live.change(number, "ask_refund", is_quiet=True)
    puller.settings["read_refunds"] = False
    assert number not in puller.trades()


def test_an_application_that_may_not_read_refunds_still_pulls(puller, platform, monkeypatch):
    def refuse(_params):
        raise TopError(11, "Insufficient isv permissions")

    made = platform.live.make(3)
    monkeypatch.setitem(platform.top._with_session, refunds.METHOD, refuse)
    assert set(puller.trades()) == set(made)


def test_a_refund_list_that_fails_for_now_leaves_the_window_open(puller, platform):
    made = platform.live.make(3)
    platform.faults.add({"kind": "http500", "method": refunds.METHOD, "times": 99})
    pages = []
    with pytest.raises(TemporaryError):
        pages.extend(puller.pages())
    platform.faults.clear()
    assert set(puller.trades()) == set(made)
    assert not any(page.is_last for page in pages)


@pytest.mark.parametrize(("scope", "passes"), [("api", True), ("app_api", True), ("app", False)])
def test_only_a_limit_on_the_refund_list_alone_is_passed_over(puller, platform, scope, passes):
    made = platform.live.make(3)
    platform.faults.add({"kind": "throttle", "method": refunds.METHOD, "scope": scope, "times": 99, "seconds": 7})
    with nullcontext() if passes else pytest.raises(ThrottledError):
        assert set(puller.trades()) == set(made)
    assert platform.faults.listing()[0]["fired"] == 4


def test_the_same_content_has_the_same_delivery_key(puller, platform):
    platform.live.make(3)
    first, second = list(puller.pages()), list(puller.pages())
    assert first[0].delivery_key == second[0].delivery_key
    platform.live.make(1)
    assert next(iter(puller.pages())).delivery_key != first[0].delivery_key


def test_orders_that_the_pool_has_are_not_fetched_again(puller, platform):
    made = platform.live.make(5)
    puller.known = dict.fromkeys(made[:4], datetime.now(UTC))
    assert set(puller.trades()) == set(made[4:])


@pytest.mark.parametrize("kind", ["mutate_while_paging", "wrong_page"])
def test_nothing_is_lost_while_the_pages_change(puller, platform, kind):
    platform.live.backlog(260, 1.0)
    for _ in range(2):
        platform.faults.add({"kind": kind, "method": LIST, "times": 1, "orders": 30})
    assert set(puller.trades()) == numbers(platform)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_single_page_that_holds_less_than_was_counted_is_asked_for_again(puller, platform, times):
    made = platform.live.make(4)
    platform.faults.add({"kind": "wrong_page", "method": LIST, "times": times})
    assert set(puller.trades()) == set(made)


def test_a_count_that_the_list_never_bears_out_ends_the_pull(puller, platform):
    platform.live.make(4)
    platform.faults.add({"kind": "wrong_page", "method": LIST, "times": 99})
    assert puller.trades() == {}
    assert platform.faults.listing()[0]["fired"] == 5
    assert puller.short == [(4, 0)]


@pytest.mark.parametrize("kind", ["http500", "disconnect", "truncated", "remote_error"])
@pytest.mark.parametrize("method", [LIST, FULL])
def test_a_passing_fault_costs_one_retry(puller, platform, kind, method):
    made = platform.live.make(4)
    platform.faults.add({"kind": kind, "method": method, "times": 1})
    assert set(puller.trades()) == set(made)
    assert platform.faults.listing()[0]["fired"] == 1


@pytest.mark.parametrize("method", [LIST, FULL])
def test_a_ban_is_waited_out_as_long_as_the_platform_says(puller, platform, method):
    made = platform.live.make(4)
    platform.faults.add({"kind": "throttle", "method": method, "times": 1, "seconds": 3})
    assert set(puller.trades()) == set(made)
    assert puller.budget.blocked == [3]


@pytest.mark.parametrize("method", [LIST, FULL])
def test_a_ban_that_does_not_end_ends_the_pull(puller, platform, method):
    platform.live.make(2)
    platform.faults.add({"kind": "throttle", "method": method, "times": 99, "seconds": 7})
    with pytest.raises(ThrottledError) as failed:
        puller.trades()
    assert failed.value.retry_after == 7


@pytest.mark.parametrize("kind", ["http500", "timeout"])
def test_a_lasting_fault_is_temporary(puller, platform, settings, kind):
    settings.OUTBOUND_TIMEOUT_SECONDS = 0.3
    platform.faults.add({"kind": kind, "times": 99, "seconds": 1})
    with pytest.raises(TemporaryError):
        puller.trades()


def test_details_that_hang_while_the_list_answers_are_given_up_together(puller, platform, settings, monkeypatch):
    settings.OUTBOUND_TIMEOUT_SECONDS = 0.3
    monkeypatch.setattr(turns, "VOLLEY_SECONDS", 0.6)
    platform.live.make(50)
    platform.faults.add({"kind": "timeout", "method": FULL, "times": 999, "seconds": 1})
    with pytest.raises(TemporaryError) as failed:
        puller.trades()
    # Four workers, three tries each: nobody begins a second order.
    assert platform.faults.listing()[0]["fired"] == 12
    assert failed.value.cause == "network"


def test_an_expired_session_needs_a_person(puller, platform):
    platform.live.make(1)
    platform.faults.add({"kind": "expired_token", "method": FULL, "times": 99})
    with pytest.raises(AuthorisationError):
        puller.trades()


def test_a_missing_credential_needs_a_person(puller):
    del puller.credentials["session"]
    with pytest.raises(AuthorisationError):
        puller.trades()


def test_a_wrong_secret_is_never_tried_again(puller):
    puller.credentials["app_secret"] = "another secret"
    with pytest.raises(HubError) as failed:
        puller.trades()
    assert failed.value.permanent
    assert not isinstance(failed.value, AuthorisationError)


def test_what_came_before_a_failure_is_handed_out(puller, platform):
    platform.live.backlog(260, 1.0)
    pages = puller.pages()
    first = next(pages)
    assert first.rows > 0
    platform.faults.add({"kind": "http500", "times": 99})
    rest = []
    with pytest.raises(TemporaryError):
        rest.extend(pages)
    assert not any(page.is_last for page in [first, *rest])


def test_an_order_whose_details_are_refused_is_marked_and_the_others_go_on(puller, platform, monkeypatch):
    made = platform.live.make(3)
    listed = platform.top.answer
    gone = made[1]
    order = platform.store.get(gone)
    order.draft["buyer_remark"] = "only its details tell"
    platform.store.save(order)

    def without_one(params):
        if params["method"] == FULL and params["tid"] == gone:
            return json_reply({"error_response": {"code": 15, "sub_code": "isv.trade-not-exist", "sub_msg": "无"}})
        return listed(params)

    monkeypatch.setattr(platform.top, "answer", without_one)
    found = puller.trades()
    assert set(found) == set(made)
    assert [number for number, row in found.items() if pull.REFUSED_KEY in row] == [gone]


def test_a_window_with_too_many_rows_asks_to_be_halved(puller, platform, monkeypatch):
    monkeypatch.setattr(pull, "LARGEST_SLICE", 10)
    platform.live.make(11)
    with pytest.raises(TooManyRowsError) as refused:
        list(puller.pages())
    assert refused.value.rows == 11


def test_settings_that_make_no_sense_are_brought_into_range():
    options = pull.Options.of({"page_size": 1000, "calls_per_second": "fast", "detail_workers": 0})
    assert options == pull.Options(page_size=100, calls_per_second=20, detail_workers=1)


@pytest.mark.parametrize(("given", "asked"), [({}, {None}), ({"trade_types": "step, fixed "}, {"step,fixed"})])
def test_other_types_of_trades_are_listed_when_a_shop_names_them(platform, given, asked):
    platform.live.make(3)
    with mock.patch.object(TopClient, "call", autospec=True, side_effect=TopClient.call) as call:
        list(Puller(platform, **given).pages())
    lists = [told.args[2] for told in call.call_args_list if told.args[1] == LIST]
    assert {params.get("type") for params in lists} == asked
