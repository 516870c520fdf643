import base64

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import PermissionDenied

from orderhub.core.errors import HubError
from orderhub.models import Reject
from orderhub.models.inbox import PayloadErasedError
from orderhub.services.rejects import dismiss, show_raw
from tests.factories import make_shop, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def reject():
    reject = Reject(shop=make_shop(), reason="no")
    reject.raw_row = b'{"phone": "13912345678"}'
    reject.save()
    return reject


def test_only_an_open_row_is_dismissed(reject):
    assert dismiss(reject_id=reject.pk, actor="me", reason="test data") is True
    assert dismiss(reject_id=reject.pk, actor="you", reason="again") is False
    reject.refresh_from_db()
    assert (reject.state, reject.closed_by) == ("dismissed", "me: test data")
    assert reject.closed_at is not None


def test_a_look_is_logged_before_it_is_shown(reject):
    user = make_user("", "orderhub.reveal_personal_data")
    assert show_raw(reject_id=reject.pk, user=user, reason="check it") == b'{"phone": "13912345678"}'
    assert LogEntry.objects.get().change_message == "raw row shown: check it"


def test_refusals_show_and_log_nothing(reject, settings):
    nobody, somebody = make_user(), make_user("", "orderhub.reveal_personal_data")
    with pytest.raises(PermissionDenied):
        show_raw(reject_id=reject.pk, user=nobody, reason="check it")
    with pytest.raises(HubError):
        show_raw(reject_id=reject.pk, user=somebody, reason=" ")
    settings.HUB_REVEALS_PER_HOUR = 0
    with pytest.raises(HubError):
        show_raw(reject_id=reject.pk, user=somebody, reason="check it")
    assert not LogEntry.objects.exists()


def test_a_row_that_was_erased_is_told_and_no_look(reject):
    Reject.objects.update(packed_row=b"")
    user = make_user("", "orderhub.reveal_personal_data")
    with pytest.raises(PayloadErasedError):
        show_raw(reject_id=reject.pk, user=user, reason="check it")
    assert not LogEntry.objects.exists()


def test_a_row_that_no_key_opens_is_logged_as_a_try_and_costs_no_quota(reject, settings):
    user = make_user("", "orderhub.reveal_personal_data")
    keys, settings.HUB_REVEALS_PER_HOUR = settings.HUB_DATA_KEYS, 1
    settings.HUB_DATA_KEYS = [f"lost:{base64.b64encode(bytes(32)).decode()}"]
    for _ in range(2):
        with pytest.raises(HubError, match=r"key is missing|缺少数据密钥"):
            show_raw(reject_id=reject.pk, user=user, reason="check it")
    settings.HUB_DATA_KEYS = keys
    show_raw(reject_id=reject.pk, user=user, reason="check it")
    told = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    assert list(told) == ["raw row not readable: check it"] * 2 + ["raw row shown: check it"]
