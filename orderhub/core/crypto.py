"""Sealing of personal data and keyed blind indexes.

Keys come from the environment and have nothing to do with `SECRET_KEY`: `HUB_DATA_KEYS` is a comma-separated list of
`id:base64-of-32-bytes`, the first one seals, all of them open; `HUB_INDEX_KEY` keys the blind indexes.
"""

import base64
import os
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import receiver

FORMAT = 1
NONCE_BYTES = 12


class UnreadableError(Exception):
    """Sealed bytes that no configured key opens; the data is not shown, and never replaced by something else."""


@dataclass(frozen=True, slots=True)
class _Key:
    header: bytes
    cipher: AESGCM


class Keyring:
    """All configured keys; the first seals."""

    def __init__(self, keys: list[str], index_key: str) -> None:
        if not keys:
            raise ImproperlyConfigured("HUB_DATA_KEYS names no key. See .env.example.")
        parsed = [self._read(entry) for entry in keys]
        self.active = parsed[0]
        self._by_header = {key.header: key for key in parsed}
        if len(self._by_header) < len(parsed):
            # The first would seal, and a later one of the same id be tried for opening it.
            raise ImproperlyConfigured("HUB_DATA_KEYS names two keys with one id; give each key an id of its own.")
        self.index_key = self._decode(index_key, "HUB_INDEX_KEY")

    @staticmethod
    def _decode(text: str, name: str) -> bytes:
        try:
            key = base64.b64decode(text, validate=True)
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} is not base64.") from error
        if len(key) != 32:
            raise ImproperlyConfigured(f"{name} must be 32 bytes long.")
        return key

    def _read(self, entry: str) -> _Key:
        key_id, _, secret = entry.partition(":")
        raw_id = key_id.encode()
        if not 1 <= len(raw_id) <= 32:
            raise ImproperlyConfigured("Each key in HUB_DATA_KEYS needs an id of 1 to 32 characters.")
        return _Key(bytes([FORMAT, len(raw_id)]) + raw_id, AESGCM(self._decode(secret, "HUB_DATA_KEYS")))

    def seal(self, clear: bytes, purpose: bytes, nonce: bytes | None = None) -> bytes:
        """Return header + nonce + AES-256-GCM text; `purpose` binds it to one kind of column."""
        nonce = nonce or os.urandom(NONCE_BYTES)
        return self.active.header + nonce + self.active.cipher.encrypt(nonce, clear, purpose)

    def open(self, sealed: bytes, purpose: bytes) -> bytes:
        """Return the clear bytes; raises UnreadableError for an unknown key or changed bytes."""
        size = 2 + sealed[1] if len(sealed) > 1 else 0
        key = self._by_header.get(bytes(sealed[:size]))
        if key is None:
            raise UnreadableError("sealed with a key that is not configured")
        nonce = sealed[size : size + NONCE_BYTES]
        try:
            return key.cipher.decrypt(nonce, sealed[size + NONCE_BYTES :], purpose)
        except InvalidTag as error:
            raise UnreadableError("sealed bytes were changed or belong to another column") from error


@cache
def keyring() -> Keyring:
    """Return the key ring of the settings; read once, and anew when a test changes them."""
    return Keyring(list(settings.HUB_DATA_KEYS), settings.HUB_INDEX_KEY)


@receiver(setting_changed)
def _forget(*, setting: str, **_kwargs: object) -> None:
    if setting in {"HUB_DATA_KEYS", "HUB_INDEX_KEY"}:
        keyring.cache_clear()
        gram.cache_clear()
        _blind_hash.cache_clear()


def seal(clear: bytes, purpose: bytes) -> bytes:
    """Seal with the active key."""
    return keyring().seal(clear, purpose)


def open_sealed(sealed: bytes | memoryview, purpose: bytes) -> bytes:
    """Open with whichever configured key sealed it."""
    return keyring().open(bytes(sealed), purpose)


def blind(purpose: bytes, value: str) -> int:
    """Return a signed 64-bit keyed index of `value` for equality look-ups; the same value gives the same number.

    `purpose` (at most 16 bytes) keeps the indexes of different columns apart.
    """
    digest = _blind_hash(purpose).copy()
    digest.update(value.encode())
    return int.from_bytes(digest.digest(), "big", signed=True)


@cache
def _blind_hash(purpose: bytes) -> "blake2b":
    """A hash that has taken in key and purpose: copying it costs a third less than making one."""
    return blake2b(digest_size=8, key=keyring().index_key, person=purpose)


@lru_cache(maxsize=65536)
def gram(pair: str) -> str:
    """Return the short keyed token of one or two characters of a name, for the array index."""
    digest = blake2b(pair.encode(), digest_size=6, key=keyring().index_key, person=b"name").digest()
    return base64.urlsafe_b64encode(digest).decode()


def name_grams(name: str) -> list[str]:
    """Return the tokens of every single character and every pair of neighbours in `name`, without repeats."""
    parts = [name[i : i + size] for size in (1, 2) for i in range(len(name) - size + 1)]
    return [gram(part) for part in dict.fromkeys(parts)]
