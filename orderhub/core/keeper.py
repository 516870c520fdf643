"""Keeps one embedded PostgreSQL alive while anybody uses it; run as a script by `orderhub.core.embedded`.

Whoever uses the server holds a shared lock on `users.lock`. The kernel gives the lock up for a process that is killed,
so the keeper, which waits for the lock alone, notices the end of the last user whatever that end was.

    python keeper.py HOME BINARIES SOCKET_DIR USER_ID     (USER_ID: who PostgreSQL runs as; it refuses root)
"""

import ctypes
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "random_page_cost": "1.1",
    "jit": "off",
    # Without the rows and values of failed statements: the log holds no personal data.
    "log_error_verbosity": "terse",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
TEST_HOME = "pg-test"
"""A cluster in a folder of this name is the test suite's: nothing in it outlives a run."""
FORGETFUL = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
"""Emptying sixty tables after a test flushes hundreds of files otherwise."""
LOG_BYTES = 10_000_000
STOP_SECONDS = 20
LOOK_SECONDS = 0.1
TRIES = 3
"""Starts that end at once before the keeper gives up; the first may meet what a crash left in memory."""
PR_SET_PDEATHSIG = 1


def main(home: Path, binaries: Path, socket_dir: Path, user_id: int) -> int:
    """Run the server until its last user is gone; 3 when another keeper does it already."""
    os.umask(0o022)
    os.chdir("/")
    lock = (home / "keeper.lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 3
    log_path = home / "server.log"
    if log_path.exists() and log_path.stat().st_size > LOG_BYTES:
        log_path.replace(log_path.with_suffix(".old.log"))
    with log_path.open("ab") as log, (home / "users.lock").open("rb") as users:
        return Keeper(home, binaries, socket_dir, user_id, log).keep(users)


class Keeper:
    """The server process with its way to start and its way to end."""

    def __init__(self, home: Path, binaries: Path, socket_dir: Path, user_id: int, log: BinaryIO) -> None:
        self.data = home / "data"
        self.binaries = binaries
        self.socket_dir = socket_dir
        self.log = log
        self.is_ending = False
        # Root must become somebody else; anybody else stays who they are.
        self.as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self.as_user = {"user": user_id, "group": pwd.getpwuid(user_id).pw_gid, "extra_groups": []}

    def keep(self, users: BinaryIO) -> int:
        """Start the server, again after a crash, until nobody uses it; 1 when it cannot start."""
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster()
        signal.signal(signal.SIGTERM, self._end)
        threading.Thread(target=self._wait_for_last_user, args=[users], daemon=True).start()
        quick_ends = 0
        while quick_ends < TRIES:
            self._wait_for_older_server()
            started = time.monotonic()
            server = self._start()
            while server.poll() is None and not self.is_ending:
                time.sleep(LOOK_SECONDS)
            if self.is_ending:
                return stop(server)
            quick_ends = quick_ends + 1 if time.monotonic() - started < 1 else 0
            time.sleep(0.5)
        return 1

    def _wait_for_older_server(self) -> None:
        """Let a server whose keeper was killed finish its fast stop."""
        deadline = time.monotonic() + STOP_SECONDS
        while is_running(self.data / "postmaster.pid") and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)

    def _wait_for_last_user(self, users: BinaryIO) -> None:
        fcntl.flock(users, fcntl.LOCK_EX)
        self._end()

    def _end(self, *_signal: object) -> None:
        self.is_ending = True

    def _make_cluster(self) -> None:
        draft = self.data.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        words = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        words += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", f"--pgdata={draft}"]
        self._spawn("initdb", *words).check_returncode()
        draft.rename(self.data)

    def _spawn(self, name: str, *words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([self.binaries / name, *words], **self._surroundings())  # noqa: S603

    def _start(self) -> subprocess.Popen[bytes]:
        chosen = SETTINGS | (FORGETFUL if self.data.parent.name == TEST_HOME else {})
        settings = [word for name, value in chosen.items() for word in ("-c", f"{name}={value}")]
        command = [str(self.binaries / "postgres"), "-D", str(self.data), "-k", str(self.socket_dir), *settings]
        server: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603
            command, preexec_fn=end_with_parent, **self._surroundings()
        )
        return server

    def _surroundings(self) -> dict[str, Any]:
        streams = {"stdin": subprocess.DEVNULL, "stdout": self.log, "stderr": self.log}
        return {"cwd": "/", "env": {"LC_ALL": "C", "PATH": os.defpath}, **streams, **self.as_user}


def is_running(pid_file: Path) -> bool:
    """Tell whether the process a PID file names is there."""
    try:
        os.kill(int(pid_file.read_text().split()[0]), 0)
    except (OSError, ValueError, IndexError):
        return False
    return True


def stop(server: subprocess.Popen[bytes]) -> int:
    """End the server: a fast stop first, then one without a checkpoint."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        server.send_signal(number)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        break
    return 0


def end_with_parent() -> None:
    """Ask the kernel for a fast stop of the server should its keeper be killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])))
