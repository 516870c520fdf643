"""Shops that an earlier version stored as `wechat` although they push through the API."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from orderhub.models import Shop
from orderhub.services import access
from tests.factories import make_order, make_shop

rename = import_module("channels_sync.migrations.0007_own_platform").rename
pytestmark = pytest.mark.django_db


def run():
    with connection.schema_editor() as editor:
        rename(apps, editor)
    return dict(Shop.objects.values_list("code", "platform"))


@pytest.mark.django_db(transaction=True)
def test_only_shops_that_live_without_credentials_are_renamed():
    make_order(make_shop("mini", platform="wechat"))
    token = make_shop("token", platform="wechat")
    access.issue_token(name="t", scopes=[access.INTAKE_WRITE], actor="test", shops=[token])
    make_shop("planned", platform="wechat")
    real = make_shop("real", platform="wechat")
    real.credentials = {"app_id": "wx1", "app_secret": "s"}
    real.save()
    make_order(real)
    make_order(make_shop("tb", platform="taobao"))
    wanted = {"mini": "own", "token": "own", "planned": "wechat", "real": "wechat", "tb": "taobao"}
    assert run() == wanted
    assert run() == wanted
