"""TMC messages (protocol reference 1.11): one for each new version of a trade, again until it is confirmed."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.store import Store
from channels_sync.sandbox.top_errors import invalid, required, whole
from channels_sync.sandbox.trades import status_of, top_time

Params = Mapping[str, str]
Answer = dict[str, Any]

MOST = 200
_REVISIONS = 10_000
"""Versions of one trade that message numbers tell apart."""
_TOPICS = {
    "WAIT_BUYER_PAY": "taobao_trade_TradeCreate",
    "WAIT_SELLER_SEND_GOODS": "taobao_trade_TradeBuyerPay",
    "WAIT_BUYER_CONFIRM_GOODS": "taobao_trade_TradeSellerShip",
    "SELLER_CONSIGNED_PART": "taobao_trade_TradePartlySellerShip",
    "TRADE_CLOSED_BY_TAOBAO": "taobao_trade_TradeClose",
}


class Messages:
    """Answers `taobao.tmc.messages.consume` and `.confirm`."""

    def __init__(self, store: Store, credentials: Credentials, now: Callable[[], datetime]) -> None:
        self._store, self._credentials, self._now = store, credentials, now

    def consume(self, params: Params) -> Answer:
        """Answer the messages that are not confirmed, oldest first."""
        limit = whole(params, "quantity", 100, MOST)
        rows = self._store.query(
            "SELECT rowid, revision, pushed, draft FROM orders WHERE shop = 'taobao' AND pushed < revision AND due <= ?"
            " ORDER BY due LIMIT ?",
            int(self._now().timestamp()), limit,
        )  # fmt: skip
        found = [self._message(row["rowid"], row["revision"], json.loads(row["draft"]), row["pushed"]) for row in rows]
        return {"messages": {"tmc_message": found}} if found else {}

    def confirm(self, params: Params) -> Answer:
        """Take messages off the queue; numbers that are not on it are no error."""
        numbers = required(params, "s_message_ids").split(",")
        if len(numbers) > MOST or not all(number.isdigit() for number in numbers):
            raise invalid("s_message_ids")
        with self._store.transaction() as db:
            db.executemany(
                "UPDATE orders SET pushed = max(pushed, ?) WHERE rowid = ? AND shop = 'taobao'",
                [(int(number) % _REVISIONS, int(number) // _REVISIONS) for number in numbers],
            )
        return {"is_success": True}

    def _message(self, row: int, revision: int, draft: dict[str, Any], told: int) -> Answer:
        topic = _TOPICS.get(status_of(draft), "taobao_trade_TradeChanged")
        if any(line["refund"] != "none" for line in draft["lines"]):
            topic = "taobao_refund_RefundCreated"
        elif told:
            topic = "taobao_trade_TradeChanged" if topic == "taobao_trade_TradeBuyerPay" else topic
        content = {"tid": int(draft["external_no"]), "seller_nick": self._credentials.seller_nick}
        return {
            "id": row * _REVISIONS + revision,
            "topic": topic,
            "content": json.dumps(content, ensure_ascii=False),
            "user_id": int(self._credentials.seller_id),
            "user_nick": self._credentials.seller_nick,
            "pub_time": top_time(draft["modified_at"]),
            "pub_app_key": "12497914",
        }
