import itertools
import os
import signal
import subprocess
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ

from channels_sync import selectors
from channels_sync.connectors.taobao import pull, refunds
from channels_sync.models import Backfill, ErrorKind, JobState, RunState, ShopSync, SyncRun, TokenState
from channels_sync.services import health, sync
from orderhub import deliveries, pulls
from orderhub.core.errors import HubError, TemporaryError
from orderhub.models import InboxItem, Order, Reject, Shop
from orderhub.schedules import PULL_TASK
from orderhub.services import inbox, leases
from tests.factories import make_shop
from tests.processes import running

LIST, FULL = "taobao.trades.sold.increment.get", "taobao.trade.fullinfo.get"


def state(shop):
    return ShopSync.objects.get(shop=shop)


def visible(platform):
    """Return the numbers of all orders that the platform shows by now."""
    now = platform.now().timestamp()
    rows = platform.store.query("SELECT external_no FROM orders WHERE modified <= ?", int(now))
    return {row["external_no"] for row in rows}


def stored():
    return set(Order.objects.values_list("external_no", flat=True))


def test_orders_come_into_the_pool_and_the_cursor_moves(platform, taobao_shop, rules):
    platform.live.backlog(120, 0.5)
    before = timezone.now()
    counts = pulls.pull_shop(taobao_shop.pk)
    assert counts["new"] == len(visible(platform)) > 100
    assert stored() == visible(platform)
    synced = state(taobao_shop)
    assert before - timedelta(seconds=11) <= synced.cursor <= timezone.now() - timedelta(seconds=9)
    assert (synced.consecutive_failures, synced.last_error, synced.token_state) == (0, "", TokenState.VALID)
    assert synced.lag_seconds < 120
    run = SyncRun.objects.get()
    assert (run.state, run.new, run.rejected) == (RunState.DONE, len(visible(platform)), 0)
    assert run.rows == run.new
    assert run.window_start == run.window_end - timedelta(hours=1)


def test_the_next_run_overlaps_and_takes_in_only_what_is_new(platform, taobao_shop, rules):
    platform.live.make(5)
    pulls.pull_shop(taobao_shop.pk)
    first = state(taobao_shop).cursor
    made = platform.live.make(2)
    counts = pulls.pull_shop(taobao_shop.pk)
    run = SyncRun.objects.latest("pk")
    assert run.window_start == first - timedelta(minutes=5)
    assert (counts["new"], run.rows) == (2, 2)
    assert set(made) < stored()
    assert Order.objects.count() == 7


def test_nothing_new_stores_nothing(platform, taobao_shop, rules):
    platform.live.make(3)
    pulls.pull_shop(taobao_shop.pk)
    cursor, items = state(taobao_shop).cursor, InboxItem.objects.count()
    with time_machine.travel(timezone.now() + timedelta(seconds=60)):
        pulls.pull_shop(taobao_shop.pk)
    assert InboxItem.objects.count() == items
    assert state(taobao_shop).cursor > cursor


@pytest.fixture
def windows(monkeypatch):
    """Every window that is asked for."""
    asked, original = [], pull.Pull.pages

    def noting(self):
        asked.append(self._window)
        return original(self)

    monkeypatch.setattr(pull.Pull, "pages", noting)
    return asked


def test_a_long_gap_is_read_in_slices_of_half_an_hour(platform, taobao_shop, rules, windows):
    ShopSync.objects.create(shop=taobao_shop, cursor=timezone.now() - timedelta(minutes=80))
    platform.live.backlog(80, 1.2)
    pulls.pull_shop(taobao_shop.pk)
    assert [window.span <= timedelta(minutes=30) for window in windows] == [True] * 3
    assert all(a.end == b.start for a, b in itertools.pairwise(windows))
    assert stored() == visible(platform)


