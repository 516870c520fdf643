"""What JD is told: stock, shipments, notes (protocol reference 3.6)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from channels_sync.sandbox.faults import Faults
from channels_sync.sandbox.jd_errors import (
    NOTE_TOO_LONG,
    WRONG_ARGUMENT,
    WRONG_FLAG,
    WRONG_STATE,
    Args,
    ServiceError,
    refuse_on_demand,
    text_of,
    verdict,
)
from channels_sync.sandbox.jd_orders import Orders
from channels_sync.sandbox.jd_view import FLAGS, skus
from channels_sync.sandbox.orders import stamp
from channels_sync.sandbox.store import Store
from channels_sync.sandbox.trades import SHANGHAI

Answer = dict[str, Any]

LARGEST_BATCH = 30
NOTE_LENGTH = 500
FIRST_STOCK = 100
"""What a SKU shows that JD was never told of."""
CARRIERS = frozenset({"467", "1499", "463", "470", "1327", "2087"})
_COLOURS = {number: colour for colour, number in FLAGS.items()}


class Writes:
    """Answers the writing methods and notes what it was told."""

    def __init__(self, store: Store, orders: Orders, faults: Faults, now: Callable[[], datetime]) -> None:
        self._store = store
        self._orders = orders
        self._faults = faults
        self._now = now

    def stock(self, method: str, args: Args) -> Answer:
        """Answer `ware.stock.sku.set`: each SKU by itself, a repeated `stockRfId` changes nothing."""
        del method
        request = args.get("req")
        request = request if isinstance(request, dict) else {}
        wanted = request.get("skuStocks")
        wanted = wanted if isinstance(wanted, list) else []
        key = str(request.get("stockRfId") or "")
        if not 0 < len(wanted) <= LARGEST_BATCH or not key or request.get("updateModel") != "fullStockIn":
            return {"returnType": {"success": False, "code": WRONG_ARGUMENT, "message": "参数不合法"}}
        with self._store.transaction():
            is_repeat = bool(self._store.writes("jd", "stock_key", key, 1))
            self._store.add_write("jd", "stock_key", key, self._at(), {"skus": len(wanted)})
            rows = [self._one_stock(item, is_repeat=is_repeat) for item in wanted]
        success = all(row["success"] for row in rows)
        return {"returnType": {"success": success, "message": "", "obj": {"updateStockResult": rows}}}

    def shown_stock(self, method: str, args: Args) -> Answer:
        """Answer `stock.read.findSkuStock`: the stores of one SKU; an unknown one has none."""
        sku = str(args.get("skuId") or "")
        try:
            refuse_on_demand(self._faults, method, sku)
        except ServiceError as error:
            # This old call has no result object of its own: what it refuses stands beside the gateway's code.
            return {"code": error.code, "zh_desc": error.chinese, "en_desc": error.english}
        if sku not in skus():
            return {"skuStocks": []}
        told = self._store.writes("jd", "stock", skus()[sku], limit=1)
        quantity = int(told[0]["body"]["quantity"]) if told else FIRST_STOCK
        return {"skuStocks": [{"skuId": int(sku), "storeId": 0, "stockNum": quantity}]}

    def ship(self, method: str, args: Args) -> Answer:
        """Answer `pop.order.shipment`: a whole order, once."""
        del method
        try:
            self._ship(text_of(args, "orderId"), text_of(args, "logiCoprId"), text_of(args, "logiNo"))
        except ServiceError as error:
            return {"sopjosshipment_result": verdict(error)}
        return {"sopjosshipment_result": verdict()}

    def note(self, method: str, args: Args) -> Answer:
        """Answer `pop.order.modifyVenderRemark`; whether that moves `modified` is not known, so here it does not."""
        del method
        try:
            self._note(text_of(args, "order_id"), str(args.get("remark") or ""), str(args.get("flag") or "0"))
        except ServiceError as error:
            told = {"success": False, "error_code": error.code, "chinese_err_code": error.chinese}
            return {"modifyvenderremark_result": told}
        return {"modifyvenderremark_result": {"success": True, "error_code": "", "chinese_err_code": ""}}

    def _one_stock(self, item: Any, *, is_repeat: bool) -> Answer:
        item = item if isinstance(item, Mapping) else {}
        sku, quantity = str(item.get("skuId") or ""), item.get("stockNum")
        told = {"data": int(sku) if sku.isdigit() else sku, "storeId": item.get("storeId") or 0}
        if sku not in skus():
            return {**told, "success": False, "message": "SKU 不存在"}
        if not isinstance(quantity, int) or quantity < 0:
            return {**told, "success": False, "message": "库存数量不合法"}
        if not is_repeat:
            body = {"sku": skus()[sku], "sku_id": sku, "quantity": quantity}
            self._store.add_write("jd", "stock", skus()[sku], self._at(), body)
        return {**told, "success": True, "message": ""}

    def _ship(self, number: str, carriers: str, parcels: str) -> None:
        ids, numbers = carriers.split("|"), parcels.split("|")
        if len(ids) != len(numbers) or not set(ids) <= CARRIERS or not all(numbers):
            raise ServiceError(WRONG_ARGUMENT, "物流公司或运单号不合法")
        with self._store.transaction():
            found = self._orders.shown(number)
            if found.draft["status"] != "paid" or found.draft["channel_hold"]:
                raise ServiceError(WRONG_STATE, "订单状态不正确, 不能出库", "invalid order state")
            found.draft["status"] = "in_transit"
            found.draft["raw"] |= {"waybill": parcels, "logistics_id": carriers}
            found.draft["modified_at"] = stamp(self._now().astimezone(SHANGHAI))
            self._store.save(found)
            # What the buyer was going to do with an order that had not left does not happen any more.
            self._store.plan(number, None)
            body = {"order": number, "carriers": ids, "parcels": [part.split(",") for part in numbers]}
            self._store.add_write("jd", "shipment", number, self._at(), body)

    def _note(self, number: str, remark: str, flag: str) -> None:
        if len(remark) > NOTE_LENGTH:
            raise ServiceError(NOTE_TOO_LONG, "备注不能超过 500 个字符")
        if not flag.isdigit() or int(flag) not in _COLOURS:
            raise ServiceError(WRONG_FLAG, "颜色标识不合法")
        with self._store.transaction():
            found = self._orders.shown(number)
            found.draft["seller_remark"] = remark
            found.draft["flag"] = _COLOURS[int(flag)] if remark else "none"
            self._store.save(found)
            self._store.add_write("jd", "memo", number, self._at(), {"remark": remark, "flag": int(flag)})

    def _at(self) -> int:
        return int(self._now().timestamp())
