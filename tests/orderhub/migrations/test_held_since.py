"""Orders that were held before it was kept since when."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.db import connection

from orderhub.models import Effect, Order, TimelineEntry
from tests.factories import START, make_order, make_shop

SINCE = import_module("orderhub.migrations.0020_held_since").SINCE


@pytest.mark.django_db
def test_the_popup_tells_since_when_an_order_is_held_else_the_timeline_else_the_judgement():
    shop, last = make_shop(), START + timedelta(hours=9)
    held = {"status": "in_triage_hold", "lane": "to_confirm", "triaged_at": last}
    asked, told, judged = (make_order(shop, external_no=number, **held) for number in "ABC")
    make_order(shop, external_no="D", status="ready", triaged_at=last)
    for order, hours in ((asked, 1), (told, 2), (told, 3)):
        at = START + timedelta(hours=hours)
        TimelineEntry.objects.create(shop=shop, order=order, at=at, kind="change", status_to="in_triage_hold")
    for state, hours in (("pending", 4), ("cancelled", 6)):
        confirm_by = (START + timedelta(hours=hours, minutes=30)).isoformat()
        Effect.objects.create(
            shop=shop, order=asked, kind="popup", key=state, state=state, payload={"confirm_by": confirm_by},
            due_at=START, created_at=START,
        )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(SINCE)
    assert dict(Order.objects.values_list("external_no", "held_since")) == {
        "A": START + timedelta(hours=4), "B": START + timedelta(hours=3), "C": last, "D": None,
    }  # fmt: skip
