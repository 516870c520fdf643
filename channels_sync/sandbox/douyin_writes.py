"""What the Douyin gateway is told and what it opens: parcels, remarks, cipher texts (protocol reference 4.6)."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.douyin_errors import DouyinError, business, parameter, required
from channels_sync.sandbox.douyin_seal import PARTS, opened
from channels_sync.sandbox.douyin_view import COLOURS, line_id, order_state, unshipped
from channels_sync.sandbox.masking import masked_name, masked_phone
from channels_sync.sandbox.orders import SandboxOrder, stamp
from channels_sync.sandbox.store import Store
from channels_sync.sandbox.trades import SHANGHAI

Params = Mapping[str, Any]
Answer = dict[str, Any]

CARRIERS = {
    "shunfeng": "顺丰速运",
    "yuantong": "圆通快递",
    "zhongtong": "中通快递",
    "shentong": "申通快递",
    "yunda": "韵达快递",
    "jtexpress": "极兔速递",
    "ems": "EMS",
    "youzhengguonei": "邮政快递包裹",
    "jd": "京东物流",
    "debangkuaidi": "德邦快递",
}
LONGEST_REMARK = 60
LARGEST_BATCH = 50
VIRTUAL_HOST = "18400913965"
VIRTUAL_LIFETIME = 72 * 3_600
_TRACKING = re.compile(r"[A-Za-z0-9]{6,30}")
_NOT_TO_SHIP = {
    1: (60137, "订单未支付，禁止发货"),
    105: (60109, "订单正在风控审核中，风控审核时效1~2小时，请等待订单变为“备货中”状态后重试"),
    3: (60110, "订单已发货，不允许再次执行发货"),
    4: (60021, "订单已取消，禁止发货"),
    5: (60113, "订单已完结，禁止发货"),
}


class Writes:
    """Takes parcels and remarks, and opens cipher texts; `quota` is how many a day may be opened."""

    def __init__(self, store: Store, credentials: Credentials, now: Callable[[], datetime]) -> None:
        self._store = store
        self._credentials = credentials
        self._now = now
        self.quota = 1_000

    def ship(self, params: Params) -> Answer:
        """Answer `order.logisticsAdd`: one parcel takes the whole order."""
        with self._store.transaction():
            order = self._to_ship(params)
            if order_state(order.draft) == 101:
                raise business(60057, "该订单当前为“部分发货”状态，无法调用此接口")
            lines = {line_id(order.draft, place): line["quantity"] for place, line in enumerate(order.draft["lines"])}
            self._add_parcel(order, params, lines)
        return {}

    def ship_parts(self, params: Params) -> Answer:
        """Answer `order.logisticsAddMultiPack`; a repeated `request_id` gets the first answer and ships nothing."""
        fact = f"douyin_request/{required(params, 'request_id', 50050)}"
        with self._store.transaction():
            known = self._store.fact(fact)
            if known:
                answer: Answer = json.loads(known)
                return answer
            order = self._to_ship(params)
            packs = params.get("pack_list")
            if not isinstance(packs, list) or not packs:
                raise business(60036, "发货信息为空")
            answer = {"pack_list": [self._part(order, pack) for pack in packs]}
            self._store.set_fact(fact, json.dumps(answer))
        return answer

    def remark(self, params: Params) -> Answer:
        """Answer `order.addOrderRemark`: the remark replaces the present one; the modification time does not move."""
        text, star = str(params.get("remark") or ""), str(params.get("star") or "0")
        if len(text) > LONGEST_REMARK:
            raise business(50056, "订单备注内容超过规定字数")
        with self._store.transaction():
            order = self._order(required(params, "order_id", 50001), parameter(20002, "orderId不存在，请检查订单号"))
            order.draft["seller_remark"] = text
            if str(params.get("is_add_star")) == "true":
                if star not in {str(number) for number in COLOURS}:
                    raise parameter(50002, "参数不合法，建议根据文档检查传入数据")
                order.draft["flag"] = COLOURS[int(star)]
            self._store.save(order)
            self._note("memo", order.draft["external_no"], {"remark": text, "star": star})
        return {}

    def carriers(self, params: Params) -> Answer:
        """Answer `order.logisticsCompanyList`."""
        del params
        return {
            "list": [{"id": place, "code": code, "name": name} for place, (code, name) in enumerate(CARRIERS.items())]
        }

    def mask(self, params: Params) -> Answer:
        """Answer `order.batchSensitive`: masked texts, which count no quota."""
        return {"decrypt_infos": [self._masked(info) for info in self._infos(params)], "custom_err": {"err_code": 0}}

    def decrypt(self, params: Params) -> Answer:
        """Answer `order.batchDecrypt`: clear names and addresses, virtual phone numbers; each counts."""
        infos = self._infos(params)
        day = self._now().astimezone(SHANGHAI).date().isoformat()
        with self._store.transaction():
            used = int(self._store.fact(f"douyin_opened/{day}", "0"))
            if used + len(infos) > self.quota:
                raise business(300003, "解密额度不足")
            self._store.set_fact(f"douyin_opened/{day}", str(used + len(infos)))
        self._note("reveal", day, {"texts": len(infos)})
        return {"decrypt_infos": [self._clear(info) for info in infos], "custom_err": {"err_code": 0, "err_msg": ""}}

    def _to_ship(self, params: Params) -> SandboxOrder:
        """Return the order that may be shipped now. Raises DouyinError with the platform's reason."""
        order = self._order(required(params, "order_id", 50049), business(60033, "订单不存在，请仔细检查后重试"))
        state = order_state(order.draft)
        if state in _NOT_TO_SHIP:
            raise business(*_NOT_TO_SHIP[state])
        refused = str(params.get("is_refund_reject", params.get("is_reject_refund", ""))).lower() == "true"
        if not refused and any(line["refund"] in {"asked", "agreed"} for line in order.draft["lines"]):
            raise business(60040, "发货订单中有退款申请需要处理，请先处理")
        return order

    def _part(self, order: SandboxOrder, pack: Any) -> Answer:
        wanted = pack.get("shipped_order_info") if isinstance(pack, dict) else None
        if not isinstance(wanted, list) or not wanted:
            raise business(60036, "发货信息为空")
        left, lines = unshipped(order.draft), {}
        for info in wanted:
            number = str(info.get("shipped_order_id"))
            count = int(info.get("shipped_num") or left.get(number, 0))
            if not 0 < count <= left.get(number, 0):
                raise business(60102, "商品单不存在，请仔细检查后重试")
            lines[number] = count
        parcel = self._add_parcel(order, pack, lines)
        return {"pack_id": parcel["id"], "logistics_code": parcel["tracking_no"], "shipped_order_info": wanted}

    def _add_parcel(self, order: SandboxOrder, params: Params, lines: dict[str, int]) -> Answer:
        company, tracking_no = str(params.get("company_code") or ""), str(params.get("logistics_code") or "")
        if company not in CARRIERS:
            raise business(60018, "暂不支持该物流公司或物流商已失效，请检查")
        if not _TRACKING.fullmatch(tracking_no):
            raise business(60017, "物流单号不符合规则")
        now = self._now()
        parcels = order.draft["raw"].setdefault("parcels", [])
        parcel = {
            "id": f"7{order.draft['external_no'][1:]}{len(parcels)}", "tracking_no": tracking_no, "company": company,
            "lines": lines, "at": int(now.timestamp()),
        }  # fmt: skip
        parcels.append(parcel)
        order.draft.update(status="in_transit", modified_at=stamp(now.astimezone(SHANGHAI)))
        self._store.save(order)
        self._note("shipment", order.draft["external_no"], parcel)
        return parcel

    def _order(self, number: str, error: DouyinError) -> SandboxOrder:
        order = self._store.get(number)
        if order is None or order.shop != "douyin":
            raise error
        return order

    def _infos(self, params: Params) -> list[Answer]:
        infos = params.get("cipher_infos")
        if not isinstance(infos, list) or not all(isinstance(info, dict) for info in infos):
            raise parameter(100000, "参数错误")
        if len(infos) > LARGEST_BATCH:
            raise parameter(100000, "参数错误: 输入的密文列表过长，上限为:50")
        return infos

    def _found(self, info: Answer) -> tuple[str, str] | None:
        order = self._store.get(str(info.get("auth_id")))
        cipher = str(info.get("cipher_text"))
        return opened(cipher, order.draft, self._credentials) if order and order.shop == "douyin" else None

    def _masked(self, info: Answer) -> Answer:
        found = self._found(info)
        if found is None:
            return {**info, "decrypt_text": "", "err_no": 300008, "err_msg": "密文与订单不匹配"}
        part, text = found
        masked = {"name": masked_name(text), "phone": masked_phone(text), "detail": "***"}[part]
        return {**info, "decrypt_text": masked, "err_no": 0, "err_msg": ""}

    def _clear(self, info: Answer) -> Answer:
        found = self._found(info)
        if found is None:
            return {**info, "decrypt_text": "", "err_no": 300008, "err_msg": "密文与订单不匹配"}
        part, text = found
        answer = {**info, "decrypt_text": text, "err_no": 0, "err_msg": "", "data_type": PARTS[part]}
        if part != "phone":
            return {**answer, "is_virtual_tel": False}
        extension = text[-4:]
        expires = int(self._now().timestamp()) + VIRTUAL_LIFETIME
        return {
            **answer, "decrypt_text": f"{VIRTUAL_HOST}-{extension}", "is_virtual_tel": True, "expire_time": expires,
            "phone_no_a": VIRTUAL_HOST, "phone_no_b": extension,
        }  # fmt: skip

    def _note(self, kind: str, key: str, body: Answer) -> None:
        self._store.add_write("douyin", kind, key, int(self._now().timestamp()), body)
