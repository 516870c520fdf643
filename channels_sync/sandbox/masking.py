"""What Taobao shows of a receiver: asterisks and a token that Qimen and the decryption service can read."""

import hashlib
from base64 import urlsafe_b64encode
from datetime import datetime
from typing import Any

from channels_sync.sandbox.credentials import SANDBOX, Credentials

Row = dict[str, Any]


def masked_receiver(receiver: Row) -> Row:
    """Return the receiver as the platform shows it: region readable, name, phone and detail not."""
    return {
        **receiver,
        "name": masked_name(receiver["name"]),
        "phone": masked_phone(receiver["phone"]),
        "detail": "***",
        "postcode": "000000",
    }


def masked_name(name: str) -> str:
    """Return the first character and asterisks."""
    return f"{name[:1]}{'*' * max(len(name) - 1, 1)}"


def masked_phone(phone: str) -> str:
    """Return seven asterisks and the last four characters."""
    return f"*******{phone[-4:]}"


def oaid(draft: Row, credentials: Credentials = SANDBOX) -> str:
    """Return the receiver token: equal receivers of one shop, app and calendar week have equal tokens."""
    receiver = draft["receiver"]
    year, week, _ = datetime.fromisoformat(draft["created_at"]).isocalendar()
    parts = [receiver[name] for name in ("name", "phone", "province", "city", "district", "town", "detail")]
    text = "\n".join([*parts, credentials.seller_id, credentials.app_key, f"{year}-{week}"])
    return "1" + urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def masked_draft(draft: Row) -> Row:
    """Return the draft that an intake would make of this order on Taobao: masked receiver with token, no IP."""
    receiver = {**masked_receiver(draft["receiver"]), "oaid": oaid(draft)}
    buyer = {**draft["buyer"], "nickname": masked_name(draft["buyer"]["nickname"]), "ip": ""}
    return {**draft, "receiver": receiver, "buyer": buyer}
