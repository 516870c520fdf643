from datetime import timedelta

import pytest
from django.utils import timezone

from channels_sync import selectors
from channels_sync.models import ShopSync
from channels_sync.services import sync
from orderhub.models import Reject
from orderhub.models.inbox import pack
from tests.factories import make_shop

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("wish", "seconds", "is_due"),
    [
        (5, 120, False), (5, 240, False), (5, 275, True), (99, 1740, False), (99, 1775, True),
        (1, 5, True), (None, 5, True), ("often", 5, True),
    ],
)  # fmt: skip
def test_a_shop_rests_between_two_pulls_as_long_as_it_wishes(wish, seconds, is_due):
    shop = make_shop("wx", platform="wechat", settings={"pull_minutes": wish})
    ShopSync.objects.create(shop=shop, last_attempt_at=timezone.now() - timedelta(seconds=seconds))
    assert selectors.due_shops() == ([shop.pk] if is_due else [])


def test_a_pull_that_was_asked_for_twice_rests_too_but_not_one_that_a_person_asks_for():
    shop = make_shop("wx", platform="wechat", settings={"pull_minutes": 5})
    sync.begin(shop).finish()
    assert sync.begin(shop) is None
    sync.begin(shop, force=True).finish()


def test_after_a_failure_the_wait_of_the_failure_counts():
    shop = make_shop("wx", platform="wechat", settings={"pull_minutes": 5})
    now = timezone.now()
    row = ShopSync.objects.create(shop=shop, last_attempt_at=now, consecutive_failures=1, next_attempt_at=now)
    assert selectors.due_shops() == [shop.pk]
    ShopSync.objects.filter(pk=row.pk).update(next_attempt_at=now + timedelta(minutes=1))
    assert selectors.due_shops() == []


def test_an_order_is_refused_in_the_version_that_its_reject_still_holds():
    shop, now = make_shop("tb", platform="taobao"), timezone.now()
    for number, stored in (("kept", pack(f"{now.timestamp():.0f}".encode())), ("erased", b""), ("sealed", b"\x01gone")):
        Reject.objects.create(shop=shop, external_no=number, reason="no", packed_row=stored)
    assert selectors.refused_versions(shop.pk, dict.fromkeys(("kept", "erased", "sealed"), now)) == {"kept"}
