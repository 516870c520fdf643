import json
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from django.utils import translation

from channels_sync.connectors.base import AuthorisationError, ThrottledError
from channels_sync.connectors.wechat import token
from channels_sync.connectors.wechat.client import Options, WechatClient
from channels_sync.connectors.wechat.errors import RefusedError, TokenRefusedError, wechat_error
from channels_sync.connectors.wechat.token import Tokens
from orderhub.core.errors import HubError, TemporaryError
from tests.channels_sync.connectors.wechat.conftest import WechatSide

LATE = datetime(2026, 11, 11, 15, 59, 30, tzinfo=UTC)
"""Half a minute to midnight in China."""
TABLE = [
    (-1, TemporaryError, False, None),
    (40001, TokenRefusedError, True, None),
    (40014, TokenRefusedError, True, None),
    (41001, TokenRefusedError, True, None),
    (42001, TokenRefusedError, True, None),
    (40013, AuthorisationError, True, None),
    (40125, AuthorisationError, True, None),
    (48001, AuthorisationError, True, None),
    (50002, AuthorisationError, True, None),
    (40164, HubError, True, None),
    (61004, HubError, True, None),
    (45009, ThrottledError, False, 30),
    (45011, ThrottledError, False, 30),
    (100003, TemporaryError, False, 5),
    (606006, RefusedError, True, None),
    (31042, RefusedError, True, None),
    (40097, RefusedError, True, None),
    (43001, RefusedError, True, None),
    (47001, RefusedError, True, None),
    (999, RefusedError, True, None),
]


@pytest.mark.parametrize(("code", "kind", "permanent", "seconds"), TABLE)
def test_each_code_of_the_platform_has_its_consequence(code, kind, permanent, seconds):
    error = wechat_error(code, "why", LATE)
    assert (type(error), error.permanent, error.retry_after) == (kind, permanent, seconds)


def test_a_limit_of_the_day_ends_at_midnight_in_china_and_one_of_the_minute_with_it():
    noon = datetime(2026, 11, 11, 4, 0, 10, tzinfo=UTC)
    assert wechat_error(45009, "", noon).retry_after == 300
    assert wechat_error(45011, "", noon).retry_after == 50


@pytest.fixture
def plain(wire, settings):
    """A shop whose platform answers with what a test says; its token is at hand."""
    settings.WECHAT_GATEWAY_URL = wire.url
    side = WechatSide()
    end = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    side.credentials |= {"access_token": "tok-at-hand", "expires_at": end}
    side.wire = wire
    return side


def test_a_call_sends_json_with_the_token_in_the_address(plain):
    plain.wire.body({"errcode": 0, "errmsg": "ok", "n": 1})
    assert WechatClient(plain.access).call("/a/b", {"x": "中"}) == {"errcode": 0, "errmsg": "ok", "n": 1}
    head, body = plain.wire.requests[0]
    path, _, query = head.split(b" ")[1].decode().partition("?")
    assert (path, parse_qs(query)) == ("/x/a/b", {"access_token": ["tok-at-hand"]})
    assert json.loads(body) == {"x": "中"}


@pytest.mark.parametrize("body", [b'{"errcode": 0, "a": ', b"", b"<html>", b"[]", b'{"odd": 1}', b'{"errcode": "x"}'])
def test_an_answer_that_is_none_is_temporary(plain, body):
    plain.wire.body(body)
    with pytest.raises(TemporaryError):
        WechatClient(plain.access).call("/a", {})
    assert len(plain.wire.requests) == 3


def test_no_token_comes_back_in_messages(plain):
    plain.wire.body({"errcode": 999, "errmsg": "bad tok-at-hand here"})
    with pytest.raises(RefusedError) as refused:
        WechatClient(plain.access).call("/a", {})
    assert "tok-at-hand" not in str(refused.value)
    assert refused.value.code == 999


def test_what_must_not_be_sent_twice_is_sent_once(plain):
    plain.wire.body(b"", status="500 Oops")
    with pytest.raises(TemporaryError):
        WechatClient(plain.access).call("/a", {}, tries=1)
    assert len(plain.wire.requests) == 1


