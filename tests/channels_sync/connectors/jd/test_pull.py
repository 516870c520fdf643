import time
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from channels_sync.connectors.base import AuthorisationError, ThrottledError, TooManyRowsError
from channels_sync.connectors.jd import pull, refunds
from channels_sync.connectors.jd.refunds import APPLICATIONS, SERVICES
from channels_sync.readers.base import read
from orderhub.core.errors import HubError, TemporaryError

SEARCH, GET, NOTE = pull.SEARCH, pull.GET, pull.NOTE


def stamp(**ago):
    return (datetime.now(UTC) - timedelta(**ago)).astimezone().isoformat(timespec="seconds")


def test_one_page_is_enough_for_a_small_window(shop):
    made = shop.paid(7)
    pages = list(shop.pages())
    assert len(pages) == 1
    assert pages[0].is_last
    assert set(made) <= set(shop.raw(pages)) == shop.shown()


def test_an_empty_window_has_no_pages(shop, platform):
    assert list(shop.pages()) == []


def test_all_pages_of_a_large_window_are_read_oldest_first(shop, platform):
    platform.live.backlog(260, 1.0)
    pages = list(shop.pages())
    found = [row for page in pages for row in orjson.loads(page.body)["orders"]]
    assert len(found) == len(shop.shown())
    assert {row["orderId"] for row in found} == shop.shown()
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert [row["modified"] for row in found] == sorted(row["modified"] for row in found)


def test_many_orders_of_one_second_are_paged(shop, platform):
    platform.live.make(130)
    for number in shop.shown():
        shop.change(number, modified_at=stamp(minutes=5))
    assert set(shop.orders()) == shop.shown()


def test_every_order_arrives_as_the_platform_has_it(shop, platform):
    platform.live.backlog(400, 1.5)
    drafts = shop.drafts()
    assert set(drafts) == shop.shown()
    states = {"in_transit": set(), "paid": set(), "cancelled": set()}
    for number, draft in drafts.items():
        true = shop.order(number)
        states.setdefault(draft.status, set()).add(number)
        assert (draft.status, draft.channel_hold) == (true["status"], true["channel_hold"])
        assert (draft.total_fen, draft.discount_fen, draft.freight_fen, draft.paid_fen) == (
            true["total_fen"], true["discount_fen"], true["freight_fen"], true["paid_fen"],
        )  # fmt: skip
        assert [(ln.sku, ln.quantity, ln.unit_price_fen, ln.paid_fen) for ln in draft.lines] == [
            (ln["sku"], ln["quantity"], ln["unit_price_fen"], ln["paid_fen"]) for ln in true["lines"]
        ]
        assert (draft.created_at, draft.paid_at) == (
            datetime.fromisoformat(true["created_at"]), datetime.fromisoformat(true["paid_at"]),
        )  # fmt: skip
        assert (draft.buyer_remark, draft.seller_remark) == (true["buyer_remark"], true["seller_remark"])
        flag = true["flag"] if true["flag"] != "none" or not true["seller_remark"] else "grey"
        assert draft.flag == flag
        assert [ln.refund != "none" for ln in draft.lines] == [ln["refund"] != "none" for ln in true["lines"]]
        assert (draft.receiver.kind, draft.receiver.detail) == ("masked", "***")
        assert draft.receiver.oaid
        assert draft.buyer.id == true["buyer"]["id"]
    assert states["paid"]


def test_the_same_content_has_the_same_delivery_key(shop):
    shop.paid(3)
    first, second = list(shop.pages()), list(shop.pages())
    assert first[0].delivery_key == second[0].delivery_key
    shop.paid(1)
    assert next(iter(shop.pages())).delivery_key != first[0].delivery_key


def test_orders_that_the_pool_has_are_not_handed_out_again(shop):
    made = shop.paid(5)
    shop.known = dict.fromkeys(shop.shown() - {made[4]}, datetime.now(UTC))
    assert set(shop.orders()) == {made[4]}


