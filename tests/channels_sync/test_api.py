from datetime import timedelta

import pytest
from django.utils import timezone

from channels_sync.api import sync_figures
from channels_sync.models import ShopSync
from tests.factories import make_shop

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("shops", [1, 3])
def test_lag_and_failures_of_shops_that_are_pulled(shops, django_assert_num_queries):
    make_shop("file-shop")
    make_shop("never", platform="taobao")
    for number in range(shops):
        ShopSync.objects.create(
            shop=make_shop(f"tb-{number}", platform="taobao"), cursor=timezone.now() - timedelta(seconds=90),
            consecutive_failures=number,
        )  # fmt: skip
    with django_assert_num_queries(1):
        lag, failures = sync_figures()
    assert [labels for labels, _value in lag.samples] == [(f"tb-{number}",) for number in range(shops)]
    assert all(80 < value < 100 for _labels, value in lag.samples)
    assert failures.samples == [(("never",), 0.0), *(((f"tb-{n}",), float(n)) for n in range(shops))]
