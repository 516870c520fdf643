"""Runs the hub's processes side by side: prefixed output, restarts with backoff, and nobody left at the end."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from orderhub.core import guard

GRACE_SECONDS = 6
"""How long a process may take to end by itself; Ctrl-C is done within ten."""
BACKOFF_LIMIT_SECONDS = 30
LOOK_SECONDS = 0.25
LAST_WORDS_SECONDS = 1
SETTLED_SECONDS = 60
"""A process that lived this long starts its backoff anew."""

Report = Callable[[str, str], None]
"""Takes the name of a program and one line of its output."""


@dataclass
class Program:
    """One process that is to run all the time."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    reader: threading.Thread | None = None
    started_at: float = 0.0
    next_start_at: float = 0.0
    failures: int = 0


class Supervisor:
    """Starts programs, each in a process group of its own, and keeps them running until `stop` is called."""

    def __init__(self, programs: Sequence[Program], report: Report) -> None:
        self.programs = programs
        self.report = report
        # A plain flag: a signal handler must not take the lock of a threading.Event.
        self._is_ending = False
        self._guard: subprocess.Popen[str] | None = None

    def stop(self) -> None:
        """Ask `run` to end everything; a second call kills what has not ended yet. Safe in a signal handler."""
        if self._is_ending:
            for process in self._running():
                guard.kill_group(process.pid)
        self._is_ending = True

    def run(self, in_between: Callable[[], None]) -> None:
        """Keep the programs running until `stop`; calls `in_between` after each look."""
        try:
            while not self._is_ending:
                self._look()
                in_between()
                time.sleep(LOOK_SECONDS)
        finally:
            self._end_all()

    def _look(self) -> None:
        self._mend_guard()
        now = time.monotonic()
        for program in self.programs:
            if program.process is not None and program.process.poll() is not None:
                self._bury(program, now)
            if program.process is None and now >= program.next_start_at:
                self._start(program, now)

    def _start(self, program: Program, now: float) -> None:
        program.process = subprocess.Popen(  # noqa: S603
            program.command,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **program.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        program.started_at = now
        self._tell_guard(f"+{program.process.pid}")
        program.reader = threading.Thread(target=self._read, args=[program.name, program.process.stdout], daemon=True)
        program.reader.start()

    def _bury(self, program: Program, now: float) -> None:
        assert program.process is not None
        # Workers that outlived their parent would go on beside the new ones.
        guard.kill_group(program.process.pid)
        self._tell_guard(f"-{program.process.pid}")
        if program.reader is not None:
            # Its last words come before the word of its end.
            program.reader.join(LAST_WORDS_SECONDS)
        program.failures = 1 if now - program.started_at > SETTLED_SECONDS else program.failures + 1
        wait = min(2 ** (program.failures - 1), BACKOFF_LIMIT_SECONDS)
        program.next_start_at = now + wait
        self.report(program.name, f"ended with {program.process.returncode}; starts again in {wait} s")
        program.process = None

    def _read(self, name: str, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self.report(name, line.rstrip("\n"))

    def _end_all(self) -> None:
        groups = [process.pid for process in self._running()]
        ender = threading.Thread(target=guard.end_groups, args=[groups, GRACE_SECONDS])
        ender.start()
        while ender.is_alive():
            ender.join(0.05)
            self._reap()
        for group in groups:
            guard.kill_group(group)
            self._tell_guard(f"-{group}")
        self._reap(wait=True)
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            self._guard.wait(GRACE_SECONDS)

    def _reap(self, *, wait: bool = False) -> None:
        """Collect ended children: an uncollected leader still counts as a member of its group."""
        for process in self._running():
            if wait:
                process.wait(GRACE_SECONDS)
            else:
                process.poll()

    def _running(self) -> list[subprocess.Popen[str]]:
        return [program.process for program in self.programs if program.process is not None]

    def _mend_guard(self) -> None:
        if self._guard is not None and self._guard.poll() is None:
            return
        self._guard = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", guard.__file__, str(GRACE_SECONDS)],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        for process in self._running():
            self._tell_guard(f"+{process.pid}")

    def _tell_guard(self, line: str) -> None:
        if self._guard is None or self._guard.stdin is None:
            return
        try:
            self._guard.stdin.write(f"{line}\n")
            self._guard.stdin.flush()
        except BrokenPipeError:
            self._guard.kill()
