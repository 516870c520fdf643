import pytest

from orderhub.models import Order, Receiver
from orderhub.selectors.drafts import drafts_of
from tests.drafts import RECEIVER, deliver, draft
from tests.factories import make_shop

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rules")]


def test_an_order_whose_key_is_gone_is_left_out_and_the_others_come():
    deliver(make_shop("s"), draft("A"), draft("B"))
    lost, good = Order.objects.order_by("external_no")
    Receiver.objects.filter(order=lost).update(sealed=b"0" * 60)
    names = {pk: found.receiver.name for pk, found in drafts_of([lost.pk, good.pk]).items()}
    assert names == {good.pk: RECEIVER["name"]}
