"""Whose address counts, by the peer, the proxies that are believed, and what they forward."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory

from orderhub.core import env
from orderhub.core.caller import address_of, is_on_this_machine


def request(peer, forwarded=None):
    headers = {"X-Forwarded-For": forwarded} if forwarded is not None else {}
    return RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer)


@pytest.fixture
def proxies(monkeypatch, settings):
    def believe(text):
        monkeypatch.setenv("HUB_PROXIES", text)
        settings.HUB_PROXIES = env.networks("HUB_PROXIES")

    return believe


@pytest.mark.parametrize(
    ("believed", "peer", "forwarded", "address"),
    [
        ("127.0.0.1", "127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1,10.0.0.0/8", "127.0.0.1", "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("127.0.0.1", "203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("", "127.0.0.1", "198.51.100.1", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", " , ", "127.0.0.1"),
        ("127.0.0.1", "::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "127.0.0.1", "203.0.113.9:50123", "203.0.113.9"),
        ("127.0.0.1", "127.0.0.1", "[2001:db8::9]:50123", "2001:db8::9"),
        ("10.0.0.0/8", "10.0.0.1", "10.9.9.9, 10.1.2.3", "10.1.2.3"),
        ("*", "172.18.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
    ],
    ids=["one hop", "forged left", "chain", "no proxy", "none believed", "not set", "empty", "mapped", "port",
         "port of IPv6", "only inner addresses", "every peer"],
)  # fmt: skip
def test_the_rightmost_entry_that_is_no_proxy_counts(proxies, believed, peer, forwarded, address):
    proxies(believed)
    assert address_of(request(peer, forwarded)) == address


@pytest.mark.parametrize(
    ("believed", "peer", "headers", "is_here"),
    [
        ("", "127.0.0.1", {}, True),
        ("10.0.0.5", "::1", {}, True),
        ("10.0.0.5", "::ffff:127.0.0.1", {}, True),
        ("127.0.0.1", "127.0.0.1", {}, False),
        ("*", "127.0.0.1", {}, False),
        ("", "127.0.0.1", {"X-Forwarded-Proto": "https"}, False),
        ("", "127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, False),
        ("127.0.0.1", "127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, False),
        ("", "203.0.113.9", {}, False),
        ("", "", {}, False),
    ],
)
def test_who_is_on_this_machine(proxies, believed, peer, headers, is_here):
    proxies(believed)
    assert is_on_this_machine(RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer)) is is_here


def test_a_name_instead_of_an_address_stops_the_start(proxies):
    with pytest.raises(ImproperlyConfigured, match="HUB_PROXIES must be addresses or networks: 'proxy' does not"):
        proxies("127.0.0.1,proxy")
