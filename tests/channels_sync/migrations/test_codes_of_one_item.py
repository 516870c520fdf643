"""Items that were told the stock of two merchant codes in turn are told again."""

from importlib import import_module

import pytest
from django.db import connection

from channels_sync.models import Listing
from tests.factories import make_shop

FORGET = import_module("channels_sync.migrations.0010_codes_of_one_item").FORGET


@pytest.mark.django_db
def test_only_items_with_several_codes_are_forgotten():
    shop, other = make_shop(), make_shop()
    for row, item, sku, code in ((shop, "1", "", "A"), (shop, "1", "", "B"), (shop, "2", "1", "A"), (shop, "2", "2", "A"),
                                 (other, "1", "", "A"), (shop, "", "", "A"), (shop, "", "", "B")):  # fmt: skip
        Listing.objects.create(shop=row, item_id=item, sku_id=sku, outer_id=code, shown=5)
    with connection.cursor() as cursor:
        cursor.execute(FORGET)
    assert set(Listing.objects.filter(shown=None).values_list("shop", "item_id", "outer_id")) == {
        (shop.pk, "1", "A"), (shop.pk, "1", "B"),
    }  # fmt: skip
