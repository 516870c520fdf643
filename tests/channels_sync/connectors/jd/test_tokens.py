from datetime import UTC, datetime, timedelta

import pytest

from channels_sync.connectors.base import AuthorisationError
from channels_sync.connectors.jd import tokens
from channels_sync.sandbox.credentials import SANDBOX
from orderhub.core.errors import TemporaryError


def test_a_token_is_renewed_and_the_new_one_opens_the_gateway(shop, platform):
    (number,) = shop.paid()
    renewed = shop.connector.refresh_token(shop.access)
    assert set(renewed) == {"access_token", "refresh_token", "expires_at"}
    ends = datetime.fromisoformat(renewed["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29, hours=23) < ends <= timedelta(days=30)
    shop.credentials.update(renewed)
    assert number in shop.orders()
    assert renewed["access_token"] != SANDBOX.jd_token


def test_a_refresh_token_works_once_and_only_in_the_last_day(shop, platform):
    first = shop.connector.refresh_token(shop.access)
    with pytest.raises(AuthorisationError):
        shop.connector.refresh_token(shop.access)
    shop.credentials.update(first)
    with pytest.raises(AuthorisationError, match="24 hours"):
        shop.connector.refresh_token(shop.access)


def test_a_code_gives_the_first_token(shop, platform):
    got = tokens.obtain(shop.access, SANDBOX.jd_code)
    assert got["access_token"].startswith("sandbox-jd-")
    with pytest.raises(AuthorisationError) as refused:
        tokens.obtain(shop.access, "a-wrong-code")
    assert "a-wrong-code" not in str(refused.value)


@pytest.mark.parametrize("kind", ["http500", "disconnect", "truncated"])
def test_a_lost_answer_is_not_asked_for_again_on_the_spot(shop, platform, kind):
    platform.faults.add({"kind": kind, "times": 1})
    with pytest.raises(TemporaryError):
        shop.connector.refresh_token(shop.access)
    assert platform.faults.listing()[0]["fired"] == 1


def test_without_a_refresh_token_a_person_must_help(shop):
    del shop.credentials["refresh_token"]
    with pytest.raises(AuthorisationError):
        shop.connector.refresh_token(shop.access)
