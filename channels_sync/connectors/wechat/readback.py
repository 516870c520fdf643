"""What a WeChat shop shows of what it was told (protocol reference 5.2 and 5.3)."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from channels_sync.connectors.readback import StockItem, StockShown, objects, texts, whole
from channels_sync.connectors.wechat.client import Content, WechatClient, usable
from channels_sync.connectors.wechat.errors import RefusedError
from channels_sync.connectors.wechat.values import node
from orderhub.core.errors import HubError

STOCK = "/channels/ec/product/stock/get"
AT_ONCE = 50


def tracking_numbers(row: Mapping[str, Any]) -> frozenset[str]:
    """Return the parcels of an order."""
    delivery = node(node(dict(row), "order_detail"), "delivery_info")
    return texts(objects(delivery, "delivery_product_info"), "waybill_id")


def read_stock(client: WechatClient, items: Sequence[StockItem]) -> list[StockShown]:
    """Return the ordinary stock of each SKU: that is what a platform is told. Raises HubError for what concerns all."""
    found: list[StockShown] = []
    for first in range(0, len(items), AT_ONCE):
        part = items[first : first + AT_ONCE]
        bodies = [{"product_id": item.item_id, "sku_id": item.sku_id} for item in part]
        found += [_shown(usable(answer, RefusedError)) for answer in client.many(STOCK, bodies)]
    return found


def _shown(answer: Content | HubError) -> StockShown:
    if isinstance(answer, HubError):
        return StockShown(error=answer)
    data = answer.get("data")
    number = whole(data.get("normal_stock_num")) if isinstance(data, Mapping) else None
    if number is None:
        return StockShown(error=HubError(_("The platform told no quantity.")))
    return StockShown(number)
