import pytest

from tests.triage.judge import batch, candidate, fact_of
from triage.networks import ranges
from triage.predicates.base import IpOrder
from triage.predicates.ip import ip_windows, is_listed

IP = "203.0.113.9"


def order(at, buyer_id=None, ip=IP, **changes):
    return candidate(at=at, buyer_id=buyer_id, buyer={"ip": ip}, **changes)


def test_every_order_of_a_cluster_sees_the_whole_cluster():
    orders = [order(60 * n, buyer_id=n % 3) for n in range(6)]
    assert ip_windows(batch(*orders)) == [(6, 3)] * 6
    assert ip_windows(batch(*orders[::-1])) == [(6, 3)] * 6


@pytest.mark.parametrize(("seconds", "count"), [(3599, 2), (3600, 1), (7200, 1)])
def test_the_window_is_sixty_minutes(seconds, count):
    assert [window[0] for window in ip_windows(batch(order(0), order(seconds)))] == [count, count]


def test_orders_more_than_an_hour_apart_are_not_added_up():
    orders = [order(0), order(1800), order(3000), order(5000), order(8000)]
    assert [window[0] for window in ip_windows(batch(*orders))] == [3, 3, 3, 3, 2]


def test_an_hour_that_is_a_cluster_goes_before_a_fuller_one_of_too_few_buyers():
    early = [order(at, buyer_id=buyer) for at, buyer in ((0, 1), (10, 2), (20, 1))]
    both = [order(at, buyer_id=buyer) for at, buyer in ((3000, 1), (3010, 2), (3020, 1))]
    late = [order(3700, buyer_id=3), order(3710, buyer_id=3)]
    assert ip_windows(batch(*early, *both, *late)) == [(6, 2)] * 3 + [(5, 3)] * 5


def test_the_pool_counts_too_whether_earlier_or_later():
    mine = order(1800, buyer_id=1)
    others = [IpOrder(order(seconds).draft.created_at, 900 + seconds, 7 + seconds) for seconds in (0, 3000, 3500)]
    assert ip_windows(batch(mine, ip_orders={IP: others})) == [(4, 4)]


def test_no_address_is_unknown_and_no_buyer_id_adds_no_buyer():
    assert fact_of("ip.orders_60m") is None
    assert fact_of("ip.is_shared") is None
    assert ip_windows(batch(order(0), order(1), order(2, ip="203.0.113.10"))) == [(2, 0), (2, 0), (1, 0)]


@pytest.mark.parametrize(
    ("ip", "listed"),
    [
        ("10.0.0.1", True), ("10.0.0.255", True), ("10.0.1.0", True), ("10.0.2.0", False), ("9.255.255.255", False),
        ("192.0.2.7", True), ("192.0.2.8", False), ("2001:db8::1", True), ("2001:db9::1", False), ("no address", None),
    ],
)  # fmt: skip
def test_shared_networks(ip, listed):
    networks = ranges(["10.0.0.0/24", "10.0.1.0/24", "192.0.2.7", "2001:db8::/32", "rubbish"])
    assert is_listed(ip, networks) is listed
    assert fact_of("ip.is_shared", buyer={"ip": ip}, context={"networks": networks}) is listed
