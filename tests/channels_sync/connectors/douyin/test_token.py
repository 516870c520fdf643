from datetime import UTC, datetime, timedelta

import pytest

from channels_sync.connectors.base import AuthorisationError
from channels_sync.connectors.douyin.token import _end
from channels_sync.sandbox.credentials import SANDBOX
from orderhub.core.errors import TemporaryError


def refresh(shop):
    return shop.connector.refresh_token(shop.access)


def ends(found):
    return datetime.fromisoformat(found["expires_at"])


def test_a_refresh_gives_a_token_that_works(shop, platform):
    made = platform.live.make(1)
    found = refresh(shop)
    assert set(found) == {"access_token", "refresh_token", "expires_at", "shop_id", "authorization_code"}
    assert timedelta(days=6) < ends(found) - datetime.now(UTC) < timedelta(days=8)
    shop.credentials |= found
    assert len(list(shop.pages())) == len(made)


def test_two_workers_who_refresh_at_once_get_tokens_that_both_work(shop, platform):
    first = refresh(shop)
    platform.douyin.tokens.shorten(1800)
    second, third = refresh(shop), refresh(shop)
    assert second["access_token"] == third["access_token"] != first["access_token"]
    for found in (first, second):
        shop.credentials["access_token"] = found["access_token"]
        assert list(shop.pages()) == []


def test_more_than_an_hour_before_its_end_the_token_stays(shop):
    assert refresh(shop)["access_token"] == refresh(shop)["access_token"]


def test_a_token_that_has_run_out_is_refused_and_replaced(shop, platform):
    shop.credentials |= refresh(shop)
    platform.douyin.tokens.shorten(-1)
    with pytest.raises(AuthorisationError):
        list(shop.pages())
    shop.credentials |= refresh(shop)
    assert list(shop.pages()) == []


def test_the_shops_own_application_needs_no_refresh_token(shop):
    shop.credentials |= {"refresh_token": "", "access_token": ""}
    assert refresh(shop)["access_token"]


def test_a_refresh_token_that_is_too_old_falls_back_to_the_shops_number(shop):
    shop.credentials["refresh_token"] = "another"
    assert refresh(shop)["access_token"]


def test_the_code_of_an_authorisation_is_used_once(shop):
    shop.credentials |= {"refresh_token": "", "shop_id": "", "authorization_code": SANDBOX.douyin_code}
    found = refresh(shop)
    assert (found["authorization_code"], found["shop_id"]) == ("", SANDBOX.douyin_shop_id)


def test_a_code_is_not_sent_again_on_the_spot(shop, platform):
    shop.fault("http500", "token.create", times=99)
    with pytest.raises(TemporaryError):
        shop.connector.obtain_token(shop.access, SANDBOX.douyin_code)
    shop.credentials |= {"refresh_token": "", "authorization_code": SANDBOX.douyin_code}
    with pytest.raises(TemporaryError):
        refresh(shop)
    assert [fault["fired"] for fault in platform.faults.listing()] == [2]


def test_a_withdrawn_authorisation_needs_a_person(shop, platform):
    platform.douyin.tokens.is_revoked = True
    with pytest.raises(AuthorisationError):
        refresh(shop)
    with pytest.raises(AuthorisationError):
        list(shop.pages())


def test_nothing_to_refresh_with_needs_a_person(shop):
    shop.credentials |= {"refresh_token": "", "shop_id": ""}
    with pytest.raises(AuthorisationError):
        refresh(shop)


def test_a_failure_that_passes_does_not_try_the_next_way(shop, platform):
    shop.fault("http500", "token.refresh", times=99)
    with pytest.raises(TemporaryError):
        refresh(shop)


@pytest.mark.parametrize(
    ("value", "seconds"), [(600, 600), ("600", 600), (1_700_000_600, 600), (None, 3600), ("soon", 3600), (10**30, 3600)]
)
def test_seconds_and_moments_are_told_apart(value, seconds):
    now = datetime.fromtimestamp(1_700_000_000, UTC)
    assert _end(value, now) == now + timedelta(seconds=seconds)
