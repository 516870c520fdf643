import threading

import pytest
from django.core.cache import cache
from django.db import connection

from orderhub.services.limits import Limit

pytestmark = pytest.mark.django_db


def test_a_window_ends():
    limit = Limit("test", most=2, seconds=60)
    assert [limit.count("a") for _ in range(3)] == [True, True, False]
    assert limit.is_used_up("a")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE hub_cache SET expires = now() - interval '1 second'")
    assert not limit.is_used_up("a")
    assert limit.count("a")


def test_old_windows_are_cleared_away():
    limit = Limit("test", most=2, seconds=60)
    for name in ("a", "b", "c"):
        limit.count(name)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE hub_cache SET expires = now() - interval '2 hours'")
        limit.count("d")
        cursor.execute("SELECT count(*) FROM hub_cache")
        assert cursor.fetchone() == (1,)


@pytest.mark.django_db(transaction=True)
def test_no_failure_is_lost_between_processes():
    limit = Limit("race", most=1000, seconds=60)

    def count():
        for _ in range(20):
            limit.count("a")
        connection.close()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with connection.cursor() as cursor:
        cursor.execute("SELECT value FROM hub_cache WHERE cache_key = %s", [limit._place("a")])
        assert cursor.fetchone() == ("80",)


def test_one_request_may_count_several_times():
    limit = Limit("test", most=5, seconds=60)
    assert [limit.count("a", 3), limit.count("a", 2), limit.count("a")] == [True, True, False]


def test_statistics_of_workers_throw_no_running_counter_away():
    limit = Limit("test", most=1, seconds=60)
    for number in range(400):
        limit.count(str(number))
    cache.set("statistics", 1)
    assert all(limit.is_used_up(str(number)) for number in range(400))