@pytest.mark.parametrize(("language", "words"), [("en", "The platform refused the call"), ("zh-hans", "平台拒绝")])
def test_errors_are_told_in_the_language_of_who_asked(side, language, words):
    with translation.override(language), pytest.raises(RefusedError, match=words):
        WechatClient(side.access).call("/channels/ec/order/get", {"order_id": "1"})


def test_settings_that_make_no_sense_are_brought_into_range():
    options = Options.of({"page_size": 1000, "calls_per_second": "fast", "detail_workers": 0})
    assert options == Options(page_size=100, calls_per_second=50, detail_workers=1)


def test_a_token_is_asked_for_once_and_kept_while_it_lives(side):
    side.fault("slow", method=token.PATH, times=99, seconds=0)
    for _ in range(3):
        side.orders()
    assert side.platform.faults.listing()[0]["fired"] == 1


def test_a_stored_token_is_used_while_it_lives(side, settings):
    given = side.connector.refresh_token(side.access)
    assert set(given) == {"access_token", "expires_at"}
    assert 7100 < (datetime.fromisoformat(given["expires_at"]) - datetime.now(UTC)).total_seconds() <= 7200
    side.credentials |= given
    assert Tokens(settings.WECHAT_GATEWAY_URL, side.access).current() == given["access_token"]
    token._slots.clear()
    old = {"access_token": "old", "expires_at": (datetime.now(UTC) + timedelta(seconds=100)).isoformat()}
    side.credentials |= old
    assert Tokens(settings.WECHAT_GATEWAY_URL, side.access).current() == given["access_token"]


def test_asking_again_takes_nobodys_token_away(side, settings):
    first = side.connector.refresh_token(side.access)["access_token"]
    assert side.connector.refresh_token(side.access)["access_token"] == first
    side.platform.live.make(1)
    assert len(side.orders()) == 1


def test_workers_that_meet_a_dead_token_together_renew_it_once(side, settings):
    tokens = Tokens(settings.WECHAT_GATEWAY_URL, side.access)
    dead = tokens.current()
    side.fault("slow", method=token.PATH, times=99, seconds=0.05)
    found = []
    workers = [threading.Thread(target=lambda: found.append(tokens.renewed(dead))) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(set(found)) == 1
    assert dead not in found
    # One that only asked and one that forced.
    assert side.platform.faults.listing()[0]["fired"] == 2


def test_when_no_token_is_forced_any_more_today_nothing_else_is_held_up(side, settings):
    spent = [int(datetime.now(UTC).timestamp()) - 60 * n for n in range(20, 0, -1)]
    side.platform.store.set_fact("wechat_tokens", json.dumps({"tokens": [], "forced": spent}))
    tokens = Tokens(settings.WECHAT_GATEWAY_URL, side.access)
    with pytest.raises(TemporaryError) as raised:
        tokens.renewed(tokens.current())
    assert (type(raised.value), raised.value.retry_after, raised.value.concerns_all) == (TemporaryError, 300, True)


def test_a_token_that_another_worker_renewed_is_taken_over_without_force(side, settings):
    tokens = Tokens(settings.WECHAT_GATEWAY_URL, side.access)
    dead = tokens.current()
    other = side.platform.wechat._tokens.issue(
        {"grant_type": "client_credential", "appid": side.credentials["app_id"],
         "secret": side.credentials["app_secret"], "force_refresh": True}
    )["access_token"]  # fmt: skip
    assert tokens.renewed(dead) == other


def test_a_revoked_token_costs_one_renewal(side):
    made = side.platform.live.make(3)
    side.orders()
    side.platform.store.set_fact("wechat_tokens", '{"tokens": [], "forced": []}')
    assert set(side.orders()) == set(made)


def test_a_token_that_is_refused_again_and_again_is_not_forced_twice_in_half_a_minute(side):
    side.platform.live.make(1)
    side.fault("expired_token", method="/channels/ec/order/list/get", times=99)
    with pytest.raises(AuthorisationError):
        side.orders()
    with pytest.raises(TemporaryError) as refused:
        side.orders()
    assert 0 < refused.value.retry_after <= 30