def test_a_shop_that_rested_longer_than_its_platform_lists_goes_on_and_the_gap_is_noted(
    platform, taobao_shop, rules, windows, monkeypatch, time_machine
):  # fmt: skip
    time_machine.move_to(timezone.now(), tick=False)
    monkeypatch.setattr(sync, "RUN_SECONDS", 0.0)
    cursor = timezone.now() - timedelta(days=200)
    ShopSync.objects.create(shop=taobao_shop, cursor=cursor)
    pulls.pull_shop(taobao_shop.pk)
    begins = windows[0].start
    assert begins == timezone.now().replace(microsecond=0) - sync.DELAY - timedelta(days=88)
    gap = Backfill.objects.get()
    assert (gap.start, gap.end, gap.state, gap.actor) == (cursor, begins, JobState.FAILED, "pull")
    assert gap.last_error == SyncRun.objects.get().error
    pulls.pull_shop(taobao_shop.pk, force=True)
    assert (Backfill.objects.count(), windows[1].start) == (1, begins + timedelta(minutes=25))


def test_after_a_failure_windows_are_short(platform, taobao_shop, rules, windows):
    ShopSync.objects.create(shop=taobao_shop, cursor=timezone.now() - timedelta(minutes=2), consecutive_failures=1)
    pulls.pull_shop(taobao_shop.pk)
    assert [window.span for window in windows[:3]] == [timedelta(minutes=2)] * 3
    assert len(windows) == 4


def test_after_a_run_that_was_stopped_windows_are_short(platform, taobao_shop, rules, windows, monkeypatch):
    monkeypatch.setattr(sync, "RUN_SECONDS", 0.0)
    ShopSync.objects.create(shop=taobao_shop, cursor=timezone.now() - timedelta(minutes=80))
    pulls.pull_shop(taobao_shop.pk)
    pulls.pull_shop(taobao_shop.pk)
    assert [window.span for window in windows] == [timedelta(minutes=30), *[timedelta(minutes=2)] * 3]


def test_a_window_with_too_many_rows_is_halved(platform, taobao_shop, rules, monkeypatch):
    monkeypatch.setattr(pull, "LARGEST_SLICE", 60)
    platform.live.backlog(200, 0.9)
    pulls.pull_shop(taobao_shop.pk)
    assert stored() == visible(platform)


def test_a_run_that_takes_too_long_goes_on_in_the_next_one(platform, taobao_shop, rules, monkeypatch):
    monkeypatch.setattr(sync, "RUN_SECONDS", 0.0)
    platform.live.backlog(200, 0.9)
    for _ in range(60):
        pulls.pull_shop(taobao_shop.pk)
        if SyncRun.objects.latest("pk").state == RunState.DONE:
            break
    stopped = SyncRun.objects.filter(state=RunState.STOPPED).count()
    assert stopped > 0
    assert [row.task["args"][0] for row in OrmQ.objects.all()] == [PULL_TASK] * stopped
    assert SyncRun.objects.latest("pk").state == RunState.DONE
    assert stored() == visible(platform)


def test_one_run_of_a_shop_at_a_time(platform, taobao_shop):
    run = sync.begin(taobao_shop)
    assert sync.begin(taobao_shop) is None
    run.finish()
    again = sync.begin(taobao_shop)
    assert again is not None
    again.finish()


def test_a_lease_that_was_lost_ends_the_run(platform, taobao_shop, rules):
    platform.live.make(3)
    run = sync.begin(taobao_shop)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orderhub_lease SET token = gen_random_uuid()")
    with pytest.raises(TemporaryError):
        list(run.pages())
    run.fail(TemporaryError("lost"))
    assert state(taobao_shop).cursor == run.log.window_start + timedelta(minutes=30)


@pytest.mark.parametrize("kind", ["http500", "truncated", "disconnect", "remote_error"])
def test_a_channel_that_is_down_loses_nothing(platform, taobao_shop, rules, kind):
    platform.live.backlog(120, 0.5)
    platform.faults.add({"kind": kind, "times": 9999})
    assert pulls.pull_shop(taobao_shop.pk) is not None
    synced = state(taobao_shop)
    assert (synced.cursor, synced.consecutive_failures, synced.error_kind) == (None, 1, ErrorKind.TEMPORARY)
    assert synced.last_error
    assert synced.next_attempt_at > timezone.now()
    assert SyncRun.objects.get().state == RunState.FAILED
    platform.faults.clear()
    assert pulls.pull_shop(taobao_shop.pk) is None
    pulls.pull_shop(taobao_shop.pk, force=True)
    assert stored() == visible(platform)
    assert state(taobao_shop).consecutive_failures == 0


