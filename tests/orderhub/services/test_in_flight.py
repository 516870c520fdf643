import time
from threading import Barrier, Event

import pytest
from django.db import connection
from django.utils import translation

from orderhub.services.in_flight import in_flight

own_transactions = pytest.mark.django_db(transaction=True)


def alive(sessions):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)", [list(sessions)])
        return cursor.fetchone()[0]


def session(_piece=None):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


@own_transactions
def test_two_pieces_run_side_by_side_and_come_in_their_order():
    meeting = Barrier(2, timeout=10)
    assert list(in_flight(lambda piece: (meeting.wait(), piece)[1], range(6))) == list(range(6))


@own_transactions
def test_each_thread_has_a_connection_of_its_own_that_is_closed_at_the_end():
    used = set(in_flight(session, range(6)))
    assert session() not in used
    deadline = time.monotonic() + 30
    while alive(used):  # a server process is told to end and takes its time
        assert time.monotonic() < deadline
        time.sleep(0.05)


@own_transactions
def test_the_language_goes_along():
    with translation.override("zh-hans"):
        assert set(in_flight(lambda _piece: translation.get_language(), range(3))) == {"zh-hans"}


@own_transactions
def test_an_error_comes_in_its_place_and_nothing_else_begins():
    begun, ended = [], Event()

    def work(piece):
        begun.append(piece)
        if piece == 1:
            raise ValueError(piece)
        return piece

    results = in_flight(work, range(9), ended=ended)
    assert next(results) == 0
    with pytest.raises(ValueError, match="1"):
        next(results)
    assert (len(begun) < 6, ended.is_set()) == (True, True)


@own_transactions
def test_who_stops_asking_ends_the_work():
    ended = Event()
    results = in_flight(lambda piece: (piece, piece and ended.wait(30))[0], range(9), ended=ended)
    assert next(results) == 0
    results.close()
    assert ended.is_set()


def test_inside_a_transaction_all_is_done_by_its_own_connection(db):
    assert set(in_flight(session, range(3))) == {session()}
