"""The platforms' side of signing, written from the public rule and not shared with any connector.

Rule (protocol reference 1.2 and 2.2): all parameters but `sign`, empty ones dropped, keys in byte order, key and
value joined without separator, then the raw body; MD5 wraps the text in the secret, the HMACs are keyed with it;
upper-case hexadecimal.
"""

import hashlib
import hmac
from collections.abc import Mapping

METHODS = ("md5", "hmac", "hmac-sha256")


def expected_sign(params: Mapping[str, str], secret: str, sign_method: str = "md5", body: str = "") -> str:
    """Return the signature that a request must carry. Raises KeyError for an unknown method."""
    keys = sorted((key for key in params if key != "sign" and key and params[key]), key=lambda key: key.encode())
    text = "".join(f"{key}{params[key]}" for key in keys) + body
    key = secret.encode()
    if sign_method == "md5":
        return hashlib.md5(key + text.encode() + key, usedforsecurity=False).hexdigest().upper()
    digest = {"hmac": "md5", "hmac-sha256": "sha256"}[sign_method]
    return hmac.new(key, text.encode(), digest).hexdigest().upper()


def is_signed(params: Mapping[str, str], secret: str, body: str = "") -> bool:
    """Whether the request's own `sign` is right for its `sign_method`."""
    method = params.get("sign_method", "md5")
    if method not in METHODS:
        return False
    return hmac.compare_digest(expected_sign(params, secret, method, body).encode(), params.get("sign", "").encode())
