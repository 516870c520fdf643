from datetime import timedelta

import pytest
from django.utils import timezone

from orderhub.core.errors import HubError, TemporaryError
from orderhub.models import InboxItem
from orderhub.services import inbox
from tests.factories import make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def item():
    return inbox.receive(shop=make_shop("flagship"), source="push", reader="event", delivery_key="k", body=b"{}")


def fail(item, error):
    """Let a worker take the delivery up and give it back, and return its row."""
    InboxItem.objects.update(leased_until=timezone.now() - timedelta(minutes=1))
    assert inbox.lease_waiting(1, min_age_seconds=0) == [item.pk]
    inbox.give_back([item.pk], error)
    return InboxItem.objects.get(pk=item.pk)


def test_a_failure_that_passes_is_tried_for_a_while(item):
    for attempt in range(1, inbox.MAX_ATTEMPTS):
        row = fail(item, TemporaryError("502"))
        assert (row.state, row.attempts) == ("new", attempt)
    assert timedelta(seconds=290) < row.leased_until - timezone.now() <= timedelta(seconds=300)
    row = fail(item, TemporaryError("502"))
    assert (row.state, row.attempts, row.last_error) == ("dead", 12, "502")


def test_what_concerns_the_whole_shop_costs_no_try(item):
    error = HubError("the session is refused")
    error.concerns_all = True
    for _ in range(inbox.MAX_ATTEMPTS + 1):
        row = fail(item, error)
    assert (row.state, row.attempts, row.last_error) == ("new", 0, "the session is refused")


def test_what_concerns_the_whole_shop_keeps_its_other_pushes_waiting(item):
    def received(shop, key, reader):
        return inbox.receive(shop=shop, source="push", reader=reader, delivery_key=key, body=b"[]")

    other, told = received(item.shop, "other", "event"), received(item.shop, "told", "draft")
    stranger = received(make_shop(), "stranger", "event")
    error = HubError("the session is refused")
    error.concerns_all = True
    row = fail(item, error)
    assert InboxItem.objects.values_list("leased_until", "last_error", "attempts").get(pk=other.pk) == (
        row.leased_until, "", 0,
    )  # fmt: skip
    assert inbox.lease_waiting(9, min_age_seconds=0) == [told.pk, stranger.pk]


def test_a_permanent_failure_is_set_aside_at_once(item):
    assert fail(item, HubError("no such order")).state == "dead"


def test_one_lost_worker_after_answers_sets_nothing_aside(item):
    InboxItem.objects.update(
        state="working", attempts=inbox.MAX_LOST, last_error="502", leased_until=timezone.now() - timedelta(minutes=1)
    )
    assert inbox.lease_waiting(1, min_age_seconds=0) == [item.pk]


def test_what_was_given_back_waits_behind_others(item):
    other = inbox.receive(shop=item.shop, source="push", reader="draft", delivery_key="other", body=b"[]")
    now = timezone.now()
    InboxItem.objects.filter(pk=item.pk).update(
        received_at=now - timedelta(minutes=9), leased_until=now - timedelta(seconds=30), attempts=1
    )
    InboxItem.objects.filter(pk=other.pk).update(received_at=now - timedelta(minutes=1))
    assert inbox.lease_waiting(1, min_age_seconds=0) == [other.pk]


def test_an_order_to_be_fetched_later_waits_once_and_for_a_day(item):
    inbox.fetch_later(item.shop, ["A", "B"])
    inbox.fetch_later(item.shop, ["B", "C"])
    later = InboxItem.objects.filter(delivery_key__startswith="later:").order_by("pk")
    assert [row.headers["numbers"] for row in later] == [["A"], ["B"], ["C"]]
    InboxItem.objects.filter(pk=later[0].pk).update(state="working", attempts=inbox.MAX_ATTEMPTS)
    inbox.give_back([later[0].pk], TemporaryError("busy", retry_after=5))
    assert InboxItem.objects.get(pk=later[0].pk).state == "new"
    assert InboxItem.objects.get(pk=later[0].pk).leased_until > timezone.now() + timedelta(seconds=290)


@pytest.mark.parametrize(("attempts", "state"), [(50, "working"), (inbox.MAX_LATER, "dead")])
def test_a_lost_worker_does_not_shorten_the_day_of_an_order_to_be_fetched_later(item, attempts, state):
    inbox.fetch_later(item.shop, ["A"])
    InboxItem.objects.filter(delivery_key__startswith="later:").update(
        state="working", attempts=attempts, last_error="busy", leased_until=timezone.now() - timedelta(minutes=1)
    )
    inbox.lease_waiting(9, min_age_seconds=0)
    row = InboxItem.objects.get(delivery_key__startswith="later:")
    assert (row.state, row.leased_until > timezone.now()) == (state, state == "working")


def test_a_delivery_that_kills_its_workers_is_set_aside(item):
    InboxItem.objects.update(
        state="working", attempts=inbox.MAX_LOST, leased_until=timezone.now() - timedelta(minutes=1)
    )
    assert inbox.lease_waiting(1, min_age_seconds=0) == []
    row = InboxItem.objects.get()
    assert (row.state, row.last_error) == ("dead", "gave up: its worker ended without an answer")
