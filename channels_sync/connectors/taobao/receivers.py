"""Receivers in clear, asked for by their token and a reason code (protocol reference 1.8).

A token belongs to one calendar week; where it no longer matches, the order's present one is fetched and asked for once.
Phones come as virtual numbers with an end. One question opens name, phone and address together.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from django.utils.translation import gettext as _

from channels_sync.connectors.exchange import Opened, QuotaReachedError, Sealed
from channels_sync.connectors.fields import SHANGHAI
from channels_sync.connectors.taobao.client import RefusedError, TopClient
from orderhub.core.contacts import contact_kind
from orderhub.core.draft import EARLIEST

METHOD, FULL = "taobao.top.oaid.decrypt", "taobao.trade.fullinfo.get"
TOKEN_FIELDS = "tid,created,receiver_name,receiver_state,receiver_city,receiver_address,receiver_mobile,oaid"  # noqa: S105
"""The platform gives a token only beside these."""
MOST = 20
SCENES = frozenset({*(str(number) for number in range(1001, 1008)), "2001", "2002"})
AFTER_SALE = "2001"
_QUOTA_WORDS = ("quota", "额度", "次数")
_FIELDS = {"name": ("name",), "phone": ("mobile", "phone"), "detail": ("address_detail",)}


def reveal(client: TopClient, settings: Mapping[str, Any], values: Sequence[Sealed]) -> list[Opened]:
    """Return the texts behind receiver tokens, one for each value. Raises HubError, QuotaReachedError."""
    scene = str(settings.get("reveal_scene") or AFTER_SALE)
    tokens = {value.external_no: value.cipher for value in values}
    found = _asked(client, scene if scene in SCENES else AFTER_SALE, tokens)
    stale = [number for number in tokens if found.get(number, {}).get("matched") is False]
    fresh = {number: token for number in stale if (token := _present_token(client, number)) not in {"", tokens[number]}}
    if fresh:
        found |= _asked(client, scene if scene in SCENES else AFTER_SALE, fresh)
    return [_opened(value, found.get(value.external_no, {})) for value in values]


def _asked(client: TopClient, scene: str, tokens: Mapping[str, str]) -> dict[str, Mapping[str, Any]]:
    rows: dict[str, Mapping[str, Any]] = {}
    wanted = [{"tid": number, "oaid": token, "scene": scene} for number, token in tokens.items()]
    for start in range(0, len(wanted), MOST):
        query = orjson.dumps(wanted[start : start + MOST]).decode()
        try:
            # Each question counts against the quota: what seems lost is not asked again on the spot.
            content = client.call(METHOD, {"query_list": query}, tries=1)
        except RefusedError as error:
            if any(word in str(error) for word in _QUOTA_WORDS):
                reached = _("The platform opens no more contacts today: its quota is used up. %(text)s")
                raise QuotaReachedError(reached % {"text": error}) from error
            raise
        rows |= {str(row.get("tid")): row for row in _rows(content)}
    return rows


def _rows(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    wrapper = content.get("receiver_list")
    rows = wrapper.get("receiver") if isinstance(wrapper, dict) else wrapper
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _present_token(client: TopClient, number: str) -> str:
    content = client.call(FULL, {"tid": number, "fields": TOKEN_FIELDS, "include_oaid": "true"})
    trade = content.get("trade")
    return str(trade.get("oaid") or "") if isinstance(trade, dict) else ""


def _opened(value: Sealed, row: Mapping[str, Any]) -> Opened:
    text = next((str(row[name]) for name in _FIELDS.get(value.part, ()) if row.get(name)), "")
    if not text:
        return Opened(value, error=RefusedError(_("The platform returned no text.")))
    is_virtual = value.part == "phone" and row.get("privacy_protection") in (True, "true")
    kind = "virtual" if is_virtual else contact_kind(text).value if value.part == "phone" else "plain"
    return Opened(value, text, kind, _moment(row.get("secret_no_expire_time")) if is_virtual else None)


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)
    # In UTC a first day of the year 1 would lie before the calendar.
    return moment.astimezone(UTC) if moment > EARLIEST else None
