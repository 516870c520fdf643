"""A WeChat shop (channels-ec, protocol reference section 5): token, lists of numbers, details, write-back."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from channels_sync.sandbox import catalogue
from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.faults import Faults, number_in
from channels_sync.sandbox.orders import SandboxOrder, stamp
from channels_sync.sandbox.replies import Reply, json_reply
from channels_sync.sandbox.store import Store
from channels_sync.sandbox.stream import SHANGHAI
from channels_sync.sandbox.top import broken, delayed
from channels_sync.sandbox.wechat_contacts import WechatContacts
from channels_sync.sandbox.wechat_lists import WechatLists
from channels_sync.sandbox.wechat_token import WechatError, WechatTokens
from channels_sync.sandbox.wechat_view import aftersales, left_to_ship, order_view, status_of

Answer = dict[str, Any]
Body = Mapping[str, Any]

SHOP = "wechat"
TOKEN = "/cgi-bin/stable_token"  # noqa: S105
CARRIERS = {
    "SF": "顺丰速运", "YTO": "圆通速递", "ZTO": "中通快递", "STO": "申通快递", "YUNDA": "韵达速递", "JTSD": "极兔速递",
    "JD": "京东快递", "EMS": "中国邮政", "CNSD": "菜鸟速递", "DBKD": "德邦快递", "KYSY": "跨越速运", "ZJS": "宅急送",
    "OTHER": "其他",
}  # fmt: skip
NOT_FOUND, WRONG_STATE = 10020051, 10020052
"""Numbers of this sandbox for an unknown object and an order in another state: no source names the platform's own."""
_BELOW = ("slow", "truncated", "address", "answer_lost")
_REFUSALS = {
    "throttle": (45011, "api minute-quota reach limit, must slower, retry next minute"),
    "expired_token": (42001, "access_token expired"),
    "remote_error": (-1, "system busy"),
    "changed_too_often": (100003, "order is being modified too frequently"),
}


