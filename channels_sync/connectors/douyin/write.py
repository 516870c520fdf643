"""What is written back: stock, shipments, remarks with their flag (protocol reference 4.6)."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from django.utils.translation import gettext as _

from channels_sync.connectors import options
from channels_sync.connectors.base import AuthorisationError, ThrottledError
from channels_sync.connectors.douyin.client import Gateway
from channels_sync.connectors.douyin.errors import RefusedError, RepeatedError, ShippedError
from channels_sync.connectors.exchange import WRITE_SECONDS, Memo, Shipment, StockWrite, WriteResult
from orderhub.core.errors import HubError, TemporaryError

STOCK, STOCK_BATCH, STOCK_READ = "sku.syncStock", "sku.syncStockBatch", "sku.stockNum"
SHIP, SHIP_PARTS, REMARK = "order.logisticsAdd", "order.logisticsAddMultiPack", "order.addOrderRemark"
LONGEST_REMARK = 60
"""Characters; newer pages of the platform say 500, which a shop may set as `remark_length`."""
COLOURS = ("purple", "cyan", "green", "orange", "red")
STARS = {"none": 0, "grey": 0, "purple": 1, "cyan": 2, "blue": 2, "green": 3, "orange": 4, "yellow": 4, "red": 5}
"""Blue and yellow, which the platform does not have, become the nearest colour."""
CARRIERS = {
    "SF": "shunfeng", "YTO": "yuantong", "ZTO": "zhongtong", "STO": "shentong", "YUNDA": "yunda", "YD": "yunda",
    "JTSD": "jtexpress", "JT": "jtexpress", "EMS": "ems", "YZPY": "youzhengguonei", "POSTB": "youzhengguonei",
    "JD": "jd", "DBL": "debangkuaidi", "DBKD": "debangkuaidi", "HTKY": "huitongkuaidi", "BEST": "huitongkuaidi",
    "ZJS": "zhaijisong", "UC": "youshuwuliu", "FWX": "fengwang", "DNWL": "danniao", "ANE": "annengwuliu",
}  # fmt: skip
"""Common codes to those of `order.logisticsCompanyList`; a shop's setting `carriers` adds to it."""


def write_stock(gateway: Gateway, rows: Sequence[StockWrite]) -> list[WriteResult]:
    """Set absolute quantities, the SKUs of one product in one call. Raises AuthorisationError only.

    After a call limit no further call is made: all that is left gets that error.
    """
    results: dict[str, WriteResult] = {}
    stop_at = time.monotonic() + WRITE_SECONDS
    stop: HubError | None = None
    for _item, group in groupby(sorted(rows, key=_item_of), key=_item_of):
        rows_of_item = list(group)
        if stop is None and time.monotonic() > stop_at:
            stop = TemporaryError(_("The platform answers too slowly."))
        try:
            if stop is not None:
                raise stop
            results |= {result.key: result for result in _product(gateway, rows_of_item)}
        except AuthorisationError:
            raise
        except HubError as error:
            results |= {row.key: WriteResult(row.key, error) for row in rows_of_item}
            stop = error if isinstance(error, ThrottledError) else stop
    return [results[row.key] for row in rows]


def ship(gateway: Gateway, shipment: Shipment) -> None:
    """Tell the platform of one parcel. Raises HubError; a parcel that it has already is no error."""
    carrier = _carrier(gateway, shipment.carrier)
    try:
        if shipment.lines:
            _ship_part(gateway, shipment, carrier)
        else:
            gateway.call(SHIP, {
                "order_id": shipment.external_no, "company_code": carrier, "logistics_code": shipment.tracking_no,
            })  # fmt: skip
    except RepeatedError:
        return
    except ShippedError:
        if not _has_parcel(gateway, shipment):
            raise


def longest_remark(shop_settings: Mapping[str, Any]) -> int:
    """Return how many characters a remark may have."""
    return int(options.number(shop_settings, "remark_length", LONGEST_REMARK, 1, 500))


def write_memo(gateway: Gateway, memo: Memo) -> None:
    """Replace the seller's remark and flag. Raises HubError, also for a remark longer than the platform takes."""
    longest = longest_remark(gateway.access.settings)
    if len(memo.remark) > longest:
        raise RefusedError(
            _("The remark has %(length)s characters, the platform takes %(most)s: shorten it.")
            % {"length": len(memo.remark), "most": longest}
        )
    params = {"order_id": memo.external_no, "remark": memo.remark}
    if memo.flag in STARS:
        params |= {"is_add_star": "true", "star": str(STARS[memo.flag])}
    gateway.call(REMARK, params)


