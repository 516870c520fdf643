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
    InboxItem.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
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


def test_a_permanent_failure_is_set_aside_at_once(item):
    assert fail(item, HubError("no such order")).state == "dead"


def test_a_delivery_that_kills_its_workers_is_set_aside(item):
    InboxItem.objects.update(
        state="working", attempts=inbox.MAX_LOST, leased_until=timezone.now() - timedelta(seconds=1)
    )
    assert inbox.lease_waiting(1, min_age_seconds=0) == []
    row = InboxItem.objects.get()
    assert (row.state, row.last_error) == ("dead", "gave up: its worker ended without an answer")
