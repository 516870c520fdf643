"""Tokens from before it was kept whether one is for every shop."""

from importlib import import_module

import pytest
from django.db import connection

from orderhub.models import ApiToken
from tests.factories import make_shop

FOR_EVERY_SHOP = import_module("orderhub.migrations.0018_token_every_shop").FOR_EVERY_SHOP


@pytest.mark.django_db
def test_a_token_without_shops_stays_for_every_shop():
    ApiToken.objects.create(name="free", digest="a")
    ApiToken.objects.create(name="bound", digest="b").shops.add(make_shop())
    with connection.cursor() as cursor:
        cursor.execute(FOR_EVERY_SHOP)
    assert dict(ApiToken.objects.values_list("name", "every_shop")) == {"free": True, "bound": False}