def test_a_failure_in_the_middle_keeps_the_cursor_and_what_is_in(platform, taobao_shop, rules):
    platform.live.backlog(200, 0.4)
    platform.faults.add({"kind": "throttle", "method": FULL, "times": 1, "seconds": 1})
    run = sync.begin(taobao_shop)
    pages = run.pages()
    page = next(pages)
    deliveries.process(
        inbox.receive(shop=taobao_shop, source="poll", reader=page.reader, delivery_key=page.delivery_key,
                         body=page.body).pk, at_commit=run.cursor_mover(page),
    )  # fmt: skip
    platform.faults.add({"kind": "http500", "times": 9999})
    with pytest.raises(TemporaryError):
        list(pages)
    run.fail(TemporaryError("down"))
    assert state(taobao_shop).cursor == run.log.window_start + timedelta(minutes=30)
    some = stored()
    assert some
    assert some < visible(platform)
    platform.faults.clear()
    pulls.pull_shop(taobao_shop.pk, force=True)
    assert stored() == visible(platform)
    assert Order.objects.count() == len(visible(platform))


@pytest.mark.parametrize(("hours", "error"), [(48, ""), (None, ""), (1, "refused")])
def test_a_good_session_that_is_not_about_to_end_is_no_trouble(db, hours, error):
    shop = make_shop(platform="jd")
    ends = hours and timezone.now() + timedelta(hours=hours)
    ShopSync.objects.create(shop=shop, token_error="refused", token_expires_at=ends)
    health.record_success(shop, is_complete=True)
    assert state(shop).token_error == error


def test_waits_grow_with_failures_and_end(taobao_shop, time_machine):
    time_machine.move_to(timezone.now(), tick=False)
    ShopSync.objects.create(shop=taobao_shop)
    waits = []
    for _ in range(8):
        health.record_failure(taobao_shop, TemporaryError("down"))
        waits.append(round((state(taobao_shop).next_attempt_at - timezone.now()).total_seconds()))
    assert waits == [30, 60, 120, 240, 300, 300, 300, 300]


def test_a_run_that_read_something_before_it_failed_is_no_further_failure(platform, taobao_shop, rules):
    platform.live.backlog(200, 0.4)
    for _ in range(3):
        run = sync.begin(taobao_shop, force=True)
        next(pages := run.pages())
        next(pages)
        run.fail(TemporaryError("down"))
        assert state(taobao_shop).consecutive_failures == 1


def test_a_ban_sets_the_next_attempt(platform, taobao_shop, rules, monkeypatch):
    platform.live.make(1)
    platform.faults.add({"kind": "throttle", "times": 99, "seconds": 3600})
    pulls.pull_shop(taobao_shop.pk)
    synced = state(taobao_shop)
    assert synced.error_kind == ErrorKind.THROTTLED
    assert 3500 < (synced.next_attempt_at - timezone.now()).total_seconds() <= 3600


@pytest.mark.parametrize(
    ("scope", "error", "moves", "orders"),
    [("api", "", True, 5), ("app_api", "", True, 5), ("app", ErrorKind.THROTTLED, False, 0)],
)
def test_a_used_up_limit_on_the_refund_list_alone_stops_no_orders(
    platform, taobao_shop, rules, scope, error, moves, orders
):
    platform.faults.add({"kind": "throttle", "method": refunds.METHOD, "scope": scope, "times": 99, "seconds": 3600})
    for count in (2, 3):
        platform.live.make(count)
        pulls.pull_shop(taobao_shop.pk, force=True)
    synced = state(taobao_shop)
    assert (synced.error_kind, synced.cursor is not None, Order.objects.count()) == (error, moves, orders)
    assert platform.faults.listing()[0]["fired"] == 1


