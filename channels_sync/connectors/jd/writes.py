"""What the hub tells JD: stock, shipments, notes (protocol reference 3.6)."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from channels_sync.connectors.base import ThrottledError
from channels_sync.connectors.exchange import Memo, Shipment, StockWrite, WriteResult
from channels_sync.connectors.jd.client import JdClient, RefusedError, is_true, jd_error
from channels_sync.connectors.jd.pull import GET
from channels_sync.connectors.jd.rows import SHIPPED
from orderhub.core.errors import HubError

STOCK = "jingdong.ware.stock.sku.set"
SHIP = "jingdong.pop.order.shipment"
NOTE = "jingdong.pop.order.modifyVenderRemark"

STOCK_BATCH = 30
"""SKUs that one call takes."""
NOTE_LENGTH = 500
"""Characters of a note."""
CARRIERS = {"SF": "467", "ZTO": "1499", "YTO": "463", "STO": "470", "YUNDA": "1327", "YD": "1327", "JD": "2087"}
"""JD's number of a carrier by its common code; a shop's setting `carriers` adds more."""
FLAGS = {"none": 0, "grey": 0, "red": 1, "yellow": 2, "green": 3, "blue": 4, "purple": 5, "orange": 2, "cyan": 3}
"""JD has no orange and no cyan: the nearest colour of the same weight."""
COLOURS = ("red", "yellow", "green", "blue", "purple")


def write_stock(client: JdClient, rows: Sequence[StockWrite], *, store: str = "") -> list[WriteResult]:
    """Set absolute stock in one call and return one result for each row; JD may take some SKUs and refuse others. A row
    without a SKU id is not sent. Raises ThrottledError when nothing can be written for now.

    The call's idempotency key is made of the rows' keys, so that the same write repeated counts once.
    """
    named = [row for row in rows if row.sku_id]
    missing = RefusedError(_("The channel item has no SKU id."))
    results = [WriteResult(row.key, missing) for row in rows if not row.sku_id]
    return [*results, *_written(client, named, store)] if named else results


def _written(client: JdClient, rows: Sequence[StockWrite], store: str) -> list[WriteResult]:
    params = {
        "req": {
            "updateModel": "fullStockIn",
            "stockRfId": rows[0].key if len(rows) == 1 else _joined_key(rows),
            "skuStocks": [_sku_stock(row, store) for row in rows],
        }
    }
    try:
        # `success` of the whole is not looked at: it is false when one SKU failed.
        answer = client.call(STOCK, params).get("returnType")
        found = _results(answer if isinstance(answer, dict) else {})
    except ThrottledError:
        raise
    except HubError as error:
        return [WriteResult(row.key, error) for row in rows]
    return [WriteResult(row.key, _judged(found.get(row.sku_id), answer)) for row in rows]


def ship(client: JdClient, shipment: Shipment, carriers: dict[str, str]) -> None:
    """Tell JD that an order left. JD takes an order as a whole, once: parcels before the last are told with the last.

    Raises RefusedError for an unknown carrier or a refusal; that JD has the parcel already is none.
    """
    if not shipment.is_final:
        return
    parcels = [*shipment.earlier, (shipment.carrier, shipment.tracking_no)]
    ids, numbers = _joined_parcels(parcels, carriers)
    params = {"orderId": shipment.external_no, "logiCoprId": ids, "logiNo": numbers}
    try:
        client.result(SHIP, params, "sopjosshipment_result")
    except RefusedError:
        if not _has_parcel(client, shipment):
            raise


def write_memo(client: JdClient, memo: Memo) -> None:
    """Set note and flag of an order; a longer note is cut to what JD takes."""
    remark = memo.remark.strip()[:NOTE_LENGTH]
    params = {"order_id": memo.external_no, "flag": FLAGS.get(memo.flag, 0), "remark": remark}
    client.result(NOTE, params, "modifyvenderremark_result")


def _joined_key(rows: Sequence[StockWrite]) -> str:
    """Return a key made of all keys: JD drops a call whose key it knows, whatever stands in the middle of it."""
    return uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(row.key for row in rows)).hex


def _sku_stock(row: StockWrite, store: str) -> dict[str, Any]:
    stock = {"skuId": row.sku_id, "stockNum": max(row.quantity, 0)}
    return {**stock, "storeId": store} if store else stock


def _results(answer: dict[str, Any]) -> dict[str, Any]:
    inner = answer.get("obj")
    rows = inner.get("updateStockResult") if isinstance(inner, dict) else None
    return {str(row.get("data")): row for row in rows if isinstance(row, dict)} if isinstance(rows, list) else {}


def _judged(row: Any, answer: Any) -> HubError | None:
    """Return what JD says of one SKU; without a word on it, what it says of the whole call."""
    verdict = row if isinstance(row, dict) else answer if isinstance(answer, dict) else {}
    if is_true(verdict.get("success")):
        return None
    code, message = str(verdict.get("code") or verdict.get("errorCode") or ""), str(verdict.get("message") or "")
    return jd_error(code, message[:300], is_business=True)


def _joined_parcels(parcels: Sequence[tuple[str, str]], carriers: dict[str, str]) -> tuple[str, str]:
    """Return carriers and numbers as JD writes several: `|` between carriers, `,` between parcels of one carrier."""
    numbers: dict[str, list[str]] = {}
    known = {**CARRIERS, **carriers}
    for carrier, number in parcels:
        found = known.get(carrier.upper())
        if found is None:
            text = _("JD's number of the carrier %(carrier)s is not known: add it to the shop's setting “carriers”.")
            raise RefusedError(text % {"carrier": carrier})
        if number not in numbers.setdefault(found, []):
            numbers[found].append(number)
    return "|".join(numbers), "|".join(",".join(some) for some in numbers.values())


def _has_parcel(client: JdClient, shipment: Shipment) -> bool:
    """Whether JD shows the order as shipped with this parcel: an earlier try came through without our knowing."""
    params = {"order_id": shipment.external_no, "optional_fields": "orderId,orderState,waybill,logisticsId"}
    order = client.result(GET, params, "orderDetailInfo").get("orderInfo")
    if not isinstance(order, dict) or order.get("orderState") not in SHIPPED:
        return False
    return shipment.tracking_no in str(order.get("waybill") or "").replace("|", ",").split(",")
