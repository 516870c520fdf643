"""Own shops were stored under the platform `wechat` before that became the connector of WeChat shops."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Exists, OuterRef

OLD, NEW = "wechat", "own"


def rename(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Give such shops their own platform: those without credentials that have orders or an API token all the same.

    A WeChat shop gets no order without credentials; one that is only being set up has neither and stays.
    """
    alias = editor.connection.alias
    here = OuterRef("pk")
    orders = apps.get_model("orderhub", "Order").objects.using(alias).filter(shop_id=here)
    tokens = apps.get_model("orderhub", "ApiToken").objects.using(alias).filter(shops=here)
    shops = apps.get_model("orderhub", "Shop").objects.using(alias)
    shops.filter(Exists(orders) | Exists(tokens), platform=OLD, sealed_credentials=b"").update(platform=NEW)


class Migration(migrations.Migration):
    """Runs `rename`; going back changes nothing."""

    dependencies = [("channels_sync", "0006_listing_asked"), ("orderhub", "0006_shipments")]

    operations = [migrations.RunPython(rename, migrations.RunPython.noop, elidable=True)]
