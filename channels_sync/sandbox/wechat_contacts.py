"""What a WeChat shop opens on request: receivers in clear, virtual numbers that end, new ones for them.

States, counts and the numbers of the refusals are those of the platform's pages of the three calls (protocol reference
5.3). Its own are: how long a number lasts, the day's quota and that its refusal has the number of the month's, and the
refusals of `applyagain`, for which the platform names none.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from channels_sync.sandbox.masking import masked_name, masked_phone
from channels_sync.sandbox.orders import SandboxOrder
from channels_sync.sandbox.store import Store, unix
from channels_sync.sandbox.stream import SHANGHAI
from channels_sync.sandbox.wechat_token import WechatError
from channels_sync.sandbox.wechat_view import address_of, status_of

Row = dict[str, Any]

DAY = 86400
AFTER_SALES = 7 * DAY
"""Seconds after its completion in which an order is still opened."""
LIFE = 30 * DAY
EXCHANGED_LIFE = 3 * DAY
TIMES = {"again": 1, "exchange": 3}
"""How many further numbers an order gets, by call."""


class WechatContacts:
    """Opens orders; `quota` is how many a day, `hides` whether the shop masks receivers until they are opened."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store, self._now = store, now
        self.quota = 1_000
        self.hides = False

    def decode(self, order: SandboxOrder) -> Row:
        """Answer `sensitiveinfo/decode`; an order that was opened before counts no more. Raises WechatError."""
        draft = order.draft
        status = status_of(draft)
        if status == 10:
            raise WechatError(10020124, "未完成支付的订单不支持API解码操作")
        if status == 250 or (status == 100 and self._moment() - unix(draft["modified_at"]) > AFTER_SALES):
            raise WechatError(10020503, "当前订单状态不支持解密")
        with self._store.transaction():
            self._count(draft)
        address = address_of(draft)
        if not address["use_tel_number"]:
            return {"address_info": _without_number(address)}
        present = self._number(draft)
        host, _, extension = present["number"].partition("-")
        number = {"virtual_number": host, "extension": extension, "expiration": present["until"]}
        masked = {"tel_number": masked_phone(draft["receiver"]["phone"])}
        return {"address_info": {**_without_number(address), **masked}, "virtual_number_info": number}

    def again(self, order: SandboxOrder) -> Row:
        """Answer `virtualnumber/applyagain`: one more number, whose end only `order/get` tells. Raises WechatError."""
        with self._store.transaction():
            given = self._another(order.draft, "again", LIFE)
        host, _, extension = given["number"].partition("-")
        return {"virtual_number": host, "extension": extension, "apply_quota": TIMES["again"] - given["again"]}

    def exchange(self, order: SandboxOrder) -> Row:
        """Answer `virtualtelnumber/get`: one more number with its end. Raises WechatError."""
        with self._store.transaction():
            given = self._another(order.draft, "exchange", EXCHANGED_LIFE)
        return {
            "virtual_tel_number": given["number"], "virtual_tel_expire_time": given["until"],
            "get_virtual_tel_cnt": given["exchange"],
        }  # fmt: skip

    def shown(self, draft: Row) -> Row:
        """Return `address_info` of `order/get`: masked where the shop hides, but for the number of an opened order."""
        address = address_of(draft)
        if address["use_tel_number"]:
            number = self._number(draft)
            told = {"virtual_tel_number": number["number"], "virtual_tel_expire_time": number["until"]}
            address["tel_number_ext_info"] |= told
        if not self.hides:
            return address
        masked = masked_phone(draft["receiver"]["phone"])
        address |= {"user_name": masked_name(address["user_name"]), "detail_info": "****", "tel_number": masked}
        if address["use_tel_number"] and not self._is_opened(draft):
            address["tel_number_ext_info"] = {"real_tel_number": masked}
        return address

    def _another(self, draft: Row, call: str, life: int) -> Row:
        if not address_of(draft)["use_tel_number"]:
            raise WechatError(6060453, "不是虚拟号订单，不允许兑换虚拟号码")
        given = self._number(draft)
        if given["until"] > self._moment():
            raise WechatError(6060454, "虚拟号码未过期，请获取订单详情查看")
        if given[call] >= TIMES[call]:
            raise WechatError(6060455, "超过最大可兑换虚拟号码次数")
        given[call] += 1
        place = given["again"] + given["exchange"]
        given |= {"number": f"1709{draft['external_no'][-7:]}-{1000 + place}", "until": self._moment() + life}
        self._store.set_fact(f"wechat_number/{draft['external_no']}", json.dumps(given))
        self._note(draft, {"call": call, "place": place})
        return given

    def _number(self, draft: Row) -> Row:
        """Return the present virtual number. The first one ends with the order, or a month after it was placed."""
        kept = self._store.fact(f"wechat_number/{draft['external_no']}")
        if kept:
            found: Row = json.loads(kept)
            return found
        info = address_of(draft)["tel_number_ext_info"]
        until = info["virtual_tel_expire_time"]
        if status_of(draft) in {100, 250}:
            until = min(until, unix(draft["modified_at"]))
        return {"number": info["virtual_tel_number"], "until": until, "again": 0, "exchange": 0}

    def _count(self, draft: Row) -> None:
        if not self._is_opened(draft):
            day = f"wechat_opened/{self._now().astimezone(SHANGHAI).date().isoformat()}"
            used = int(self._store.fact(day, "0"))
            if used >= self.quota:
                raise WechatError(10020123, "订单解码数达到当月限制")
            self._store.set_fact(day, str(used + 1))
            self._store.set_fact(f"wechat_opened/{draft['external_no']}", "1")
            self._note(draft, {"call": "decode", "place": used + 1})

    def _is_opened(self, draft: Row) -> bool:
        return bool(self._store.fact(f"wechat_opened/{draft['external_no']}"))

    def _note(self, draft: Row, body: Row) -> None:
        self._store.add_write("wechat", "reveal", draft["external_no"], self._moment(), body)

    def _moment(self) -> int:
        return int(self._now().timestamp())


def _without_number(address: Row) -> Row:
    hidden = {"tel_number_ext_info", "use_tel_number", "hash_code"}
    return {name: value for name, value in address.items() if name not in hidden} | {"house_number": ""}
