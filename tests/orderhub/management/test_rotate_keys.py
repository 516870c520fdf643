import base64

import pytest
from django.core.management import CommandError, call_command

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
    monkeypatch.setattr("orderhub.management.commands.rotate_keys.rotate", lambda **_options: 7)
    with pytest.raises(CommandError, match=r"^1 values \(orderhub_receiver 1\) still need an older key: keep it"):
        call_command("rotate_keys")
    assert capsys.readouterr().out == "7 values re-encrypted.\n"
    assert sum(rotation.left_behind().values()) == 1
