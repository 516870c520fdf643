"""What a Taobao shop is told: stock, shipments, memos (protocol reference 1.9 and 1.10)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from channels_sync.sandbox import catalogue
from channels_sync.sandbox.orders import SandboxOrder, stamp
from channels_sync.sandbox.store import Store
from channels_sync.sandbox.top_errors import TopError, invalid, required
from channels_sync.sandbox.trades import FLAGS, SHANGHAI, oids, status_of, type_of

Params = Mapping[str, str]
Answer = dict[str, Any]

SHOP = "taobao"
SKUS_PER_CALL = 20
MEMO_BYTES = 1000
_SHIPPING = "isv.logistics-offline-service-error"
_FLAG_WORDS = {str(number): word for word, number in FLAGS.items() if word != "none"}


class Writes:
    """Answers the writing methods and keeps what it was told."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store, self._now = store, now

    def skus(self, params: Params) -> Answer:
        """Answer `taobao.skus.quantity.update`: up to 20 SKUs of one item."""
        item_id = self._item(params)
        pairs = [pair.partition(":") for pair in required(params, "skuid_quantities").split(";") if pair]
        if len(pairs) > SKUS_PER_CALL:
            raise invalid("skuid_quantities")
        if any(sku_id != str(item_id * 10 + 1) for sku_id, _, _ in pairs):
            raise TopError(15, "Remote service error", "isv.item-sku-not-exist", "SKU不存在")
        for sku_id, _, quantity in pairs:
            self._keep_stock(params, sku_id, quantity)
        return {"item": {"num_iid": item_id}}

    def item(self, params: Params) -> Answer:
        """Answer `taobao.item.quantity.update`."""
        item_id = self._item(params)
        self._keep_stock(params, str(item_id), required(params, "quantity"))
        return {"item": {"num_iid": item_id}}

    def ship_prepaid(self, params: Params) -> Answer:
        """Answer `taobao.logistics.offline.send`, which takes no cash on delivery."""
        if type_of(self._order(required(params, "tid")).draft) == "cod":
            raise TopError(15, "Remote service error", f"{_SHIPPING}:B01", "不支持货到付款订单")
        return self.ship(params)

    def ship(self, params: Params) -> Answer:
        """Answer `taobao.logistics.online.send`: the whole trade, or the lines of `sub_tid` with `is_split`."""
        tid, company, number = (required(params, name) for name in ("tid", "company_code", "out_sid"))
        with self._store.transaction():
            order = self._order(tid)
            if status_of(order.draft) not in {"WAIT_SELLER_SEND_GOODS", "SELLER_CONSIGNED_PART"}:
                raise TopError(
                    15, "Remote service error", "isv.logistics-offline-service-error:B04", "订单状态不允许发货"
                )
            lines = self._lines(order, params)
            parcels: dict[str, Any] = order.draft["raw"].setdefault("parcels", {})
            if any(line in parcels for line in lines):
                raise TopError(15, "Remote service error", f"{_SHIPPING}:B27", "子订单已发货")
            parcels |= {line: {"company": company, "number": number} for line in lines}
            order.draft["status"] = "in_transit"
            self._save(order)
            told = {"company_code": company, "out_sid": number, "lines": lines}
            self._store.add_write(SHOP, "shipment", tid, self._seconds(), told)
        return {"shipping": {"is_success": True}}

    def memo(self, params: Params) -> Answer:
        """Answer `taobao.trade.memo.update`."""
        tid, memo, flag = required(params, "tid"), params.get("memo", ""), params.get("flag", "")
        if len(memo.encode()) > MEMO_BYTES or (flag and flag not in _FLAG_WORDS):
            raise invalid("memo or flag")
        with self._store.transaction():
            order = self._order(tid)
            if memo or params.get("reset") == "true":
                order.draft["seller_remark"] = memo
            if flag:
                order.draft["flag"] = _FLAG_WORDS[flag]
            self._save(order)
            self._store.add_write(SHOP, "memo", tid, self._seconds(), {"memo": memo, "flag": flag})
        return {"trade": {"tid": int(tid)}}

    def _keep_stock(self, params: Params, key: str, quantity: str) -> None:
        kind = params.get("type") or "1"
        if kind not in {"1", "2"} or not quantity.lstrip("-").isdigit() or (kind == "1" and int(quantity) < 0):
            raise invalid("quantity")
        told = self._store.writes(SHOP, "stock", key, limit=1)
        before = int(told[0]["body"]["quantity"]) if told else 100
        now = int(quantity) if kind == "1" else max(before + int(quantity), 0)
        self._store.add_write(SHOP, "stock", key, self._seconds(), {"quantity": now, "type": int(kind)})

    def _lines(self, order: SandboxOrder, params: Params) -> list[str]:
        """Return the lines that get the parcel's number; one whose refund is done is closed and gets none."""
        known = dict(zip(oids(order.draft), order.draft["lines"], strict=True))
        open_lines = [number for number, line in known.items() if line["refund"] != "done"]
        if params.get("is_split") != "1":
            return [line for line in open_lines if line not in order.draft["raw"].get("parcels", {})]
        wanted = required(params, "sub_tid").split(",")
        if not set(wanted) <= known.keys():
            raise TopError(15, "Remote service error", f"{_SHIPPING}:S01", "子订单不存在")
        if not set(wanted) <= set(open_lines):
            raise TopError(15, "Remote service error", f"{_SHIPPING}:B04", "子订单已关闭")
        return wanted

    def _order(self, tid: str) -> SandboxOrder:
        order = self._store.get(tid)
        if order is None or order.shop != SHOP:
            raise TopError(15, "Remote service error", "isv.trade-not-exist", "交易不存在")
        return order

    def _save(self, order: SandboxOrder) -> None:
        order.draft["modified_at"] = stamp(self._now().astimezone(SHANGHAI))
        self._store.save(order)

    def _seconds(self) -> int:
        return int(self._now().timestamp())

    @staticmethod
    def _item(params: Params) -> int:
        wanted = required(params, "num_iid")
        if wanted not in {str(article.item_id) for article in catalogue.articles()}:
            raise TopError(15, "Remote service error", "isv.item-not-exist", "商品不存在")
        return int(wanted)
