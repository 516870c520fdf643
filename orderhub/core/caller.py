"""Where a request comes from: the one place that looks through proxies."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest

FORWARDED_PROTO = ("hub.forwarded_proto", "https")
"""For `SECURE_PROXY_SSL_HEADER`: a name that no header can have, filled by `ProxyMiddleware` alone."""


def comes_from_proxy(request: HttpRequest) -> bool:
    """Tell whether the peer is one of the proxies that are believed."""
    return _is_proxy(str(request.META.get("REMOTE_ADDR", "")))


def address_of(request: HttpRequest) -> str:
    """Return the address of the client, as the proxies of `HUB_PROXIES` tell it; nobody else is believed.

    Each proxy appends whom it heard, so the entries of X-Forwarded-For are read from the right; what stands left of the
    first that is no proxy may be invented.
    """
    peer = str(request.META.get("REMOTE_ADDR", ""))
    if not _is_proxy(peer):
        return peer
    hops = [_plain(hop) for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
    if not hops:
        return peer
    return next((hop for hop in reversed(hops) if not _is_proxy(hop)), hops[-1])


def is_on_this_machine(request: HttpRequest) -> bool:
    """Tell whether the caller runs on this machine; where a proxy may speak from it, nobody is believed to."""
    peer = str(request.META.get("REMOTE_ADDR", ""))
    parsed = _parsed(peer)
    # A proxy that nobody named gives itself away where it is set up as most are.
    is_forwarded = any(name in request.headers for name in _FORWARDED)
    return parsed is not None and parsed.is_loopback and not _is_proxy(peer) and not is_forwarded


_FORWARDED = ("X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Real-IP")


def _plain(hop: str) -> str:
    """Return an entry without the port that some proxies write behind it."""
    hop = hop.strip()
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _is_proxy(address: str) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in settings.HUB_PROXIES)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    # A server that listens on IPv6 hears IPv4 as ::ffff:127.0.0.1.
    return (isinstance(parsed, IPv6Address) and parsed.ipv4_mapped) or parsed
