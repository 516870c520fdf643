"""Orders of the last days that people had let go before it was kept in which lane they had been."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.db import connection
from django.utils import timezone

from orderhub.models import Order, TimelineEntry
from tests.factories import make_order

REMEMBER = import_module("orderhub.migrations.0019_worst_lane").REMEMBER


@pytest.mark.django_db
def test_the_timeline_tells_the_worst_lane_of_orders_of_the_last_days():
    now = timezone.now()
    for number, hours, lanes in (
        ("A", 1, ["to_confirm", "abnormal", "regular"]), ("B", 1, ["to_confirm", "regular"]), ("C", 1, ["regular"]),
        ("D", 72, ["abnormal", "regular"]),
    ):  # fmt: skip
        order = make_order(external_no=number, created_at=now - timedelta(hours=hours), lane=lanes[-1])
        for lane in lanes:
            TimelineEntry.objects.create(shop=order.shop, order=order, at=now, kind="change", data={"lane": lane})
    with connection.cursor() as cursor:
        cursor.execute(REMEMBER)
    assert dict(Order.objects.values_list("external_no", "worst_lane")) == {
        "A": "abnormal", "B": "to_confirm", "C": "", "D": "",
    }  # fmt: skip