def test_a_refused_session_is_looked_at_again_now_and_then_by_the_pull_alone(platform, taobao_shop, rules):
    platform.live.make(2)
    platform.faults.add({"kind": "expired_token", "times": 2})
    pulls.pull_shop(taobao_shop.pk)
    assert sync.begin(taobao_shop) is None
    with time_machine.travel(timezone.now() + timedelta(seconds=31), tick=True):
        pulls.pull_shop(taobao_shop.pk)
        assert (state(taobao_shop).error_kind, state(taobao_shop).consecutive_failures) == ("authorisation", 2)
        assert not health.is_open(state(taobao_shop), taobao_shop)
    with time_machine.travel(timezone.now() + timedelta(seconds=100), tick=True):
        assert not health.is_open(state(taobao_shop), taobao_shop)
        pulls.pull_shop(taobao_shop.pk)
    assert (state(taobao_shop).token_state, state(taobao_shop).last_error) == (TokenState.VALID, "")
    assert Order.objects.count() == 2


def test_an_expired_session_is_tried_at_once_with_new_credentials(platform, taobao_shop, rules):
    platform.live.make(2)
    platform.faults.add({"kind": "expired_token", "times": 1})
    pulls.pull_shop(taobao_shop.pk)
    synced = state(taobao_shop)
    assert (synced.error_kind, synced.token_state) == (ErrorKind.AUTHORISATION, TokenState.REFUSED)
    assert sync.begin(taobao_shop) is None
    taobao_shop.credentials = {**taobao_shop.credentials, "note": "renewed"}
    taobao_shop.save()
    assert selectors.due_shops() == [taobao_shop.pk]
    pulls.pull_shop(taobao_shop.pk)
    assert (state(taobao_shop).token_state, Order.objects.count()) == (TokenState.VALID, 2)


def test_a_wrong_secret_and_a_wrong_clock_need_a_person(platform, taobao_shop, rules):
    taobao_shop.credentials = {**taobao_shop.credentials, "app_secret": "wrong"}
    taobao_shop.save()
    pulls.pull_shop(taobao_shop.pk)
    assert state(taobao_shop).error_kind == ErrorKind.PERMANENT
    assert sync.begin(taobao_shop) is None


def test_a_failure_of_the_hub_itself_tells_no_details(taobao_shop):
    ShopSync.objects.create(shop=taobao_shop)
    sentence = health.record_failure(taobao_shop, RuntimeError("password=hunter2"))
    assert "RuntimeError" in sentence
    assert "hunter2" not in sentence


def test_an_unknown_platform_is_shown_and_does_not_crash(db):
    shop = Shop.objects.create(code="mars", name="Mars", platform="mars")
    assert sync.begin(shop) is None
    assert "mars" in state(shop).last_error
    assert [(h.shop.code, h.tone, h.is_known) for h in selectors.sync_health()] == [("mars", "stopped", False)]
    assert selectors.due_shops() == []


def test_a_shop_that_sends_by_itself_is_not_pulled(db):
    shop = Shop.objects.create(code="f", name="F", platform="file")
    assert sync.begin(shop) is None
    assert not ShopSync.objects.exists()


def test_a_bad_order_is_rejected_once_and_the_others_go_in(platform, taobao_shop, rules):
    made = platform.live.make(3)
    order = platform.store.get(made[0])
    order.draft["lines"][0]["quantity"] = 0
    platform.store.save(order)
    pulls.pull_shop(taobao_shop.pk)
    platform.live.make(1)
    pulls.pull_shop(taobao_shop.pk)
    assert Order.objects.count() == 3
    reject = Reject.objects.get()
    assert (reject.external_no, reject.field_path) == (made[0], "orders.order[0].num")


def test_the_cursor_never_moves_back(taobao_shop):
    now = timezone.now()
    ShopSync.objects.create(shop=taobao_shop, cursor=now)
    with connection.cursor() as cursor:
        sync.move_cursor(cursor, taobao_shop.pk, now - timedelta(hours=1))
    assert state(taobao_shop).cursor == now
    with connection.cursor() as cursor:
        sync.move_cursor(cursor, taobao_shop.pk, now + timedelta(hours=1))
    assert state(taobao_shop).cursor == now + timedelta(hours=1)


