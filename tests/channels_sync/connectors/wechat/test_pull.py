from datetime import UTC, datetime, timedelta
from threading import Lock

import pytest

from channels_sync.connectors.base import AuthorisationError, ThrottledError, TooManyRowsError, Window
from channels_sync.connectors.wechat import pull
from channels_sync.connectors.wechat.errors import address_error
from channels_sync.connectors.wechat.mapping import REFUSED_KEY
from channels_sync.sandbox.replies import json_reply
from channels_sync.sandbox.wechat_view import seen_draft
from orderhub.core.draft import read_draft
from orderhub.core.errors import HubError, TemporaryError

LIST, ORDER = pull.LIST, pull.ORDER
SALES, SALE = pull.AFTERSALE_LIST, pull.AFTERSALE
TOKEN = "/cgi-bin/stable_token"


def test_an_empty_window_has_no_pages(side):
    assert list(side.pages()) == []


def test_every_order_of_a_window_comes_with_its_details(side):
    side.platform.live.backlog(260, 1.0)
    before = side.numbers()
    pages = list(side.pages())
    assert before <= set(side.orders(pages)) <= side.numbers()
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert max(page.rows for page in pages) == 100


def test_the_pool_gets_what_the_shop_has_field_by_field(side):
    side.platform.live.backlog(200, 1.0)
    before = side.numbers()
    drafts = side.drafts()
    assert before <= set(drafts)
    for number, draft in drafts.items():
        shown = read_draft(seen_draft(side.platform.store.get(number).draft))
        for name in shown.__struct_fields__:
            if name not in {"raw", "channel_status"}:
                assert getattr(draft, name) == getattr(shown, name), (number, name)


def test_the_same_content_has_the_same_delivery_key(side):
    side.platform.live.make(3)
    first, second = list(side.pages()), list(side.pages())
    assert first[0].delivery_key == second[0].delivery_key
    side.platform.live.make(1)
    assert next(side.pages()).delivery_key != first[0].delivery_key


def test_versions_that_the_pool_has_are_not_stored_again(side):
    made = side.platform.live.make(5)
    side.known = dict.fromkeys(made[:4], datetime.now(UTC))
    assert set(side.orders()) == set(made[4:])
    side.known = dict.fromkeys(made, datetime.now(UTC) - timedelta(hours=1))
    assert set(side.orders()) == set(made)


def test_a_second_change_within_one_second_is_handed_on_and_only_once(side):
    (number,) = side.platform.live.make(1)
    order = side.platform.store.get(number)
    side.known = {number: datetime.fromisoformat(order.draft["modified_at"])}
    assert [set(side.orders()) for _ in range(2)] == [{number}, set()]
    order.draft["seller_remark"] = "again, in the same second"
    side.platform.store.save(order)
    assert [set(side.orders()) for _ in range(2)] == [{number}, set()]


@pytest.mark.parametrize("kind", ["wrong_page", "lost_cursor", "duplicates", "out_of_order", "mutate_while_paging"])
def test_nothing_is_lost_or_doubled_whatever_the_list_does(side, kind):
    side.platform.live.backlog(260, 1.0)
    side.fault(kind, method=LIST, times=2, orders=30)
    before = side.numbers()
    pages = list(side.pages())
    found = set(side.orders(pages))
    assert before <= found <= side.numbers()
    assert sum(page.rows for page in pages) == len(found)
    assert side.platform.faults.listing()[0]["fired"] == 2


def test_a_cursor_that_is_lost_again_and_again_is_temporary(side):
    side.platform.live.backlog(150, 1.0)
    side.fault("lost_cursor", method=LIST, times=99)
    with pytest.raises(TemporaryError):
        side.orders()


def test_a_list_that_never_moves_on_is_temporary(side, monkeypatch):
    side.platform.live.make(1)
    answer = side.platform.wechat.answer

    def stuck(method, path, query, headers, body):
        if path.endswith(LIST):
            return json_reply({"errcode": 0, "order_id_list": ["1"], "next_key": "here", "has_more": True})
        return answer(method, path, query, headers, body)

    monkeypatch.setattr(side.platform.wechat, "answer", stuck)
    with pytest.raises(TemporaryError):
        side.orders()


@pytest.mark.parametrize("kind", ["http500", "disconnect", "truncated", "remote_error", "expired_token"])
@pytest.mark.parametrize("method", [LIST, ORDER, SALES, TOKEN])
def test_a_passing_fault_costs_one_retry(side, kind, method):
    if (kind, method) == ("expired_token", TOKEN):
        kind = "http500"
    made = side.platform.live.make(4)
    side.fault(kind, method=method)
    assert set(side.orders()) == set(made)
    assert side.platform.faults.listing()[0]["fired"] == 1


