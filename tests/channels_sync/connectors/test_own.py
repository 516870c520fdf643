"""Shops that push or come as files: known, shown as idle, never pulled."""

import pytest

from channels_sync.connectors.base import connectors
from channels_sync.selectors import due_shops, sync_health
from orderhub import pulls
from orderhub.models import InboxItem
from tests.factories import make_shop

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("platform", ["own", "file"])
def test_a_shop_without_a_channel_to_ask_is_idle_and_never_due(platform):
    shop = make_shop(platform=platform)
    assert not connectors.get(platform).pulls
    assert connectors.get(platform).credential_fields == ()
    assert due_shops() == []
    assert [(health.shop, health.tone) for health in sync_health()] == [(shop, "idle")]


@pytest.mark.parametrize("platform", ["own", "file"])
def test_a_pull_by_hand_asks_nobody(platform):
    assert pulls.pull_shop(make_shop(platform=platform).pk, force=True) is None
    assert InboxItem.objects.count() == 0