def test_a_run_without_an_end_is_noted_as_abandoned(platform, taobao_shop):
    now = timezone.now()
    dead = SyncRun.objects.create(shop=taobao_shop, window_start=now, window_end=now, started_at=now)
    sync.begin(taobao_shop).finish()
    dead.refresh_from_db()
    assert dead.state == RunState.ABANDONED
    assert dead.finished_at


def break_off(shop):
    """Begin a pull whose job is ended from outside; return whether one was due."""
    run = sync.begin(shop)
    if run:
        run._stack.close()
    return run is not None


def test_runs_that_are_broken_off_one_after_the_other_wait_longer_and_longer(taobao_shop, time_machine):
    time_machine.move_to(timezone.now(), tick=False)
    assert [break_off(taobao_shop), break_off(taobao_shop)] == [True, True]
    assert (state(taobao_shop).consecutive_failures, state(taobao_shop).error_kind) == (1, ErrorKind.TEMPORARY)
    assert state(taobao_shop).last_error == "上次拉取超时未完成，已被中止。"
    waits = []
    for _ in range(3):
        time_machine.shift(31 if not waits else 1)
        assert not break_off(taobao_shop)
        wait = round((state(taobao_shop).next_attempt_at - timezone.now()).total_seconds())
        time_machine.shift(wait - 1)
        assert not break_off(taobao_shop)
        time_machine.shift(1)
        assert break_off(taobao_shop)
        waits.append(wait)
    assert waits == [60, 120, 240]


def test_a_person_needs_not_wait_after_a_run_that_was_broken_off(taobao_shop):
    for _ in range(3):
        sync.begin(taobao_shop, force=True)._stack.close()
    assert state(taobao_shop).consecutive_failures == 2


def test_people_can_have_a_shop_tried_at_once(platform, taobao_shop, rules):
    ShopSync.objects.create(shop=taobao_shop)
    health.record_failure(taobao_shop, HubError("no permission"))
    assert sync.begin(taobao_shop) is None
    assert health.try_again(shop_ids=[taobao_shop.pk], actor="boss") == 1
    run = sync.begin(taobao_shop)
    assert run is not None
    run.finish()


def test_the_number_of_queries_does_not_grow_with_the_shops(db, django_assert_num_queries):
    for number in range(3):
        shop = Shop.objects.create(code=f"s{number}", name="S", platform="taobao")
        ShopSync.objects.create(shop=shop, cursor=timezone.now())
        with django_assert_num_queries(1):
            assert len(selectors.sync_health()) == number + 1
        with django_assert_num_queries(1):
            assert len(selectors.due_shops()) == number + 1


KILLED = """
import django, os, sys
django.setup()
from django.conf import settings
settings.DATABASES["default"]["NAME"] = {name!r}
settings.TAOBAO_GATEWAY_URL = {url!r}
from orderhub import pulls
done = pulls.process
def process(item_id, **kwargs):
    result = done(item_id, **kwargs)
    print("page", flush=True)
    sys.stdin.readline()
    return result
pulls.process = process
pulls.pull_shop({shop})
"""


@pytest.mark.django_db(transaction=True)
def test_a_run_killed_in_the_middle_is_repeated_and_doubles_nothing(platform, taobao_shop, rules):
    platform.live.backlog(220, 0.4)
    script = KILLED.format(
        name=connection.settings_dict["NAME"], url=f"{platform.url}/router/rest", shop=taobao_shop.pk
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    with running(script, stdin=subprocess.PIPE, env=environment) as child:
        while child.stdout.readline().strip() != "page":
            assert child.poll() is None
        child.send_signal(signal.SIGKILL)
        child.communicate()
    some = stored()
    assert some
    assert some < visible(platform)
    assert state(taobao_shop).cursor is None
    assert pulls.pull_shop(taobao_shop.pk) is None
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orderhub_lease SET until = now() - interval '1 second'")
    pulls.pull_shop(taobao_shop.pk)
    assert stored() == visible(platform)
    assert Order.objects.count() == len(visible(platform))
    assert set(SyncRun.objects.values_list("state", flat=True)) == {RunState.ABANDONED, RunState.DONE}
    with leases.hold(f"pull:{taobao_shop.pk}", 1) as lease:
        assert lease is not None
