"""What Douyin shows of what it was told (protocol reference 4.5 and 4.6)."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from channels_sync.connectors.douyin.client import Gateway
from channels_sync.connectors.douyin.errors import RefusedError
from channels_sync.connectors.douyin.write import STOCK_READ
from channels_sync.connectors.readback import StockItem, StockShown, objects, texts, whole
from orderhub.core.errors import HubError

HELD = ("prehold_stock_num", "prom_stock_num")
AT_ONCE = 50


def tracking_numbers(row: Mapping[str, Any]) -> frozenset[str]:
    """Return the parcels of an order."""
    return texts(objects(row, "logistics_info"), "tracking_no")


def read_stock(gateway: Gateway, items: Sequence[StockItem]) -> list[StockShown]:
    """Return what can be sold of each SKU: what the platform shows and, since those came off when it was told, what it
    holds for unpaid orders and campaigns. Raises HubError for what concerns all."""
    found: list[StockShown] = []
    for first in range(0, len(items), AT_ONCE):
        part = items[first : first + AT_ONCE]
        answers = gateway.many(STOCK_READ, [_sku(item) for item in part])
        found += [_shown(answer, with_held=gateway.access.settings.get("subtract_held", True)) for answer in answers]
    return found


def _sku(item: StockItem) -> dict[str, Any]:
    return {"sku_id": int(item.sku_id)} if item.sku_id.isdigit() else {"code": item.outer_id or item.sku_id}


def _shown(answer: Mapping[str, Any] | HubError, *, with_held: bool) -> StockShown:
    if isinstance(answer, HubError):
        return StockShown(error=answer)
    number = whole(answer.get("stock_num"))
    if number is None:
        return StockShown(error=RefusedError(_("The platform told no quantity.")))
    held = sum(max(whole(answer.get(name)) or 0, 0) for name in HELD) if with_held else 0
    return StockShown(number + held)