@pytest.mark.parametrize("kind", ["mutate_while_paging", "wrong_page", "duplicates", "out_of_order"])
def test_nothing_is_lost_or_doubled_while_the_pages_are_wrong(shop, platform, kind):
    platform.live.backlog(260, 1.0)
    before = shop.shown()
    for _ in range(2):
        platform.faults.add({"kind": kind, "method": SEARCH, "times": 1, "orders": 30})
    rows = [row for page in shop.pages() for row in orjson.loads(page.body)["orders"]]
    versions = [(row["orderId"], row["modified"]) for row in rows]
    assert len(versions) == len(set(versions))
    assert {row["orderId"] for row in rows} == before
    assert [fault["fired"] for fault in platform.faults.listing()] == [1, 1]


def test_orders_that_move_out_of_the_window_come_with_the_next_one(shop, platform):
    platform.live.backlog(260, 1.0)
    platform.faults.add({"kind": "mutate_while_paging", "method": SEARCH, "times": 3, "orders": 20})
    first = set(shop.orders())
    platform.faults.clear()
    assert first | set(shop.orders()) == shop.shown()


@pytest.mark.parametrize("kind", ["http500", "disconnect", "truncated", "remote_error"])
@pytest.mark.parametrize("method", [SEARCH, APPLICATIONS, SERVICES])
def test_a_passing_fault_costs_one_retry(shop, platform, kind, method):
    made = shop.paid(4)
    platform.faults.add({"kind": kind, "method": method, "times": 1})
    assert set(made) <= set(shop.orders())
    assert platform.faults.listing()[0]["fired"] == 1


@pytest.mark.parametrize("method", [SEARCH, APPLICATIONS])
def test_the_limit_of_the_day_ends_the_pull_for_every_worker(shop, platform, method):
    shop.paid(2)
    platform.faults.add({"kind": "throttle", "method": method, "times": 99})
    with pytest.raises(ThrottledError) as failed:
        shop.orders()
    assert 0 < failed.value.retry_after <= 300
    assert shop.budget.blocked == [failed.value.retry_after]
    platform.faults.clear()
    assert set(shop.orders()) == shop.shown()


@pytest.mark.parametrize("kind", ["http500", "timeout"])
def test_a_lasting_fault_is_temporary(shop, platform, settings, kind):
    settings.OUTBOUND_TIMEOUT_SECONDS = 0.3
    platform.faults.add({"kind": kind, "times": 99, "seconds": 1})
    with pytest.raises(TemporaryError):
        shop.orders()


def test_a_slow_answer_is_waited_for(shop, platform):
    made = shop.paid(2)
    platform.faults.add({"kind": "slow", "method": SEARCH, "times": 1, "seconds": 0.4})
    begin = time.monotonic()
    assert set(made) <= set(shop.orders())
    assert time.monotonic() - begin >= 0.4


@pytest.mark.parametrize("seconds", [600, -600])
def test_a_clock_that_is_off_is_told_as_such(shop, platform, seconds):
    platform.faults.add({"kind": "clock_skew", "times": 99, "seconds": seconds})
    with pytest.raises(TemporaryError, match="8") as failed:
        shop.orders()
    assert failed.value.concerns_all


def test_a_clock_that_is_off_a_little_is_no_matter(shop, platform):
    platform.faults.add({"kind": "clock_skew", "times": 99, "seconds": 300})
    assert list(shop.pages()) == []


def test_an_expired_token_needs_a_renewal(shop, platform):
    shop.paid()
    platform.faults.add({"kind": "expired_token", "method": APPLICATIONS, "times": 99})
    with pytest.raises(AuthorisationError):
        shop.orders()


@pytest.mark.parametrize("name", ["access_token", "app_secret"])
def test_a_missing_credential_needs_a_person(shop, name):
    del shop.credentials[name]
    with pytest.raises(AuthorisationError):
        list(shop.pages())


def test_a_wrong_secret_is_never_tried_again(shop):
    shop.credentials["app_secret"] = "another secret"
    with pytest.raises(HubError) as failed:
        list(shop.pages())
    assert failed.value.permanent
    assert not isinstance(failed.value, AuthorisationError)


def test_what_came_before_a_failure_is_handed_out(shop, platform):
    platform.live.backlog(260, 1.0)
    pages = shop.pages()
    first = next(pages)
    assert first.rows > 0
    platform.faults.add({"kind": "http500", "times": 99})
    rest = []
    with pytest.raises(TemporaryError):
        rest.extend(pages)
    assert not any(page.is_last for page in [first, *rest])


