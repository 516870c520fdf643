import orjson
import pytest

from orderhub.models import Order, Reject
from orderhub.reruns import rerun_reject
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
