"""Networks as ranges of numbers, so that a look-up is one bisection."""

import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_network(text: str) -> Network:
    """Return the network that `text` names (`203.0.113.0/24`, or one address). Raises ValueError."""
    return ipaddress.ip_network(text.strip(), strict=False)


def ranges(networks: Iterable[str]) -> tuple[tuple[int, int, int], ...]:
    """Return networks as sorted ranges (IP version, first, last) that do not overlap; unreadable ones are left out."""
    parsed = []
    for text in networks:
        try:
            parsed.append(parse_network(text))
        except ValueError:
            continue
    v4 = ipaddress.collapse_addresses(n for n in parsed if isinstance(n, ipaddress.IPv4Network))
    v6 = ipaddress.collapse_addresses(n for n in parsed if isinstance(n, ipaddress.IPv6Network))
    joined: list[Network] = [*v4, *v6]
    return tuple(sorted((n.version, int(n.network_address), int(n.broadcast_address)) for n in joined))
