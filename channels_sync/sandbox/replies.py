"""What the emulators send back: bytes with a status, in JSON or in the XML that the platforms write."""

import json
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer; `drop` closes the connection without answering, `wait` holds it back first (seconds)."""

    body: bytes = b""
    content_type: str = "application/json;charset=UTF-8"
    status: int = 200
    wait: float = 0.0
    drop: bool = False


def json_reply(value: Any, status: int = 200) -> Reply:
    """Return a JSON answer, Chinese unescaped."""
    return Reply(json.dumps(value, ensure_ascii=False).encode(), status=status)


def xml_reply(root: str, value: Any) -> Reply:
    """Return an XML answer with one root element."""
    text = f'<?xml version="1.0" encoding="utf-8"?>{element(root, value)}'
    return Reply(text.encode(), "text/xml;charset=UTF-8")


def element(name: str, value: Any) -> str:
    """Return a value as an XML element; a list repeats the element."""
    if isinstance(value, list):
        return "".join(element(name, item) for item in value)
    if isinstance(value, dict):
        inner = "".join(element(key, item) for key, item in value.items())
    elif isinstance(value, bool):
        inner = str(value).lower()
    else:
        inner = escape(str(value))
    return f"<{name}>{inner}</{name}>"


def simplified(value: Any) -> Any:
    """Return the value without the list wrapper level (`trades.trade[]` -> `trades[]`), as `simplify=true` asks."""
    if isinstance(value, list):
        return [simplified(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (only,) = value.values()
        if isinstance(only, list):
            return simplified(only)
    return {key: simplified(item) for key, item in value.items()}
