"""`taobao.top.oaid.decrypt` (protocol reference 1.8): clear receivers with virtual phones, by the day's quota."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.masking import oaid
from channels_sync.sandbox.store import Store
from channels_sync.sandbox.top_errors import TopError, invalid, required
from channels_sync.sandbox.trades import SHANGHAI

Params = Mapping[str, str]
Row = dict[str, Any]

MOST = 20
SCENES = frozenset({*(str(number) for number in range(1001, 1008)), "2001", "2002"})
VIRTUAL_HOST = "18877771111"
VIRTUAL_DAYS = 15
_CLOSED = frozenset({"cancelled", "refunded", "completed"})


class Receivers:
    """Opens receiver tokens; `quota` is how many a day may be opened."""

    def __init__(self, store: Store, credentials: Credentials, now: Callable[[], datetime]) -> None:
        self._store, self._credentials, self._now = store, credentials, now
        self.quota = 1_000

    def decrypt(self, params: Params) -> Row:
        """Answer one call of at most 20 tokens; one that is not the order's present one does not match."""
        try:
            queries = json.loads(required(params, "query_list"))
        except ValueError as error:
            raise invalid("query_list") from error
        if not isinstance(queries, list) or not 1 <= len(queries) <= MOST:
            raise invalid("query_list")
        day = self._now().astimezone(SHANGHAI).date().isoformat()
        with self._store.transaction():
            used = int(self._store.fact(f"taobao_opened/{day}", "0"))
            if used + len(queries) > self.quota:
                raise TopError(15, "Remote service error", "isv.decrypt-quota-exceeded", "解密额度不足")
            found = [self._opened(query) for query in queries]
            self._store.set_fact(f"taobao_opened/{day}", str(used + len(queries)))
            at = int(self._now().timestamp())
            self._store.add_write("taobao", "reveal", day, at, {"texts": len(queries)})
        return {"receiver_list": {"receiver": found}}

    def _opened(self, query: Any) -> Row:
        given = query if isinstance(query, dict) else {}
        if str(given.get("scene")) not in SCENES:
            raise invalid("scene")
        order = self._store.get(str(given.get("tid")))
        if order is None or order.shop != "taobao":
            raise TopError(15, "Remote service error", "isv.trade-not-exist", "交易不存在")
        if order.draft["status"] in _CLOSED:
            raise TopError(15, "Remote service error", "isv.trade-closed", "订单已关闭或已完成,不支持解密")
        answer: Row = {"tid": order.draft["external_no"], "oaid": given.get("oaid", "")}
        if given.get("oaid") != oaid(order.draft, self._credentials):
            return {**answer, "matched": False}
        receiver = order.draft["receiver"]
        expires = self._now().astimezone(SHANGHAI) + timedelta(days=VIRTUAL_DAYS)
        return {
            **answer, "matched": True, "name": receiver["name"], "mobile": f"{VIRTUAL_HOST}-{receiver['phone'][-4:]}",
            "address_detail": receiver["detail"], "state": receiver["province"], "city": receiver["city"],
            "district": receiver["district"], "town": receiver["town"], "privacy_protection": True,
            "secret_no_expire_time": f"{expires:%Y-%m-%d %H:%M:%S}",
        }  # fmt: skip
