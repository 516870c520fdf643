"""One POST to the hub's push endpoint, as a platform makes it."""

import http.client
from urllib.parse import urlsplit

TIMEOUT = 5.0
"""Seconds after which a platform takes a push for lost."""


def post(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    """Return status and body of the answer. Raises OSError or http.client.HTTPException when there is none."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=TIMEOUT)
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