def test_a_slow_answer_is_waited_for(side):
    made = side.platform.live.make(2)
    side.fault("slow", method=ORDER, seconds=0.3)
    assert set(side.orders()) == set(made)


@pytest.mark.parametrize("kind", ["http500", "timeout", "remote_error", "truncated"])
def test_a_lasting_fault_is_temporary(side, settings, kind):
    settings.OUTBOUND_TIMEOUT_SECONDS = 0.3
    side.fault(kind, times=99, seconds=1)
    with pytest.raises(TemporaryError):
        side.orders()


@pytest.mark.parametrize("method", [LIST, ORDER])
def test_a_limit_of_the_minute_is_waited_out(side, method):
    made = side.platform.live.make(4)
    side.fault("throttle", method=method)
    assert set(side.orders()) == set(made)
    assert len(side.budget.blocked) == 1
    assert 1 <= side.budget.blocked[0] <= 60


def test_a_limit_that_does_not_end_ends_the_pull(side):
    side.platform.live.make(2)
    side.fault("throttle", method=ORDER, times=99)
    with pytest.raises(ThrottledError):
        side.orders()


def test_an_address_that_is_not_allowed_needs_a_person(side):
    side.fault("address", times=99)
    with pytest.raises(HubError) as refused:
        side.orders()
    assert refused.value.permanent
    assert str(refused.value) == str(address_error())


@pytest.mark.parametrize("name", ["app_id", "app_secret"])
def test_wrong_credentials_need_a_person(side, name):
    side.credentials[name] = "another"
    with pytest.raises(AuthorisationError):
        side.orders()
    del side.credentials[name]
    with pytest.raises(AuthorisationError):
        side.orders()


def test_orders_that_cannot_be_shown_now_are_named_for_later(side):
    side.platform.live.make(40)
    side.platform.faults.add({"kind": "http500", "times": 99, "method": ORDER})
    (page,) = side.pages()
    assert page.later
    assert page.rows + len(page.later) == 40


def test_what_came_before_a_failure_is_handed_out(side):
    side.platform.live.backlog(250, 1.0)
    pages = side.pages()
    first = next(pages)
    side.fault("http500", times=999)
    rest = []
    with pytest.raises(TemporaryError):
        rest.extend(pages)
    assert first.rows == 100
    assert not any(page.is_last for page in [first, *rest])


def test_an_order_that_is_refused_is_marked_and_the_others_go_on(side, monkeypatch):
    made = side.platform.live.make(3)
    answer = side.platform.wechat.answer

    def without_one(method, path, query, headers, body):
        if path.endswith(ORDER) and made[1].encode() in body:
            return json_reply({"errcode": 10020051, "errmsg": "order not exist"})
        return answer(method, path, query, headers, body)

    monkeypatch.setattr(side.platform.wechat, "answer", without_one)
    found = side.orders()
    assert set(found) == set(made)
    assert [number for number, row in found.items() if REFUSED_KEY in row] == [made[1]]


@pytest.mark.parametrize("how", ["31042", "count"])
def test_a_window_with_too_many_rows_asks_to_be_halved(side, monkeypatch, how):
    side.platform.live.make(12)
    if how == "count":
        monkeypatch.setattr(pull, "LARGEST_SLICE", 10)
    else:
        side.platform.wechat.lists.most_rows = 10
    with pytest.raises(TooManyRowsError):
        list(side.pages())


def test_windows_longer_than_the_platform_takes_are_cut(side):
    made = side.platform.live.make(3)
    side.fault("slow", method=LIST, times=99, seconds=0)
    side.fault("slow", method=SALES, times=99, seconds=0)
    now = datetime.now(UTC)
    window = Window(now - timedelta(days=16), now - timedelta(seconds=10))
    assert set(side.orders(side.connector.pull(side.access, window))) == set(made)
    lists, sales = (fault["fired"] for fault in side.platform.faults.listing())
    assert (lists, sales) == (3 * 2, 17 * 2)


def test_the_last_second_of_a_window_belongs_to_it(side):
    (number,) = side.platform.live.make(1)
    moment = datetime.fromisoformat(side.platform.store.get(number).draft["modified_at"])
    window = Window(moment - timedelta(minutes=1), moment)
    assert set(side.orders(side.connector.pull(side.access, window))) == {number}


def test_details_are_fetched_a_few_at_a_time(side, monkeypatch):
    side.platform.live.make(40)
    side.settings["detail_workers"] = 3
    answer, lock, running, most = side.platform.wechat.answer, Lock(), [0], [0]

    def counted(method, path, query, headers, body):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        try:
            return answer(method, path, query, headers, body)
        finally:
            with lock:
                running[0] -= 1

    monkeypatch.setattr(side.platform.wechat, "answer", counted)
    assert len(side.orders()) == 40
    assert 1 <= most[0] <= 3


