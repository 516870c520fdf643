import gzip
import time
from email.utils import formatdate

import pytest

from channels_sync.connectors import http
from orderhub.core.errors import HubError, TemporaryError


def post(wire, **options):
    return http.post(wire.url, content=b"a=1", content_type="text/plain", **options)


def test_a_whole_answer_comes_back(wire):
    wire.body(b"hello", headers="Content-Type: text/plain\r\n")
    answer = post(wire, query={"q": "1"})
    assert (answer.status, answer.content_type, answer.body) == (200, "text/plain", b"hello")
    head, body = wire.requests[0]
    assert head.startswith(b"POST /x?q=1 HTTP/1.1")
    assert body == b"a=1"


def test_gzip_is_unpacked(wire):
    wire.body(gzip.compress(b"hello" * 100, mtime=0), headers="Content-Encoding: gzip\r\n")
    assert post(wire).body == b"hello" * 100


@pytest.mark.parametrize("at_once", [True, False], ids=["body", "head"])
def test_a_dripping_server_does_not_hold_a_call_beyond_its_deadline(wire, at_once):
    wire.body(b"x" * 1000, pause=0.05, at_once=at_once)
    started = time.monotonic()
    with pytest.raises(TemporaryError):
        post(wire, seconds=0.5)
    assert time.monotonic() - started < 5


def test_a_silent_server_ends_the_call_at_its_deadline(wire):
    wire.body(b"x", pause=6, at_once=False)
    started = time.monotonic()
    with pytest.raises(TemporaryError):
        post(wire, seconds=0.3)
    assert time.monotonic() - started < 5


def test_nobody_listening_is_temporary(settings):
    with pytest.raises(TemporaryError):
        http.post("http://127.0.0.1:1/", content=b"", content_type="text/plain", seconds=1)


@pytest.mark.parametrize(
    "status", ["500 Oops", "503 Busy", "429 Slow", "408 Late", "403 No", "404 Gone", "405 Blocked", "302 Elsewhere"]
)
def test_no_http_status_is_a_refusal_of_one_object_for_good(wire, status):
    wire.body(b"", status=status)
    with pytest.raises(HubError) as failed:
        post(wire)
    assert (failed.value.permanent, failed.value.concerns_all) == (False, False)


def test_retry_after_is_obeyed(wire):
    wire.body(b"", status="429 Slow", headers="Retry-After: 17\r\n")
    with pytest.raises(TemporaryError) as failed:
        post(wire)
    assert failed.value.retry_after == 17


def test_a_body_that_breaks_off_is_temporary(wire):
    wire.body(b"half", length=100)
    with pytest.raises(TemporaryError):
        post(wire)


@pytest.mark.parametrize("body", [gzip.compress(b"hello" * 100, mtime=0)[:-12], b"no gzip at all"])
def test_a_damaged_compressed_body_is_temporary(wire, body):
    wire.body(body, headers="Content-Encoding: gzip\r\n")
    with pytest.raises(TemporaryError):
        post(wire)


def test_a_body_without_end_is_cut_off(wire, monkeypatch):
    monkeypatch.setattr(http, "BODY_LIMIT", 1000)
    wire.body(b"x" * 5000)
    with pytest.raises(TemporaryError):
        post(wire)


def test_a_gzip_bomb_is_not_unpacked_whole(wire, monkeypatch):
    monkeypatch.setattr(http, "BODY_LIMIT", 100_000)
    wire.body(gzip.compress(b"0" * 50_000_000, mtime=0), headers="Content-Encoding: gzip\r\n")
    with pytest.raises(TemporaryError):
        post(wire)


def test_what_passes_is_tried_again_and_what_does_not_is_not(wire):
    wire.body(b"", status="500 Oops")
    wire.body(b"fine")
    assert http.retrying(lambda: post(wire)).body == b"fine"
    wire.answers.clear()
    wire.requests.clear()
    wire.body(b"", status="403 No")
    with pytest.raises(HubError):
        http.retrying(lambda: post(wire))
    assert len(wire.requests) == 1


def test_tries_are_bounded(wire):
    wire.body(b"", status="500 Oops")
    with pytest.raises(TemporaryError):
        http.retrying(lambda: post(wire), tries=3)
    assert len(wire.requests) == 3


def test_secrets_do_not_come_back_in_messages():
    assert http.redact("bad session abc-secret!", ["abc-secret", ""]) == "bad session …!"


@pytest.mark.parametrize(
    ("behind", "more", "ahead"),
    [(400, "", 400), (-400, "", 0), (90_000, "", None), (400, "Age: 400\r\n", None), (None, "", None)],
)
def test_the_clock_is_held_against_the_dates_of_answers(wire, behind, more, ahead):
    date = "Date: soon\r\n" if behind is None else f"Date: {formatdate(time.time() - behind, usegmt=True)}\r\n"
    wire.body(b"", headers=date + more)
    with http.watching_clock() as clock:
        post(wire)
    assert clock.ahead == (pytest.approx(ahead, abs=2) if ahead else ahead)


def test_the_most_that_was_seen_counts_and_only_while_somebody_watches(wire):
    for behind in (100, 400, 200):
        wire.body(b"", headers=f"Date: {formatdate(time.time() - behind, usegmt=True)}\r\n")
    with http.watching_clock() as clock:
        post(wire)
        post(wire)
    post(wire)
    assert clock.ahead == pytest.approx(400, abs=2)
