import threading
import uuid
from datetime import timedelta

import pytest
from django.db import DataError, connection
from django.utils import timezone

from orderhub.core.effects import effect_handlers
from orderhub.core.errors import HubError, TemporaryError
from orderhub.models import Effect, TimelineEntry
from orderhub.services import outbox
from orderhub.services.outbox import NewEffect
from tests.factories import make_order

NOW = timezone.now()


def seconds_to(moment):
    """Return the seconds from the server's now, which stands still within a test's transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        return round((moment - cursor.fetchone()[0]).total_seconds(), 3)


class Handler:
    concurrency = 4

    def __init__(self):
        self.sent, self.settled, self.answer, self.unwanted = [], [], "ok", set()
        self.gate = None

    def prepare(self, jobs):
        return {job.effect_id: job for job in jobs if job.key not in self.unwanted}

    def send(self, job):
        if self.gate:
            self.gate()
        self.sent.append(job.key)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def give_up(self, dead):
        self.given_up = [(job.key, str(error)) for job, error in dead]

    def settle(self, done):
        self.settled += [(job.key, answer) for job, answer in done]


@pytest.fixture
def handler(monkeypatch):
    made = Handler()
    monkeypatch.setitem(effect_handlers._items, "test", made)
    return made


def add(*keys, due=NOW):
    order = make_order()
    with connection.cursor() as cursor:
        outbox.add_effects(cursor, [NewEffect(order.shop_id, order.pk, "test", key, due) for key in keys])
    return order


def drain():
    return outbox.drain(kinds=["test"])


@pytest.mark.django_db
def test_a_due_effect_is_sent_once_and_settled(handler):
    add("a", "b")
    assert (drain().done, drain().done) == (2, 0)
    assert sorted(handler.sent) == ["a", "b"]
    assert sorted(handler.settled) == [("a", "ok"), ("b", "ok")]
    assert set(Effect.objects.values_list("state", "attempts")) == {("done", 1)}


@pytest.mark.django_db(transaction=True)
def test_a_send_that_asks_the_database_leaves_no_connection(handler):
    made = []

    def ask():
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        made.append(connection.connection)

    handler.gate = ask
    add("a", "b")
    assert drain().done == 2
    assert [found.closed for found in made] == [True, True]


@pytest.mark.django_db
def test_an_effect_that_is_not_due_waits(handler):
    add("later", due=NOW + timedelta(days=1))
    assert drain().total == 0
    assert handler.sent == []


@pytest.mark.django_db
def test_the_same_key_is_one_effect_and_a_cancelled_one_can_be_wanted_again(handler):
    order = add("a")
    handler.unwanted = {"a"}
    assert drain().cancelled == 1
    handler.unwanted = set()
    with connection.cursor() as cursor:
        for _ in range(2):
            outbox.add_effects(cursor, [NewEffect(order.shop_id, order.pk, "test", "a", NOW)])
    assert drain().done == 1
    with connection.cursor() as cursor:
        outbox.add_effects(cursor, [NewEffect(order.shop_id, order.pk, "test", "a", NOW)])
    assert drain().total == 0
    assert handler.sent == ["a"]


def want(order, due):
    with connection.cursor() as cursor:
        outbox.add_effects(cursor, [NewEffect(order.shop_id, order.pk, "test", "a", due, {"later": True})])
    return Effect.objects.values_list("state", "due_at", "payload", "finished_at").get()


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds", "wins"), [(-1, True), (0, False), (1, False)])
def test_an_effect_that_was_not_tried_is_sent_at_the_earlier_of_two_times(seconds, wins):
    first = NOW + timedelta(minutes=10)
    order, second = add("a", due=first), first + timedelta(seconds=seconds)
    assert want(order, second) == ("pending", second if wins else first, None, None)


@pytest.mark.django_db
@pytest.mark.parametrize("change", [{"attempts": 1}, {"last_error": "the session is refused"}, {"state": "done"},
                                    {"state": "dead"}])  # fmt: skip
def test_the_pause_after_an_answer_and_what_is_over_stay_as_they_are(change):
    order, first = add("a", due=NOW + timedelta(minutes=10)), NOW + timedelta(minutes=10)
    Effect.objects.update(**change)
    assert want(order, NOW) == (change.get("state", "pending"), first, None, None)


@pytest.mark.django_db
def test_an_effect_that_is_wanted_again_after_it_was_looked_at_is_not_cancelled(handler, monkeypatch):
    order = add("a", "b")

    def late(jobs):
        with connection.cursor() as cursor:
            outbox.add_effects(cursor, [NewEffect(order.shop_id, order.pk, "test", "a", NOW - timedelta(seconds=1))])
        return {}

    with monkeypatch.context() as patch:
        patch.setattr(handler, "prepare", late)
        assert drain().cancelled == 1
    assert dict(Effect.objects.values_list("key", "state")) == {"a": "pending", "b": "cancelled"}
    assert drain().done == 1
    assert handler.sent == ["a"]


@pytest.mark.django_db
def test_an_effect_that_is_wanted_again_while_it_is_sent_is_sent_once(handler, monkeypatch):
    order = add("a")
    prepare = handler.prepare

    def late(jobs):
        with connection.cursor() as cursor:
            outbox.add_effects(cursor, [NewEffect(order.shop_id, order.pk, "test", "a", NOW - timedelta(seconds=1))])
        return prepare(jobs)

    monkeypatch.setattr(handler, "prepare", late)
    assert (drain().done, drain().total) == (1, 0)
    assert (handler.sent, Effect.objects.get().state) == (["a"], "done")


@pytest.mark.django_db
@pytest.mark.parametrize("answer", [HubError("no such address"), TemporaryError("502")])
def test_an_effect_that_is_wanted_again_while_it_is_refused_gets_fresh_tries(handler, monkeypatch, answer):
    order = add("a", "b")
    Effect.objects.update(attempts=outbox.MAX_ATTEMPTS - 1)
    prepare, handler.answer = handler.prepare, answer

    def late(jobs):
        with connection.cursor() as cursor:
            outbox.add_effects(cursor, [NewEffect(order.shop_id, order.pk, "test", "a", NOW - timedelta(seconds=1))])
        return prepare(jobs)

    with monkeypatch.context() as patch:
        patch.setattr(handler, "prepare", late)
        result = drain()
    assert (result.retried, result.dead, handler.given_up) == (1, 1, [("b", str(answer))])
    again = Effect.objects.get(key="a")
    assert (again.state, again.attempts, again.finished_at) == ("pending", 0, None)
    assert again.due_at == NOW - timedelta(seconds=1)
    handler.answer = "ok"
    assert (drain().done, handler.settled) == (1, [("a", "ok")])


@pytest.mark.django_db
def test_a_temporary_failure_waits_longer_each_time_and_dies_in_the_end(handler):
    add("a")
    handler.answer = TemporaryError("warehouse answers 502")
    waits = []
    for _ in range(outbox.MAX_ATTEMPTS):
        drain()
        effect = Effect.objects.get()
        waits.append(seconds_to(effect.due_at))
        Effect.objects.update(due_at=NOW)
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, *[900] * 12]
    assert (effect.state, effect.attempts, effect.last_error) == ("dead", 20, "warehouse answers 502")


@pytest.mark.django_db
@pytest.mark.parametrize(("asked", "pause"), [(None, 60), (7.0, 7)])
def test_what_concerns_the_whole_shop_costs_an_effect_no_try(handler, asked, pause):
    add("a")
    handler.answer = HubError("the session is refused", retry_after=asked)
    handler.answer.concerns_all = True
    for _ in range(outbox.MAX_ATTEMPTS + 1):
        drain()
        effect = Effect.objects.get()
        assert seconds_to(effect.due_at) == pause
        Effect.objects.update(due_at=NOW)
    assert (effect.state, effect.attempts, effect.last_error) == ("pending", 0, "the session is refused")


@pytest.mark.django_db
def test_what_a_shop_is_refused_as_a_whole_is_not_asked_for_each_of_its_effects(handler):
    add("a", "b", "c")
    Effect.objects.filter(key="c").update(due_at=NOW + timedelta(days=1))
    handler.answer = HubError("the session is refused", retry_after=300)
    handler.answer.concerns_all = True
    assert outbox.drain(limit=1, kinds=["test"]).retried == 1
    refused = Effect.objects.get(key=handler.sent[0])
    other = Effect.objects.filter(key__in="ab").exclude(pk=refused.pk).get()
    assert (other.due_at, other.last_error, other.attempts) == (refused.due_at, "", 0)
    assert Effect.objects.values_list("due_at", "last_error").get(key="c") == (NOW + timedelta(days=1), "")
    handler.answer = "ok"
    add("d")  # of another shop
    assert (drain().done, handler.sent[1:]) == (1, ["d"])


@pytest.mark.django_db
def test_other_kinds_of_a_refused_shop_go_on(handler, monkeypatch):
    order = add("a")
    monkeypatch.setitem(effect_handlers._items, "other", handler)
    with connection.cursor() as cursor:
        outbox.add_effects(cursor, [NewEffect(order.shop_id, order.pk, "other", "b", NOW)])
    handler.answer = HubError("the session is refused")
    handler.answer.concerns_all = True
    drain()
    handler.answer = "ok"
    assert outbox.drain(kinds=["test", "other"]).done == 1
    assert handler.sent == ["a", "b"]


@pytest.mark.django_db
def test_a_permanent_failure_is_a_dead_letter_that_a_person_can_retry(handler):
    add("a")
    handler.answer = HubError("unknown item code", permanent=True)
    assert drain().dead == 1
    handler.answer = "ok"
    assert outbox.retry_dead(effect_ids=[Effect.objects.get().pk], actor="boss") == 1
    assert drain().done == 1


@pytest.mark.django_db
def test_a_retry_stands_once_in_the_timeline_of_each_order_with_who_and_what(handler, django_assert_num_queries):
    first, second = add("a", "b"), add("c")
    Effect.objects.filter(key="b").update(kind="memo")
    Effect.objects.update(state="dead")
    Effect.objects.create(shop=first.shop, kind="stock", key="s", state="dead", due_at=NOW, created_at=NOW)
    add("d")
    effect_ids = list(Effect.objects.values_list("pk", flat=True))
    with django_assert_num_queries(3):  # two are the savepoint's; COPY is not counted
        assert outbox.retry_dead(effect_ids=effect_ids, actor="boss") == 4
    told = TimelineEntry.objects.order_by("order_id").values_list("order_id", "kind", "source", "actor", "data")
    assert list(told) == [
        (first.pk, "retried", "person", "boss", {"effects": ["memo", "test"]}),
        (second.pk, "retried", "person", "boss", {"effects": ["test"]}),
    ]
    assert outbox.retry_dead(effect_ids=[1], actor="boss") == 0
    assert TimelineEntry.objects.count() == 2


@pytest.mark.django_db
def test_what_there_is_no_time_left_to_send_waits_and_that_is_no_try(handler, monkeypatch):
    handler.concurrency = 1
    monkeypatch.setattr(outbox, "SEND_SECONDS", 60)
    monkeypatch.setattr(outbox, "time", clock := Clock())
    handler.gate = lambda: clock.pass_by(35)
    add("a", "b", "c")
    assert (drain().done, handler.sent) == (2, ["a", "b"])
    assert Effect.objects.values_list("state", "attempts", "lease_token").get(key="c") == ("pending", 0, None)
    assert (drain().done, handler.sent) == (1, ["a", "b", "c"])


class Clock:
    """Time that passes only when it is told to."""

    now = 0.0

    def monotonic(self):
        return self.now

    def pass_by(self, seconds):
        self.now += seconds


@pytest.mark.django_db
def test_what_is_wanted_again_while_it_is_refused_is_sent_anew(handler):
    order = add("a")

    def meanwhile():
        with connection.cursor() as cursor:
            outbox.try_again(cursor, kind="test", order_ids=[order.pk])

    handler.concurrency, handler.answer = 1, HubError("a refund is open", permanent=True)
    leased = outbox._lease("test", 1, uuid.uuid4())
    meanwhile()
    with connection.cursor() as cursor:
        assert outbox.put_off(cursor, [(job, handler.answer) for job in leased]) == []
    assert Effect.objects.values_list("state", "attempts").get() == ("pending", 0)


@pytest.mark.django_db
def test_the_wait_that_the_other_side_asks_for_is_kept(handler):
    add("a")
    handler.answer = TemporaryError("slow down", retry_after=300)
    drain()
    assert seconds_to(Effect.objects.get().due_at) == 300


@pytest.mark.django_db
def test_a_defect_in_a_handler_is_a_failure_like_any_other(handler):
    add("a")
    handler.answer = KeyError("boom")
    assert drain().retried == 1
    assert Effect.objects.get().last_error == "KeyError"


@pytest.mark.django_db
def test_an_effect_that_cannot_be_prepared_holds_up_no_other(handler, monkeypatch):
    usual = handler.prepare

    def prepare(jobs):
        if any(job.key == "b" for job in jobs):
            raise DataError("timestamp too small")
        return usual(jobs)

    monkeypatch.setattr(handler, "prepare", prepare)
    add("a", "b", "c")
    result = drain()
    assert (result.done, result.retried, result.errors) == (2, 1, ["DataError"])
    assert Effect.objects.values_list("state", "attempts", "last_error").get(key="b") == ("pending", 1, "DataError")


@pytest.mark.django_db
def test_a_final_failure_that_cannot_be_written_down_holds_up_no_other(handler, monkeypatch):
    told = []

    def give_up(dead):
        if any(job.key == "b" for job, _error in dead):
            connection.cursor().execute("SELECT 1 / 0")
        told.extend(job.key for job, _error in dead)

    monkeypatch.setattr(handler, "give_up", give_up)
    add("a", "b", "c")
    Effect.objects.exclude(key="c").update(
        state="sending", attempts=outbox.MAX_LOST, leased_until=NOW - timedelta(seconds=1)
    )
    assert (drain().done, told) == (1, ["a"])
    assert list(Effect.objects.order_by("key").values_list("state", flat=True)) == ["dead", "dead", "done"]


@pytest.mark.django_db
def test_an_effect_whose_worker_died_is_taken_up_when_the_lease_is_over(handler):
    add("a")
    Effect.objects.update(state="sending", attempts=1, leased_until=NOW + timedelta(days=1))
    assert drain().total == 0
    Effect.objects.update(leased_until=NOW - timedelta(seconds=1))
    assert drain().done == 1
    assert Effect.objects.get().attempts == 2


@pytest.mark.django_db
def test_an_effect_that_kills_its_worker_is_set_aside(handler):
    add("a")
    Effect.objects.update(state="sending", attempts=outbox.MAX_LOST, leased_until=NOW - timedelta(seconds=1))
    drain()
    effect = Effect.objects.get()
    assert (effect.state, effect.last_error, handler.sent) == ("dead", "its worker ended without an answer", [])
    assert handler.given_up == [("a", "its worker ended without an answer")]


@pytest.mark.django_db
def test_no_more_is_taken_up_than_can_run_into_its_deadline_in_time(handler, settings):
    settings.OUTBOUND_TIMEOUT_SECONDS = 10
    add(*(f"k{n}" for n in range(20)))
    assert (drain().done, drain().done) == (16, 4)


@pytest.mark.django_db
def test_one_lost_worker_after_answers_sets_nothing_aside(handler):
    add("a")
    Effect.objects.update(
        state="sending", attempts=outbox.MAX_LOST, last_error="502", leased_until=NOW - timedelta(seconds=1)
    )
    assert drain().done == 1


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_lost_its_lease_settles_nothing(handler):
    add("a")

    def another_worker_takes_over():
        Effect.objects.update(lease_token=uuid.uuid4())
        connection.close()

    handler.gate = another_worker_takes_over
    assert drain().done == 0
    assert (handler.settled, Effect.objects.get().state) == ([], "sending")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", ["prepare", "settle"])
def test_a_connection_that_is_lost_before_or_after_the_sending_costs_no_second_one(handler, monkeypatch, step):
    add("a", "b")
    usual, lost = getattr(handler, step), []

    def losing(jobs):
        if not lost:
            lost.append(step)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return usual(jobs)

    monkeypatch.setattr(handler, step, losing)
    result = drain()
    assert (result.done, sorted(handler.sent), sorted(handler.settled)) == (2, ["a", "b"], [("a", "ok"), ("b", "ok")])
    assert set(Effect.objects.values_list("state", "attempts")) == {("done", 1)}


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_send_each_effect_once(handler):
    add(*[f"k{number}" for number in range(40)])
    barrier = threading.Barrier(2)

    def work():
        barrier.wait()
        try:
            while drain().total:
                pass
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(handler.sent) == sorted(f"k{number}" for number in range(40))


@pytest.mark.django_db
def test_a_handler_gets_the_payload_as_it_was_added(handler, monkeypatch):
    order = make_order()
    seen = []
    monkeypatch.setattr(handler, "prepare", lambda jobs: seen.extend(job.payload for job in jobs) or {})
    told = {"remark": "改发顺丰", "before": [["", "none"]]}
    with connection.cursor() as cursor:
        outbox.add_effects(cursor, [NewEffect(order.shop_id, order.pk, "test", "a", NOW, told)])
    assert drain().cancelled == 1
    assert seen == [told]
