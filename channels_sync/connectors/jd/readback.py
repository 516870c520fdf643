"""What JD shows of what it was told (protocol reference 3.5 and 3.6)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from channels_sync.connectors.jd.client import JdClient, RefusedError
from channels_sync.connectors.readback import StockItem, StockShown, objects, whole
from orderhub.core.errors import HubError

STOCK = "jingdong.stock.read.findSkuStock"
"""One SKU a call; its answer lists the stores of a shop (JD's own SDK, class `SkuStock`)."""


def tracking_numbers(row: Mapping[str, Any]) -> frozenset[str]:
    """Return the parcels of an order: `|` stands between carriers, `,` between parcels of one."""
    numbers = str(row.get("waybill") or "").replace("|", ",").split(",")
    return frozenset(number.strip() for number in numbers if number.strip())


def read_stock(
    client: JdClient, items: Sequence[StockItem], *, store: str, wait: Callable[[], None]
) -> list[StockShown]:
    """Return what JD shows of each SKU, in `store` where one is named. Raises HubError for what concerns all."""
    return [_one(client, item, store, wait) for item in items]


def _one(client: JdClient, item: StockItem, store: str, wait: Callable[[], None]) -> StockShown:
    if not item.sku_id.isdigit():
        return StockShown(error=HubError(_("The channel item has no SKU id.")))
    wait()
    try:
        answer = client.call(STOCK, {"skuId": int(item.sku_id), "field": "skuId,storeId,stockNum"})
    except RefusedError as error:
        return StockShown(error=error)
    rows = [row for row in objects(answer, "skuStocks") if not store or str(row.get("storeId")) == store]
    numbers = [number for row in rows if (number := whole(row.get("stockNum"))) is not None]
    return StockShown(sum(numbers)) if numbers else StockShown(error=RefusedError(_("JD knows no such SKU.")))
