"""Texts behind cipher texts: masked ones for nothing, clear ones against a quota (protocol reference 4.6).

A phone usually comes back as a virtual number with an extension that stops working after a while. Every cipher text of
a `reveal` counts against the application's daily quota, so callers meter it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _

from channels_sync.connectors import http
from channels_sync.connectors.douyin.client import Gateway
from channels_sync.connectors.douyin.errors import RefusedError
from channels_sync.connectors.douyin.mapping import number_of
from channels_sync.connectors.douyin.receiver import sealed_of
from channels_sync.connectors.exchange import Opened, Sealed
from orderhub.core.contacts import contact_kind
from orderhub.core.errors import HubError

MASK, REVEAL = "order.batchSensitive", "order.batchDecrypt"
LARGEST_BATCH = 50


def sealed_values(order: Mapping[str, Any]) -> list[Sealed]:
    """Return the cipher texts of an order row."""
    return [Sealed(number_of(order), part, text) for part, text in sealed_of(order).items()]


def mask(gateway: Gateway, values: Sequence[Sealed]) -> list[Opened]:
    """Return the masked texts, one for each value. Raises HubError."""
    return _open(gateway, MASK, values, tries=http.TRIES)


def reveal(gateway: Gateway, values: Sequence[Sealed]) -> list[Opened]:
    """Return the clear texts or virtual numbers, one for each value. Raises HubError."""
    # Each try may count against the quota, also one whose answer was lost.
    return _open(gateway, REVEAL, values, tries=1)


def _open(gateway: Gateway, method: str, values: Sequence[Sealed], *, tries: int) -> list[Opened]:
    found: list[Opened] = []
    for place in range(0, len(values), LARGEST_BATCH):
        part = values[place : place + LARGEST_BATCH]
        infos = [{"auth_id": value.external_no, "cipher_text": value.cipher} for value in part]
        data = gateway.call(method, {"cipher_infos": infos}, tries=tries)
        rows = data.get("decrypt_infos")
        answers = {(str(row.get("auth_id")), str(row.get("cipher_text"))): row
                   for row in (rows if isinstance(rows, list) else ()) if isinstance(row, dict)}  # fmt: skip
        error = _whole_error(data)
        found += [_opened(value, answers.get((value.external_no, value.cipher)), error) for value in part]
    return found


def _opened(sealed: Sealed, row: Mapping[str, Any] | None, error: HubError | None) -> Opened:
    if row is None:
        return Opened(sealed, error=error or RefusedError(_("The platform returned no text.")))
    text = str(row.get("decrypt_text") or "")
    if str(row.get("err_no") or "0") != "0" or not text:
        reason = _("The platform does not open this text: %(reason)s") % {
            "reason": str(row.get("err_msg") or "-")[:200]
        }
        return Opened(sealed, error=RefusedError(reason))
    if "*" in text:
        return Opened(sealed, text, "masked")
    kind = "virtual" if row.get("is_virtual_tel") in (True, "true", 1) else "plain"
    if sealed.part == "phone" and kind == "plain":
        kind = contact_kind(text).value
    return Opened(sealed, text, kind, _moment(row.get("expire_time")) if kind == "virtual" else None)


def _whole_error(data: Mapping[str, Any]) -> HubError | None:
    custom = data.get("custom_err")
    if isinstance(custom, dict) and str(custom.get("err_code") or "0") != "0":
        return RefusedError(str(custom.get("err_msg") or custom["err_code"])[:200])
    return None


def _moment(value: Any) -> datetime | None:
    text = str(value)
    return datetime.fromtimestamp(int(text), UTC) if text.isdigit() and 0 < int(text) < 10**11 else None