class WechatShop:
    """Answers everything below `/wechat/`. `now` is the platform's clock."""

    prefix = "/wechat/"

    def __init__(self, store: Store, credentials: Credentials, faults: Faults, now: Callable[[], datetime]) -> None:
        self._store, self._faults, self._now = store, faults, now
        self._tokens = WechatTokens(store, credentials, now)
        self.lists = WechatLists(store, faults, now)
        self.contacts = WechatContacts(store, now)
        self._calls: dict[str, Callable[[str, Body], Answer]] = {
            "/channels/ec/order/list/get": self.lists.orders,
            "/channels/ec/order/get": self._order,
            "/channels/ec/order/delivery/send": self._ship,
            "/channels/ec/order/merchantnotes/update": self._note,
            "/channels/ec/order/deliverycompanylist/get": self._carriers,
            "/channels/ec/order/sensitiveinfo/decode": lambda _path, body: self.contacts.decode(self._find(body)),
            "/channels/ec/order/virtualnumber/applyagain": lambda _path, body: self.contacts.again(self._find(body)),
            "/channels/ec/order/virtualtelnumber/get": lambda _path, body: self.contacts.exchange(self._find(body)),
            "/channels/ec/aftersale/getaftersalelist": self.lists.aftersales,
            "/channels/ec/aftersale/getaftersaleorder": self._aftersale,
            "/channels/ec/product/stock/update": self._set_stock,
            "/channels/ec/product/stock/get": self._get_stock,
        }

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Reply:
        """Answer one request; errors come with HTTP status 200, but for an address that is not on the allow list."""
        del headers
        path = path.removeprefix(self.prefix.rstrip("/"))
        about = number_in(body.decode("utf-8", "replace"))
        fault = self._faults.take(path, "http500", "timeout", "disconnect", *_BELOW, about=about)
        if fault and fault.kind == "address":
            return Reply(b"", "text/plain", 403)
        if fault and fault.kind in {"http500", "timeout", "disconnect"}:
            return broken(fault)
        try:
            reply = json_reply(self._answer(method, path, query, body))
        except WechatError as error:
            reply = json_reply({"errcode": error.code, "errmsg": f"{error.message} rid: {id(error):x}"})
        if fault and fault.kind == "answer_lost":
            return Reply(drop=True)
        return delayed(reply, fault)

    def _answer(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Answer:
        refused = self._faults.take(path, *_REFUSALS)
        if refused:
            raise WechatError(*_REFUSALS[refused.kind])
        if method != "POST":
            raise WechatError(43002, "require POST method")
        if path == TOKEN:
            return self._tokens.issue(_object(body))
        self._tokens.check(query.get("access_token", ""))
        if path not in self._calls:
            raise WechatError(40066, "invalid url")
        return {"errcode": 0, "errmsg": "ok", **self._calls[path](path, _object(body))}

    def _find(self, body: Body) -> SandboxOrder:
        order = self._store.get(str(body.get("order_id", "")))
        if order is None or order.shop != SHOP or datetime.fromisoformat(order.draft["modified_at"]) > self._now():
            raise WechatError(NOT_FOUND, "order not exist")
        return order

    def _order(self, path: str, body: Body) -> Answer:
        draft = self._find(body).draft
        view = order_view(draft)
        view["order_detail"]["delivery_info"]["address_info"] = self.contacts.shown(draft)
        if view["status"] == 20 and self._faults.take(path, "late_detail"):
            view["status"] = 10
        return {"order": view}

    def _aftersale(self, path: str, body: Body) -> Answer:
        del path
        wanted = str(body.get("after_sale_order_id", ""))
        order = self._store.get(f"3{wanted[1:-1]}")
        for sale in aftersales(order.draft) if order else []:
            if sale["after_sale_order_id"] == wanted:
                return {"after_sale_order": sale}
        raise WechatError(NOT_FOUND, "aftersale not exist")

    def _ship(self, path: str, body: Body) -> Answer:
        """Take parcels: only pieces that are still to be shipped, of orders in state 20 or 21."""
        del path
        parcels = body.get("delivery_list")
        if not isinstance(parcels, list) or not parcels:
            raise WechatError(40097, "invalid args: delivery_list")
        with self._store.transaction():
            order = self._find(body)
            if status_of(order.draft) not in {20, 21}:
                raise WechatError(WRONG_STATE, "order status not allow")
            for parcel in parcels:
                self._take_parcel(order, parcel)
            self._changed(order, status="in_transit")
            at = int(self._now().timestamp())
            self._store.add_write(SHOP, "shipment", order.draft["external_no"], at, {"parcels": parcels})
        return {}

    def _take_parcel(self, order: SandboxOrder, parcel: Mapping[str, Any]) -> None:
        if parcel.get("delivery_id") not in CARRIERS or not parcel.get("waybill_id"):
            raise WechatError(40097, "invalid args: delivery_id or waybill_id")
        left = left_to_ship(order.draft)
        for product in parcel.get("product_infos") or ():
            key = (str(product.get("product_id")), str(product.get("sku_id")))
            count = product.get("product_cnt")
            if not isinstance(count, int) or not 0 < count <= left.get(key, 0):
                raise WechatError(40097, "invalid args: product_infos")
        order.draft["raw"].setdefault("parcels", []).append(
            {
                **parcel,
                "delivery_name": CARRIERS[parcel["delivery_id"]],
                "delivery_time": int(self._now().timestamp()),
            }
        )

    def _note(self, path: str, body: Body) -> Answer:
        del path
        notes = body.get("merchant_notes")
        if not isinstance(notes, str):
            raise WechatError(40097, "invalid args: merchant_notes")
        with self._store.transaction():
            order = self._find(body)
            order.draft["seller_remark"] = notes
            self._changed(order)
            at = int(self._now().timestamp())
            self._store.add_write(SHOP, "memo", order.draft["external_no"], at, {"merchant_notes": notes})
        return {}

    def _changed(self, order: SandboxOrder, **values: Any) -> None:
        order.draft.update(values, modified_at=stamp(self._now().astimezone(SHANGHAI)))
        self._store.save(order)

    def _carriers(self, path: str, body: Body) -> Answer:
        del path, body
        return {"company_list": [{"delivery_id": key, "delivery_name": name} for key, name in CARRIERS.items()]}

    def _set_stock(self, path: str, body: Body) -> Answer:
        """Add (1), subtract (2) or set (3) the stock of one SKU."""
        del path
        kind, number = body.get("diff_type"), body.get("num")
        if kind not in {1, 2, 3} or not isinstance(number, int) or number < 0:
            raise WechatError(40097, "invalid args: diff_type or num")
        with self._store.transaction():
            sku_id = self._sku(body)
            now = {1: self._stock(sku_id) + number, 2: self._stock(sku_id) - number, 3: number}[kind]
            if now < 0:
                raise WechatError(40097, "invalid args: stock not enough")
            told = {"quantity": now, "diff_type": kind, "num": number}
            self._store.add_write(SHOP, "stock", sku_id, int(self._now().timestamp()), told)
        return {}

    def _get_stock(self, path: str, body: Body) -> Answer:
        del path
        return {"data": {"normal_stock_num": self._stock(self._sku(body))}}

    def _stock(self, sku_id: str) -> int:
        """Return the stock of a SKU; what was never told is what the shop began with."""
        told = self._store.writes(SHOP, "stock", sku_id, limit=1)
        return int(told[0]["body"]["quantity"]) if told else 100

    @staticmethod
    def _sku(body: Body) -> str:
        known = {str(article.item_id): str(article.item_id * 10 + 1) for article in catalogue.articles()}
        sku_id = known.get(str(body.get("product_id")))
        if sku_id is None or sku_id != str(body.get("sku_id")):
            raise WechatError(NOT_FOUND, "sku not exist")
        return sku_id


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError as error:
        raise WechatError(47001, "data format error") from error
    if not isinstance(value, dict):
        raise WechatError(47001, "data format error")
    return value
