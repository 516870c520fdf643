"""Orders that were in the middle of a refund before it was kept what lies under one."""

from importlib import import_module

import pytest
from django.db import connection

from orderhub.models import Order
from tests.factories import make_order

COVER = import_module("orderhub.migrations.0007_under_refund").COVER


@pytest.mark.django_db
def test_an_open_refund_covers_what_the_warehouse_said_last():
    make_order(external_no="A", status="refunding", warehouse_claim="packed")
    make_order(external_no="B", status="refunding")
    make_order(external_no="C", status="picking", warehouse_claim="picking")
    make_order(external_no="D", status="refunding", warehouse_claim="picking", under_refund="packed")
    with connection.cursor() as cursor:
        cursor.execute(COVER)
    assert dict(Order.objects.values_list("external_no", "under_refund")) == {
        "A": "packed", "B": "paid", "C": "", "D": "packed",
    }  # fmt: skip
