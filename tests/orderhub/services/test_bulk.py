import pytest
from django.db import connection

from orderhub.models import Sku, StockLevel
from orderhub.services.bulk import take_ids

pytestmark = pytest.mark.django_db


def test_ids_are_those_that_the_table_would_give_next():
    before = StockLevel.objects.create(sku="A", warehouse="HZ").pk
    with connection.cursor() as cursor:
        assert take_ids(cursor, StockLevel, 3) == [before + 1, before + 2, before + 3]
        assert take_ids(cursor, StockLevel, 1) == [before + 4]
    assert StockLevel.objects.create(sku="B", warehouse="HZ").pk == before + 5


def test_no_ids_are_no_query(django_assert_num_queries):
    with connection.cursor() as cursor, django_assert_num_queries(0):
        assert take_ids(cursor, Sku, 0) == []
