import pytest

from channels_sync.admin.advice import BY_PLATFORM, GENERAL, advice
from channels_sync.connectors.base import AuthorisationError, ThrottledError, connectors
from channels_sync.connectors.causes import Cause, because, cause_of
from channels_sync.connectors.douyin.errors import douyin_error
from channels_sync.connectors.jd.client import jd_error
from channels_sync.connectors.taobao.client import top_error
from channels_sync.connectors.wechat.errors import wechat_error
from orderhub.core.errors import HubError, TemporaryError


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (top_error(27, "", "Invalid session"), "session"),
        (top_error(7, "", "This ban will last for 1 more seconds"), "limit"),
        (top_error(7, "", "This ban will last for 40000 more seconds"), "quota"),
        (top_error(25, "", "Invalid signature"), "secret"),
        (top_error(31, "", "Invalid timestamp"), "clock"),
        (top_error(11, "", "Insufficient isv permissions"), "rights"),
        (top_error(15, "isp.top-remote-unknown-error", "busy"), "service"),
        (top_error(15, "isv.trade-not-exist", "no"), "refused"),
        (jd_error("19", "invalid token"), "session"),
        (jd_error("2", "App Call Limited"), "quota"),
        (jd_error("12", "Invalid Signature"), "secret"),
        (jd_error("8", "timestamp"), "clock"),
        (jd_error("21", "app"), "secret"),
        (jd_error("2001", "no permission"), "rights"),
        (douyin_error(40003, "isv.access-token-expired", ""), "session"),
        (douyin_error(30001, "dop.authorization-closed", ""), "withdrawn"),
        (douyin_error(60000, "isv.traffic-limited", ""), "limit"),
        (douyin_error(40003, "isv.signature-invalid", ""), "secret"),
        (douyin_error(40003, "isv.invalid_ip", ""), "address"),
        (douyin_error(30001, "dop.no-permissions", ""), "rights"),
        (wechat_error(40001, "invalid credential"), "session"),
        (wechat_error(40125, "invalid appsecret"), "secret"),
        (wechat_error(40164, "invalid ip"), "address"),
        (wechat_error(48001, "api unauthorized"), "rights"),
        (wechat_error(45009, "reach max api daily quota limit"), "quota"),
        (wechat_error(45011, "api minute-quota reach limit"), "limit"),
    ],
)
def test_each_platform_s_answers_tell_their_cause(error, cause):
    assert cause_of(error) == cause


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (AuthorisationError("no"), "session"),
        (ThrottledError("slow", retry_after=5), "limit"),
        (ThrottledError("slow", retry_after=4000), "quota"),
        (TemporaryError("later"), "service"),
        (HubError("no"), "refused"),
        (ZeroDivisionError("oops"), "hub"),
        (because(Cause.NETWORK, TemporaryError("away")), "network"),
    ],
)
def test_an_error_without_a_cause_is_told_by_its_kind(error, cause):
    assert cause_of(error) == cause


def test_every_cause_has_advice_in_words():
    for cause in Cause:
        if cause is not Cause.NONE:
            assert GENERAL[cause].what
            assert GENERAL[cause].todo
    for platform, cause in BY_PLATFORM:
        assert platform in connectors
        assert cause in GENERAL
    assert advice("own", "session") is GENERAL["session"]
    assert advice("taobao", "session") is BY_PLATFORM["taobao", "session"]
    assert advice("taobao", "a word of a later version") is GENERAL["refused"]
