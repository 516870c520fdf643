import threading

import pytest
from django.db import connection
from django.utils import timezone

from channels_sync.connectors.base import connectors
from channels_sync.models import ShopSync, SyncRun
from channels_sync.services import events, health
from orderhub import deliveries
from orderhub.models import InboxItem, Order, Shop
from orderhub.schedules import JOBS, take_events
from tests.factories import make_shop

CONSUME, CONFIRM = "taobao.tmc.messages.consume", "taobao.tmc.messages.confirm"


def drained():
    while deliveries.drain_inbox(50):
        pass


def waiting(platform):
    return len(platform.store.query("SELECT 1 FROM orders WHERE shop = 'taobao' AND pushed < revision"))


def runs():
    return list(SyncRun.objects.filter(kind="events").order_by("pk").values_list("state", "rows"))


def again():
    SyncRun.objects.update(started_at=timezone.now() - events.PAUSE)


def test_the_job_is_in_the_table_and_names_the_shops_that_keep_messages(taobao_shop):
    assert JOBS["events"].run is take_events
    make_shop("dy", platform="douyin")
    make_shop("off", platform="taobao", is_active=False)
    make_shop("without", platform="taobao", settings={"kept_events": False})
    assert events.shops() == [taobao_shop.pk]


def test_messages_are_stored_confirmed_and_their_orders_taken_in(platform, taobao_shop, rules):
    numbers = platform.live.make(8)
    assert events.take(taobao_shop.pk) == 8
    assert waiting(platform) == 0
    assert runs() == [("done", 8)]
    drained()
    assert set(Order.objects.values_list("external_no", flat=True)) == set(numbers)
    assert set(InboxItem.objects.values_list("source", "state")) == {("push", "done"), ("event", "done")}


def test_all_that_wait_are_fetched_call_by_call(platform, taobao_shop):
    platform.live.make(430)
    assert events.take(taobao_shop.pk) == 430
    assert InboxItem.objects.count() == 430
    assert waiting(platform) == 0


def test_nothing_waiting_leaves_no_trace(platform, taobao_shop):
    assert events.take(taobao_shop.pk) == 0
    assert runs() == []


def test_killed_between_the_commit_and_the_confirmation_nothing_doubles(platform, taobao_shop, rules, monkeypatch):
    numbers = platform.live.make(5)

    def killed(access, keys):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(connectors.get("taobao"), "confirm", killed)
        with pytest.raises(KeyboardInterrupt):
            events.take(taobao_shop.pk)
    assert (InboxItem.objects.count(), waiting(platform)) == (5, 5)
    drained()
    assert events.take(taobao_shop.pk) == 5
    drained()
    assert (InboxItem.objects.filter(source="push").count(), waiting(platform)) == (5, 0)
    assert sorted(Order.objects.values_list("external_no", flat=True)) == sorted(numbers)


@pytest.mark.parametrize("method", [CONSUME, CONFIRM])
@pytest.mark.parametrize("kind", ["http500", "truncated", "disconnect", "throttle", "remote_error"])
def test_a_failure_is_told_and_the_messages_come_again(platform, taobao_shop, kind, method):
    platform.live.make(3)
    platform.faults.add({"kind": kind, "method": method, "times": 3, "seconds": 1})
    events.take(taobao_shop.pk)
    if runs()[0][0] == "failed":
        assert SyncRun.objects.get().error
        assert events.take(taobao_shop.pk) is None
        platform.faults.clear()
        again()
        connection.cursor().execute("DELETE FROM channels_sync_callallowance")
        events.take(taobao_shop.pk)
    assert (InboxItem.objects.count(), waiting(platform)) == (3, 0)


def test_a_lost_answer_to_a_confirmation_doubles_nothing(platform, taobao_shop):
    platform.live.make(3)
    platform.faults.add({"kind": "answer_lost", "method": CONFIRM})
    events.take(taobao_shop.pk)
    assert (InboxItem.objects.count(), waiting(platform)) == (3, 0)


def test_messages_that_come_again_although_they_were_confirmed_end_the_run(platform, taobao_shop, monkeypatch):
    platform.live.make(3)
    monkeypatch.setattr(connectors.get("taobao"), "confirm", lambda access, keys: None)
    assert events.take(taobao_shop.pk) == 3
    assert InboxItem.objects.count() == 3


def test_a_refused_session_is_not_asked_for_again_before_somebody_changed_it(platform, taobao_shop):
    taobao_shop.credentials = {**taobao_shop.credentials, "session": "revoked"}
    taobao_shop.save()
    events.take(taobao_shop.pk)
    assert runs() == [("failed", 0)]
    ShopSync.objects.update_or_create(
        shop=taobao_shop, defaults={"error_kind": "authorisation", "failed_with": health.fingerprint(taobao_shop)}
    )
    again()
    assert events.take(taobao_shop.pk) is None
    assert len(runs()) == 1


def test_one_worker_a_shop(platform, taobao_shop):
    platform.live.make(2)
    with events.leases.hold(f"events:{taobao_shop.pk}", 60):
        assert events.take(taobao_shop.pk) is None
    assert events.take(taobao_shop.pk) == 2


def test_the_statements_of_a_round_do_not_grow_with_the_messages(platform, taobao_shop, django_assert_num_queries):
    events.take(taobao_shop.pk)
    counts = []
    for number in (1, 3):
        platform.live.make(number)
        with django_assert_num_queries(14, exact=False) as asked:
            assert events.take(taobao_shop.pk) == number
        counts.append(len(asked))
    assert counts[0] == counts[1]


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_store_each_message_once(transactional_db, platform, taobao_shop):
    platform.live.make(30)
    start, failures = threading.Barrier(2), []

    def work():
        try:
            start.wait(10)
            events.take(taobao_shop.pk)
        except Exception as error:  # noqa: BLE001  (told to the test)
            failures.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    events.take(taobao_shop.pk)
    assert failures == []
    assert (InboxItem.objects.count(), waiting(platform)) == (30, 0)
    assert Shop.objects.count() == 1
