import time

import psycopg
import pytest
from django.db import connection

from orderhub.services import sessions
from orderhub.services.sessions import limit_idle_transactions

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _as_before():
    yield
    run(f'ALTER ROLE SESSION_USER IN DATABASE "{connection.settings_dict["NAME"]}" RESET ALL')
    connection.close()


def run(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def limit_of_new_sessions():
    connection.close()
    return run("SHOW idle_in_transaction_session_timeout")


def test_new_sessions_have_a_limit_of_a_minute():
    assert limit_of_new_sessions() == "0"
    assert limit_idle_transactions()
    assert limit_of_new_sessions() == "1min"
    assert not limit_idle_transactions()


def test_a_limit_that_somebody_chose_stays():
    run(f'ALTER ROLE SESSION_USER IN DATABASE "{connection.settings_dict["NAME"]}" SET {sessions.NAME} = 0')
    assert limit_of_new_sessions() == "0"
    assert not limit_idle_transactions()
    assert limit_of_new_sessions() == "0"


def test_a_forgotten_transaction_gives_its_locks_up(monkeypatch):
    monkeypatch.setattr(sessions, "IDLE", "100ms")
    limit_idle_transactions()
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as forgotten:
        forgotten.execute("LOCK TABLE orderhub_shop")
        run("SET lock_timeout = '5s'")
        assert run("SELECT count(*) FROM orderhub_shop") == 0
        time.sleep(0.1)
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            forgotten.execute("SELECT 1")
