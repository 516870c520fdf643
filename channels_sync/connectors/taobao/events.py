"""TMC messages (protocol reference 1.11): the platform keeps what happened until it is confirmed.

A message only names a trade, which is fetched. One application has one queue for all shops that use it: messages of
another shop are left alone, so that they come again for that one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from channels_sync import payloads
from channels_sync.connectors.exchange import Pushed
from channels_sync.connectors.taobao.client import TopClient

CONSUME = "taobao.tmc.messages.consume"
CONFIRM = "taobao.tmc.messages.confirm"
TOPICS = ("taobao_trade_", "taobao_refund_")
MOST = 200
"""Messages of one call, both ways."""
KEY = "tmc:"


def waiting(client: TopClient, settings: Mapping[str, Any], user_id: str = "") -> list[Pushed]:
    """Return the messages that wait, at most 200; those about no order name none. `user_id`: the seller whose messages
    are taken where the setting `tmc_user_id` names none; without both, everybody's."""
    content = client.call(CONSUME, {"group_name": _group(settings), "quantity": str(MOST)})
    wrapper = content.get("messages")
    rows = wrapper.get("tmc_message") if isinstance(wrapper, dict) else wrapper
    mine = str(settings.get("tmc_user_id") or user_id)
    messages = [row for row in rows if isinstance(row, dict) and row.get("id")] if isinstance(rows, list) else []
    return [
        Pushed(f"{KEY}{row['id']}", orjson.dumps(row), numbers=_numbers(row))
        for row in messages
        if not mine or str(row.get("user_id")) == mine
    ]


def confirm(client: TopClient, settings: Mapping[str, Any], delivery_keys: Sequence[str]) -> None:
    """Confirm stored messages by their delivery keys."""
    numbers = [key.removeprefix(KEY) for key in delivery_keys if key.startswith(KEY)]
    for start in range(0, len(numbers), MOST):
        part = ",".join(numbers[start : start + MOST])
        client.call(CONFIRM, {"group_name": _group(settings), "s_message_ids": part})


def _group(settings: Mapping[str, Any]) -> str:
    return str(settings.get("tmc_group") or "default")


def _numbers(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the trade that a message names; its content is JSON in a text."""
    if not str(row.get("topic", "")).startswith(TOPICS):
        return ()
    try:
        content = payloads.loads(str(row.get("content", "")).encode("utf-8", "replace"))
    except payloads.BodyError:
        return ()
    number = str(content.get("tid") or "") if isinstance(content, dict) else ""
    return (number,) if number.isascii() and number.isdigit() else ()
