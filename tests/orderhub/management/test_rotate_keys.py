import base64

import pytest
from django.core.management import CommandError, call_command

from orderhub.models import Receiver
from orderhub.services import rotation
from tests.factories import make_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_keys(settings):
    make_order()
    settings.HUB_DATA_KEYS = [f"new:{base64.b64encode(bytes(32)).decode()}", *settings.HUB_DATA_KEYS]


def test_the_older_keys_can_go_once_nothing_needs_them(two_keys, capsys):
    call_command("rotate_keys")
    assert capsys.readouterr().out == (
        "1 values re-encrypted. The older keys can be taken out of HUB_DATA_KEYS now.\n"
    )  # fmt: skip


def test_what_was_sealed_with_an_older_key_meanwhile_keeps_it(two_keys, capsys, monkeypatch):
    monkeypatch.setattr("orderhub.management.commands.rotate_keys.rotate", lambda **_options: rotation.Rotated(7))
    with pytest.raises(CommandError, match=r"^1 values \(orderhub_receiver 1\) still need an older key: keep it"):
        call_command("rotate_keys")
    assert capsys.readouterr().out == "7 values re-encrypted.\n"
    assert sum(rotation.left_behind().values()) == 1


def test_what_no_key_opens_is_counted_and_fails_the_command(two_keys, capsys):
    Receiver.objects.update(sealed=b"\x01\x04lost" + bytes(40))
    with pytest.raises(
        CommandError,
        match=r"^1 values \(orderhub_receiver 1\) are opened by no key .* All others need the first key only\.",
    ):
        call_command("rotate_keys")
    assert capsys.readouterr().out == "0 values re-encrypted.\n"