def test_a_window_with_too_many_rows_asks_to_be_halved(shop, platform, monkeypatch):
    monkeypatch.setattr(pull, "LARGEST_SLICE", 10)
    shop.paid(11)
    with pytest.raises(TooManyRowsError) as refused:
        list(shop.pages())
    assert refused.value.rows == len(shop.shown())


def test_unpaid_orders_and_deposits_come_with_their_payment(shop, platform):
    while not (waiting := [o for o in platform.store.latest("jd", 500) if o.draft["presale"] == "deposit"]):
        platform.live.make(50)
    number = waiting[0].draft["external_no"]
    assert number not in shop.orders()
    platform.live.change(number, "pay")
    assert shop.drafts()[number].status == "paid"


def test_a_refund_stops_its_line_and_a_withdrawn_one_lets_it_go(shop, platform):
    number = next(n for n in shop.paid(30) if len({ln["paid_fen"] for ln in shop.order(n)["lines"]}) > 1)
    platform.live.change(number, "ask_refund")
    truth = [line["refund"] for line in shop.order(number)["lines"]]
    asked = shop.drafts()[number]
    assert [line.refund for line in asked.lines] == truth
    assert "asked" in truth
    platform.live.change(number, "withdraw_refund")
    assert {line.refund for line in shop.drafts()[number].lines} == {"none"}


def test_a_refund_that_does_not_move_its_order_is_found_all_the_same(shop):
    (number,) = shop.paid()
    shop.change(number, created_at=stamp(hours=9), paid_at=stamp(hours=9), modified_at=stamp(hours=9))
    assert number not in shop.orders()
    draft = shop.order(number)
    draft["lines"][0]["refund"], draft["raw"]["refund_at"] = "asked", stamp(minutes=20)
    shop.change(number, lines=draft["lines"], raw=draft["raw"])
    found = shop.drafts()[number]
    assert "asked" in {line.refund for line in found.lines}
    assert found.modified_at == datetime.fromisoformat(draft["raw"]["refund_at"])
    shop.known = {number: found.modified_at}
    assert number not in shop.orders()


def test_more_refunds_than_jd_shows_of_one_span_are_read_in_halves(shop, monkeypatch):
    monkeypatch.setattr(refunds, "LAST_PAGE", 1)
    monkeypatch.setattr(refunds, "PAGE_SIZE", 2)
    numbers = shop.paid(5)
    for place, number in enumerate(numbers):
        draft = shop.order(number)
        draft["lines"][0]["refund"], draft["raw"]["refund_at"] = "asked", stamp(minutes=20 * place + 3)
        shop.change(number, lines=draft["lines"], raw=draft["raw"])
    found = shop.drafts()
    assert [found[number].lines[0].refund for number in numbers] == ["asked"] * 5


def test_a_refund_asked_long_ago_is_not_forgotten_when_the_order_changes(shop):
    (number,) = shop.paid()
    draft = shop.order(number)
    draft["lines"][0]["refund"], draft["raw"]["refund_at"] = "asked", stamp(hours=30)
    shop.change(
        number, lines=draft["lines"], raw=draft["raw"], created_at=stamp(hours=40), paid_at=stamp(hours=40),
        seller_remark="改地址", modified_at=stamp(minutes=3),
    )  # fmt: skip
    assert "asked" in {line.refund for line in shop.drafts()[number].lines}


def test_a_refund_that_is_withdrawn_while_its_order_is_read_is_not_told_as_open(shop, platform, monkeypatch):
    (number,) = shop.paid()
    draft = shop.order(number)
    draft["lines"][0]["refund"], draft["raw"]["refund_at"] = "asked", stamp(minutes=20)
    platform.now.forward(28)
    # After the end of the window, which ends ten seconds ago.
    late = platform.now().astimezone().isoformat(timespec="seconds")
    born = dict.fromkeys(("created_at", "paid_at"), stamp(hours=1))
    shop.change(number, lines=draft["lines"], raw=draft["raw"], modified_at=late, **born)
    between = refunds.Refunds.between

    def withdrawn_right_after(self, *args):
        found = between(self, *args)
        draft["lines"][0]["refund"], draft["raw"]["refund_at"] = "none", late
        shop.change(number, lines=draft["lines"], raw=draft["raw"], modified_at=late)
        return found

    monkeypatch.setattr(refunds.Refunds, "between", withdrawn_right_after)
    assert {line.refund for line in shop.drafts()[number].lines} == {"none"}


