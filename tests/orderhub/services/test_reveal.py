import pytest
from django.core.exceptions import PermissionDenied

from orderhub.core.errors import HubError
from orderhub.models import Reveal
from orderhub.services.reveal import reveal
from tests.factories import make_order, make_user

pytestmark = pytest.mark.django_db
RIGHT = "orderhub.reveal_personal_data"


def test_a_reveal_shows_the_receiver_and_leaves_who_when_and_why():
    order, user = make_order(name="李雷", phone="13912345678"), make_user("anna", RIGHT)
    shown = reveal(order_id=order.pk, user=user, reason="客户来电核对", place="desk")
    assert (shown["name"], shown["phone"]) == ("李雷", "13912345678")
    assert Reveal.objects.values_list("order_id", "user__username", "reason", "place").get() == (
        order.pk, "anna", "客户来电核对", "desk",
    )  # fmt: skip


def test_without_permission_nothing_is_shown_or_logged():
    with pytest.raises(PermissionDenied):
        reveal(order_id=make_order().pk, user=make_user("bob"), reason="because", place="desk")
    assert Reveal.objects.count() == 0


def test_without_a_reason_nothing_is_shown():
    with pytest.raises(HubError, match=r"reason|理由"):
        reveal(order_id=make_order().pk, user=make_user("anna", RIGHT), reason="  ", place="desk")
    assert Reveal.objects.count() == 0


def test_the_quota_of_an_hour_holds(settings):
    settings.HUB_REVEALS_PER_HOUR = 2
    order, user = make_order(), make_user("anna", RIGHT)
    for _ in range(2):
        reveal(order_id=order.pk, user=user, reason="check", place="desk")
    with pytest.raises(HubError):
        reveal(order_id=order.pk, user=user, reason="check", place="desk")
    assert Reveal.objects.count() == 2