def test_refunds_come_with_the_state_of_their_aftersale(side):
    asked, agreed, plain = side.platform.live.make(3)
    for number, word in ((asked, "asked"), (agreed, "agreed"), (plain, "none")):
        order = side.platform.store.get(number)
        for line in order.draft["lines"]:
            line["refund"] = "none"
        order.draft["lines"][0]["refund"] = word
        order.kinds = ["refund"] if word != "none" else []
        side.platform.store.save(order)
    words = {number: [line.refund for line in draft.lines] for number, draft in side.drafts().items()}
    assert {number: found[0] for number, found in words.items()} == {asked: "asked", agreed: "agreed", plain: "none"}
    assert {word for found in words.values() for word in found[1:]} <= {"none"}


def test_a_change_of_an_aftersale_alone_brings_its_order_with_a_newer_version(side):
    (number,) = side.platform.live.make(1)
    order = side.platform.store.get(number)
    before = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=20)
    changed = before + timedelta(minutes=15)
    order.draft["modified_at"] = before.isoformat()
    order.draft["raw"]["aftersale_at"] = changed.isoformat()
    order.draft["lines"][0]["refund"] = "done"
    order.kinds = ["refund"]
    side.platform.store.save(order)
    side.known = {number: before}
    window = Window(changed - timedelta(minutes=1), changed + timedelta(minutes=1))
    (draft,) = side.drafts(side.connector.pull(side.access, window)).values()
    assert (draft.modified_at, draft.lines[0].refund) == (changed, "done")


def asked_for_refund(side, minutes=1):
    """Make an order whose first line has an after-sale and one without; return both numbers and the after-sale's."""
    asked, plain = side.platform.live.make(2)
    for number in (asked, plain):
        order = side.platform.store.get(number)
        for line in order.draft["lines"]:
            line["refund"] = "none"
        if number == asked:
            order.draft["lines"][0]["refund"], order.kinds = "asked", ["refund"]
            order.draft["raw"]["aftersale_at"] = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
        side.platform.store.save(order)
    return asked, plain, f"2{asked[1:]}0"


def test_an_order_whose_aftersale_cannot_be_shown_now_is_named_for_later(side):
    failing, other, sale = asked_for_refund(side)
    side.fault("http500", method=SALE, number=sale, times=99)
    (page,) = side.connector.fetch(side.access, [failing, other])
    assert (list(page.later), set(side.orders([page]))) == ([failing], {other})


def test_an_aftersale_whose_order_nobody_knows_yet_is_itself_fetched_later(side):
    failing, other, sale = asked_for_refund(side)
    order = side.platform.store.get(failing)
    order.draft["modified_at"] = (datetime.now(UTC) - timedelta(hours=2.5)).isoformat()
    side.platform.store.save(order)
    side.fault("http500", method=SALE, number=sale, times=99)
    (page,) = side.pages()
    assert (list(page.later), set(side.orders([page]))) == ([f"aftersale:{sale}"], {other})
    (page,) = side.connector.fetch(side.access, [*page.later, other])
    assert (list(page.later), set(side.orders([page]))) == ([f"aftersale:{sale}"], {other})
    side.platform.faults.clear()
    assert set(side.orders(side.connector.fetch(side.access, page.later))) == {failing}


@pytest.mark.parametrize("kind", ["throttle", "expired_token"])
def test_what_concerns_the_whole_shop_stops_it_also_at_one_aftersale(side, kind):
    asked_for_refund(side)
    side.fault(kind, method=SALE, times=99)
    with pytest.raises(HubError) as failed:
        side.orders()
    assert failed.value.concerns_all


def test_a_detail_that_lags_behind_its_payment_is_read_again(side, monkeypatch):
    monkeypatch.setattr(pull, "SETTLE_SECONDS", 0.05)
    (number,) = [n for n in side.platform.live.make(5) if side.platform.store.get(n).draft["status"] == "paid"][:1]
    side.fault("late_detail", method=ORDER, times=1)
    assert side.drafts(side.connector.fetch(side.access, [number]))[number].status == "paid"


def test_single_orders_are_fetched_whatever_the_pool_has(side):
    made = side.platform.live.make(3)
    side.known = dict.fromkeys(made, datetime.now(UTC))
    pages = list(side.connector.fetch(side.access, [made[0], made[2], made[0]]))
    assert set(side.orders(pages)) == {made[0], made[2]}
    assert [page.rows for page in pages] == [2]


def test_orders_are_read_again_by_creation_time(side):
    made = side.platform.live.make(3)
    side.known = dict.fromkeys(made, datetime.now(UTC))
    assert set(side.orders(side.connector.reread(side.access, side.window()))) == set(made)
    assert list(side.connector.reread(side.access, side.window(minutes=2))) == []
