from datetime import timedelta

import pytest
from django.utils import timezone

from channels_sync import api
from channels_sync.api import sync_figures
from channels_sync.models import ShopSync
from channels_sync.selectors.silence import Flow
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


def test_what_a_channel_brings_of_what_it_should(monkeypatch):
    flows = [
        Flow(1, "a", "silent", timezone.now(), 10, 20.0, 1, "pattern"),
        Flow(2, "b", "ok", timezone.now(), 60, 12.0, 15, "pattern"),
        Flow(3, "c", "held", timezone.now(), 10, 0.0, 0),
        Flow(4, "d", "new", timezone.now(), 10, 0.0, 0),
    ]
    monkeypatch.setattr(api, "flows", lambda: flows)
    expected, seen, silent = api.flow_figures()
    assert expected.samples == [(("a",), 120.0), (("b",), 12.0)]
    assert seen.samples == [(("a",), 6.0), (("b",), 15.0)]
    assert silent.samples == [(("a",), 1.0), (("b",), 0.0)]
