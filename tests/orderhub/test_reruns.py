import orjson
import pytest

from orderhub.core.errors import HubError
from orderhub.deliveries import drain_inbox
from orderhub.models import InboxItem, Order, Reject
from orderhub.reruns import rerun_reject
from orderhub.services.rejects import dismiss, note_try
from tests.channels_sync.world import hub_and_platforms
from tests.drafts import deliver, draft
from tests.factories import make_shop

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rules")]


@pytest.fixture
def shop():
    return make_shop("flagship", merge_window_seconds=600)


def test_a_repaired_reject_can_be_run_again(shop):
    deliver(shop, draft("T2", total_fen=-5))
    reject = Reject.objects.get()
    assert not rerun_reject(reject.pk, "boss")
    reject.refresh_from_db()
    assert (reject.state, reject.attempts) == ("open", 2)
    reject.raw_row = orjson.dumps(draft("T2"))
    reject.save()
    assert rerun_reject(reject.pk, "boss")
    reject.refresh_from_db()
    assert (reject.state, reject.closed_by, Order.objects.count()) == ("taken", "boss", 1)


def test_a_row_that_is_set_aside_is_not_tried_again(shop):
    deliver(shop, draft("T2", total_fen=-5))
    reject = Reject.objects.get()
    reject.raw_row = orjson.dumps(draft("T2"))
    reject.save()
    dismiss(reject_id=reject.pk, actor="boss", reason="test data")
    with pytest.raises(HubError):
        rerun_reject(reject.pk, "agent")
    note_try(reject_id=reject.pk, actor="agent", refused=None)
    reject.refresh_from_db()
    assert (reject.state, reject.closed_by, reject.attempts) == ("dismissed", "boss: test data", 1)
    assert not Order.objects.exists()


def test_an_order_that_its_platform_refused_to_show_is_asked_for_again(settings):
    with hub_and_platforms(settings, "jd") as world:
        (number,) = world.sandbox.live.make(1)
        reject = Reject(shop=world.shops["jd"], external_no=number, reason="JD refuses the details: busy")
        reject.raw_row = orjson.dumps({"orderId": number, "hub_refused": "busy"})
        reject.save()
        assert [rerun_reject(reject.pk, "boss") for _ in range(2)] == [None, None]
        assert list(InboxItem.objects.values_list("headers", flat=True)) == [{"numbers": [number]}]
        drain_inbox()
    reject.refresh_from_db()
    assert (reject.state, reject.attempts, reject.closed_by) == ("taken", 3, "intake:event")
    assert Order.objects.get().external_no == number
