import base64

import pytest
from django.core.exceptions import PermissionDenied

from orderhub.core.errors import HubError
from orderhub.models import Receiver, Reveal
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


def test_what_no_key_opens_is_logged_as_a_try_and_costs_no_quota(settings):
    order, user = make_order(), make_user("anna", RIGHT)
    keys, settings.HUB_REVEALS_PER_HOUR = settings.HUB_DATA_KEYS, 1
    settings.HUB_DATA_KEYS = [f"lost:{base64.b64encode(bytes(32)).decode()}"]
    for _ in range(2):
        with pytest.raises(HubError, match=r"key is missing|缺少数据密钥"):
            reveal(order_id=order.pk, user=user, reason="check", place="desk")
    settings.HUB_DATA_KEYS = keys
    reveal(order_id=order.pk, user=user, reason="check", place="desk")
    assert list(Reveal.objects.order_by("pk").values_list("reason", "shown")) == [
        ("check", False), ("check", False), ("check", True),
    ]  # fmt: skip


def test_an_erased_receiver_is_told_and_costs_no_quota():
    order = make_order()
    Receiver.objects.all().delete()
    with pytest.raises(HubError, match=r"was erased|已清除"):
        reveal(order_id=order.pk, user=make_user("anna", RIGHT), reason="check", place="desk")
    assert Reveal.objects.count() == 0
