from orderhub.settings import _database

ALIVE = {
    "connect_timeout": 2,
    "tcp_user_timeout": 10_000,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}


def test_a_database_host_that_vanishes_is_given_up_within_seconds():
    assert _database("postgresql://hub:secret@db/hub")["OPTIONS"] == {**ALIVE, "application_name": "orderhub"}


def test_the_address_of_the_database_overrides_it():
    options = _database("postgresql://hub@db/hub?tcp_user_timeout=60000&keepalives=0&sslmode=require")["OPTIONS"]
    assert options["tcp_user_timeout"] == "60000"
    assert options["keepalives"] == "0"
    assert options["sslmode"] == "require"
    assert options["keepalives_idle"] == 10