def test_no_refund_is_looked_up_of_an_order_that_the_pool_has(shop, platform):
    for number in shop.paid(5):
        shop.change(number, created_at=stamp(hours=9), paid_at=stamp(hours=9), modified_at=stamp(minutes=3))
    shop.raw(shop.pages(hours=1.0))
    asked = shop.budget.calls
    shop.known = dict.fromkeys(shop.shown(), datetime.now(UTC))
    assert shop.raw(shop.pages(hours=1.0)) == {}
    assert (asked, shop.budget.calls - asked) == (10, 5)


def old_order(shop, status="paid", **raw):
    """Make an order that is older than the window and changed within it: its refunds are asked for one by one."""
    (number,) = shop.paid()
    long_ago = stamp(hours=40)
    shop.change(number, status=status, raw=raw, created_at=long_ago, paid_at=long_ago, modified_at=stamp(minutes=3))
    return number


def words(draft):
    return {line.refund for line in draft.lines}


@pytest.mark.parametrize(("method", "status"), [(APPLICATIONS, "paid"), (SERVICES, "in_transit")])
def test_an_order_whose_refunds_are_refused_is_not_shipped_unseen_and_the_others_go_on(shop, platform, method, status):
    refused, other = old_order(shop, status), old_order(shop, status)
    platform.faults.add({"kind": "refused", "method": method, "number": refused, "times": 99})
    found = shop.drafts()
    assert (words(found[refused]), words(found[other])) == ({"asked"}, {"none"})
    assert "无权查询该订单" in found[refused].raw["refunds_unknown"]
    assert found[refused].modified_at == datetime.fromisoformat(shop.order(refused)["modified_at"])
    platform.faults.clear()
    assert (words(shop.drafts()[refused]), platform.faults.listing()) == ({"none"}, [])


@pytest.mark.parametrize(("method", "status"), [(APPLICATIONS, "paid"), (SERVICES, "in_transit"), (NOTE, "paid")])
def test_an_order_about_which_a_call_fails_for_now_is_named_for_later(shop, platform, method, status):
    failing, other = old_order(shop, status), old_order(shop, status)
    shop.change(failing, seller_remark="加急")
    platform.faults.add({"kind": "http500", "method": method, "number": failing, "times": 99})
    (page,) = shop.pages()
    assert (list(page.later), other in shop.raw([page]), failing in shop.raw([page])) == ([failing], True, False)


def test_a_single_order_that_cannot_be_shown_now_is_named_for_later(shop, platform):
    failing, other = shop.paid(2)
    platform.faults.add({"kind": "http500", "method": GET, "number": failing, "times": 99})
    (page,) = shop.connector.fetch(shop.access, [failing, other])
    assert (list(page.later), set(shop.raw([page]))) == ([failing], {other})


@pytest.mark.parametrize(
    ("kind", "error"),
    [("throttle", ThrottledError), ("expired_token", AuthorisationError), ("clock_skew", TemporaryError)],
)
def test_what_concerns_the_whole_shop_stops_it_also_at_one_order(shop, platform, kind, error):
    (number, _other) = old_order(shop), shop.paid()
    shop.change(number, seller_remark="加急")
    platform.faults.add({"kind": kind, "method": NOTE, "times": 99, "seconds": 999})
    with pytest.raises(error) as failed:
        shop.orders()
    assert failed.value.concerns_all


def test_a_refusal_about_the_order_that_was_split_means_no_refund(shop, platform):
    number = old_order(shop, parent="3007")
    platform.faults.add({"kind": "refused", "method": APPLICATIONS, "number": "3007", "times": 99})
    assert words(shop.drafts()[number]) == {"none"}
    assert platform.faults.listing()[0]["fired"] == 1


def test_a_refund_after_shipping_names_its_line(shop, platform):
    number = next(n for n in shop.paid(20) if len(shop.order(n)["lines"]) > 1)
    draft = shop.order(number)
    draft["lines"][1]["refund"] = "done"
    shop.change(number, status="in_transit", lines=draft["lines"], raw={"refund_at": stamp(minutes=5)})
    found = shop.drafts()[number]
    assert (found.status, [line.refund for line in found.lines][:2]) == ("in_transit", ["none", "done"])


