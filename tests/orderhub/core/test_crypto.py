import base64

import pytest
from django.core.exceptions import ImproperlyConfigured

from orderhub.core.crypto import Keyring, UnreadableError, blind, keyring, name_grams, open_sealed, seal


def key(number: int) -> str:
    return base64.b64encode(bytes([number]) * 32).decode()


def test_sealed_text_opens_again_and_never_looks_the_same():
    first, second = seal("文三路 90 号".encode(), b"receiver"), seal("文三路 90 号".encode(), b"receiver")
    assert first != second
    assert open_sealed(first, b"receiver").decode() == "文三路 90 号"


def test_a_changed_byte_or_another_column_does_not_open():
    sealed = seal(b"13912345678", b"receiver")
    with pytest.raises(UnreadableError):
        open_sealed(sealed[:-1] + bytes([sealed[-1] ^ 1]), b"receiver")
    with pytest.raises(UnreadableError):
        open_sealed(sealed, b"raw")


def test_the_first_key_seals_and_older_keys_still_open():
    old = Keyring([f"k1:{key(1)}"], key(9))
    new = Keyring([f"k2:{key(2)}", f"k1:{key(1)}"], key(9))
    assert new.open(old.seal(b"x", b"p"), b"p") == b"x"
    with pytest.raises(UnreadableError):
        old.open(new.seal(b"x", b"p"), b"p")


@pytest.mark.parametrize("entry", ["", "k1:", "k1:not base64", f":{key(1)}", "k1:AAAA"])
def test_an_unusable_key_stops_the_start(entry):
    with pytest.raises(ImproperlyConfigured):
        Keyring([entry], key(9))


def test_two_keys_with_one_id_stop_the_start():
    with pytest.raises(ImproperlyConfigured, match="two keys with one id"):
        Keyring([f"2026:{key(2)}", f"2026:{key(1)}"], key(9))


def test_blind_indexes_are_equal_only_for_the_same_value_purpose_and_key(settings):
    here = blind(b"phone", "13912345678")
    assert blind(b"phone", "13912345678") == here
    assert blind(b"tail", "13912345678") != here
    settings.HUB_INDEX_KEY = key(5)
    assert blind(b"phone", "13912345678") != here


def test_a_name_has_one_token_for_each_character_and_pair():
    assert len(name_grams("李雷雷")) == 4
    assert set(name_grams("雷雷")) < set(name_grams("李雷雷"))


def test_the_key_ring_follows_the_settings(settings):
    settings.HUB_DATA_KEYS = [f"other:{key(3)}"]
    assert keyring().active.header == b"\x01\x05other"