def _product(gateway: Gateway, rows: Sequence[StockWrite]) -> Iterator[WriteResult]:
    """Yield the result of each row of one product. The platform takes a batch wholly or not at all, so a batch that it
    refuses is written one by one and only the bad row fails."""
    quantities = _quantities(gateway, rows)
    good = [row for row in rows if isinstance(quantities[row.key], int)]
    if len(good) > 1 and _try_batch(gateway, good, quantities):
        yield from (WriteResult(row.key) for row in good)
        good = []
    yield from (_single(gateway, row, quantities[row.key]) for row in rows if row in good)
    for row in rows:
        quantity = quantities[row.key]
        if isinstance(quantity, HubError):
            yield WriteResult(row.key, quantity)


def _quantities(gateway: Gateway, rows: Sequence[StockWrite]) -> Mapping[str, int | HubError]:
    """Return what to set. The platform's number leaves out pieces that unpaid orders and campaigns hold: those come
    off first, or they would be offered twice. A shop's setting `subtract_held` switches that off."""
    if not gateway.access.settings.get("subtract_held", True):
        return {row.key: row.quantity for row in rows}
    try:
        answers = gateway.many(STOCK_READ, [_sku(row) for row in rows])
    except AuthorisationError:
        raise
    except HubError as error:
        return {row.key: error for row in rows}
    return {
        row.key: answer if isinstance(answer, HubError) else max(row.quantity - _held(answer), 0)
        for row, answer in zip(rows, answers, strict=True)
    }


def _held(answer: Mapping[str, Any]) -> int:
    numbers = [answer.get(name) for name in ("prehold_stock_num", "prom_stock_num")]
    return sum(number for number in numbers if isinstance(number, int) and number > 0)


def _try_batch(gateway: Gateway, rows: Sequence[StockWrite], quantities: Mapping[str, int | HubError]) -> bool:
    if not all(row.sku_id.isdigit() for row in rows) or not rows[0].item_id.isdigit():
        return False
    skus = [{"sku_id": int(row.sku_id), "sku_type": 0, "stock_num": quantities[row.key]} for row in rows]
    key = str(uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(row.key for row in rows)))
    params = {"product_id": int(rows[0].item_id), "incremental": False, "idempotent_id": key, "sku_sync_list": skus}
    try:
        gateway.call(STOCK_BATCH, params)
    except RepeatedError:
        return True
    except RefusedError:
        return False
    return True


def _single(gateway: Gateway, row: StockWrite, quantity: int | HubError) -> WriteResult:
    params = {**_sku(row), "stock_num": quantity, "incremental": False, "idempotent_id": row.key}
    if row.item_id.isdigit():
        params["product_id"] = int(row.item_id)
    try:
        gateway.call(STOCK, params)
    except (RepeatedError, AuthorisationError) as error:
        if isinstance(error, AuthorisationError):
            raise
    except HubError as error:
        return WriteResult(row.key, error)
    return WriteResult(row.key)


def _sku(row: StockWrite) -> dict[str, Any]:
    return {"sku_id": int(row.sku_id)} if row.sku_id.isdigit() else {"code": row.outer_id or row.sku_id}


def _item_of(row: StockWrite) -> str:
    return row.item_id


def _ship_part(gateway: Gateway, shipment: Shipment, carrier: str) -> None:
    """Ship some lines. The platform answers a repeated `request_id` with its first answer."""
    lines = [{"shipped_order_id": line.line_no, "shipped_num": line.quantity} for line in shipment.lines]
    request_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{shipment.external_no}/{carrier}/{shipment.tracking_no}")
    pack = {"shipped_order_info": lines, "company_code": carrier, "logistics_code": shipment.tracking_no}
    gateway.call(SHIP_PARTS, {"order_id": shipment.external_no, "pack_list": [pack], "request_id": str(request_id)})


def _has_parcel(gateway: Gateway, shipment: Shipment) -> bool:
    data = gateway.call("order.orderDetail", {"shop_order_id": shipment.external_no})
    order = data.get("shop_order_detail")
    parcels = order.get("logistics_info") if isinstance(order, dict) else None
    return any(
        isinstance(parcel, dict) and parcel.get("tracking_no") == shipment.tracking_no
        for parcel in (parcels if isinstance(parcels, list) else ())
    )


def _carrier(gateway: Gateway, code: str) -> str:
    extra = gateway.access.settings.get("carriers")
    known = {**CARRIERS, **extra} if isinstance(extra, dict) else CARRIERS
    if code.upper() not in known:
        raise RefusedError(
            _("The carrier %(carrier)s has no code on this platform: add it to the shop's settings.")
            % {"carrier": code}
        )
    return str(known[code.upper()])