@pytest.mark.parametrize(
    ("status", "refund", "told"),
    [("paid", "refused", "refused"), ("in_transit", "agreed", "asked"), ("in_transit", "done", "done")],
)
def test_a_decision_of_today_about_an_application_of_last_week_is_found(shop, status, refund, told):
    (number,) = shop.paid()
    draft = shop.order(number)
    draft["lines"][0]["refund"] = refund
    raw = {"refund_at": stamp(hours=7 * 24), "decided_at": stamp(minutes=20)}
    born = dict.fromkeys(("created_at", "paid_at", "modified_at"), stamp(hours=8 * 24))
    shop.change(number, status=status, lines=draft["lines"], raw=raw, **born)
    found = shop.drafts()[number]
    assert (found.lines[0].refund, found.modified_at) == (told, datetime.fromisoformat(raw["decided_at"]))


def test_a_time_in_milliseconds_is_a_time():
    told = {"applied": "2026-11-11 12:00:00", "checked": "1794369600000"}
    assert refunds.last_moment([told]) == datetime(2026, 11, 11, 4, tzinfo=UTC)


def test_refunds_may_be_left_unread(platform, shop):
    (number,) = shop.paid()
    platform.live.change(number, "ask_refund")
    shop.settings = {"read_refunds": False}
    platform.faults.add({"kind": "http500", "method": APPLICATIONS, "times": 99})
    assert {line.refund for line in shop.drafts()[number].lines} == {"none"}


def test_a_hold_comes_and_goes(shop, platform):
    (number,) = shop.paid()
    platform.live.change(number, "hold")
    held = shop.drafts()[number]
    assert (held.status, held.channel_status, held.channel_hold) == ("paid", "LOCKED", "LOCKED")
    platform.live.change(number, "release")
    assert shop.drafts()[number].channel_hold == ""


def test_a_flag_is_read_with_the_note_and_may_be_left_unread(shop, platform):
    (number,) = shop.paid()
    shop.change(number, seller_remark="加急", flag="purple")
    assert shop.drafts()[number].flag == "purple"
    shop.settings = {"read_flags": False}
    found = shop.drafts()[number]
    assert (found.flag, found.seller_remark) == ("none", "加急")


def test_an_order_whose_flag_is_refused_comes_without_it(shop, platform):
    refused, other = shop.paid(2)
    for number in (refused, other):
        shop.change(number, seller_remark="加急", flag="purple")
    platform.faults.add({"kind": "refused", "method": NOTE, "number": refused})
    found = shop.drafts()
    assert [found[number].flag for number in (refused, other)] == ["none", "purple"]
    assert platform.faults.listing()[0]["fired"] == 1


def test_encrypted_receivers_are_cipher(shop):
    (number,) = shop.paid()
    shop.settings = {"list_method": "jingdong.pop.order.enSearch"}
    receiver = shop.drafts()[number].receiver
    assert receiver.kind == "cipher"
    assert (len(receiver.phone), receiver.name) == (88, "")


def test_single_orders_are_fetched_and_a_missing_one_is_named(shop):
    made = shop.paid(3)
    shop.known = dict.fromkeys(made, datetime.now(UTC))
    (page,) = shop.connector.fetch(shop.access, [*made, "3999"])
    rows = {row.external_no: row for row in read(page.reader, page.body, page.content_type)}
    assert {number for number, row in rows.items() if row.draft} == set(made)
    assert rows["3999"].error.path == "orderId"
    assert page.is_last
    assert list(shop.connector.fetch(shop.access, [])) == []


def test_reading_by_creation_gives_every_order_again(shop, platform):
    platform.live.backlog(120, 1.0)
    shop.known = dict.fromkeys(shop.shown(), datetime.now(UTC))
    assert list(shop.pages()) == []
    (number,) = shop.paid()
    platform.live.change(number, "ask_refund")
    found = shop.drafts(shop.reread())
    assert set(found) == shop.shown()
    assert "asked" in {line.refund for line in found[number].lines}


def test_settings_that_make_no_sense_are_brought_into_range():
    options = pull.Options.of({"page_size": 1000, "calls_per_second": "fast", "detail_workers": 0, "list_method": None})
    assert pull.Options.of({}) == pull.Options(calls_per_second=30, detail_workers=8)
    assert options == pull.Options(page_size=100, calls_per_second=30, detail_workers=1)
