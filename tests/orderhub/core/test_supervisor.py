"""The supervisor: real processes that print, die, hang, leave workers behind."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from orderhub.core import supervisor as module
from orderhub.core.supervisor import Program, Supervisor
from tests.processes import running

HANGS = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
WITH_WORKER = """
import os, subprocess, sys, time
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("worker", worker.pid, flush=True)
time.sleep(60)
"""


class Lines:
    def __init__(self):
        self.seen = []
        self._came = threading.Condition()

    def __call__(self, name, line):
        with self._came:
            self.seen.append((name, line))
            self._came.notify_all()

    def wait_for(self, count, seconds=10):
        with self._came:
            assert self._came.wait_for(lambda: len(self.seen) >= count, seconds), self.seen
            return list(self.seen)


def python(name, code):
    return Program(name, [sys.executable, "-c", code])


@pytest.fixture(autouse=True)
def short_grace(monkeypatch):
    monkeypatch.setattr(module, "GRACE_SECONDS", 1)


@pytest.fixture
def lines():
    return Lines()


@pytest.fixture
def run(lines):
    running = []

    def start(*programs):
        supervisor = Supervisor(programs, lines)
        thread = threading.Thread(target=supervisor.run, args=[lambda: None])
        thread.start()
        running.append((supervisor, thread))
        return supervisor

    def end():
        while running:
            supervisor, thread = running.pop()
            supervisor.stop()
            thread.join(10)
            assert not thread.is_alive()

    start.end = end
    yield start
    end()


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until_gone(pid, seconds=30):
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_each_line_comes_with_the_name_of_its_program(run, lines):
    run(python("one", "print('first', flush=True); import time; time.sleep(60)"))
    assert lines.wait_for(1) == [("one", "first")]


def test_a_program_that_ends_is_started_again_with_growing_waits(run, lines):
    run(python("short", "import sys; print('up', flush=True); sys.exit(3)"))
    seen = [line for _, line in lines.wait_for(4)[:4]]
    assert seen == ["up", "ended with 3; starts again in 1 s", "up", "ended with 3; starts again in 2 s"]


def test_the_end_waits_for_a_clean_one(run, lines):
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('bye', flush=True), sys.exit(0)))\n"
        "print('up', flush=True); time.sleep(60)"
    )
    run(python("polite", code))
    lines.wait_for(1)
    run.end()
    assert lines.wait_for(2)[-1] == ("polite", "bye")


def test_a_program_that_hangs_is_killed_after_the_grace_time(run, lines):
    supervisor = run(python("hanging", HANGS))
    lines.wait_for(1)
    pid = supervisor.programs[0].process.pid
    started = time.monotonic()
    run.end()
    assert 0.9 < time.monotonic() - started < 15
    assert not is_alive(pid)


def test_a_second_stop_does_not_wait(run, lines, monkeypatch):
    monkeypatch.setattr(module, "GRACE_SECONDS", 30)
    supervisor = run(python("hanging", HANGS))
    lines.wait_for(1)
    supervisor.stop()
    started = time.monotonic()
    run.end()
    assert time.monotonic() - started < 20


def test_workers_of_a_killed_program_end_before_it_starts_again(run, lines):
    supervisor = run(python("pool", WITH_WORKER))
    worker = int(lines.wait_for(1)[0][1].split()[1])
    os.kill(supervisor.programs[0].process.pid, signal.SIGKILL)
    wait_until_gone(worker)
    assert int(lines.wait_for(3)[2][1].split()[1]) != worker


def test_nobody_is_left_when_the_supervisor_is_killed():
    code = f"""
import os, sys
from orderhub.core import supervisor
def say(line):
    # One call for each line: several threads speak, and two calls of `print` may mix.
    os.write(1, (line + "\\n").encode())
supervisor.GRACE_SECONDS = 1
worker = {WITH_WORKER!r}
hangs = {HANGS!r}
programs = [supervisor.Program(n, [sys.executable, "-c", c]) for n, c in (("pool", worker), ("hanging", hangs))]
runner = supervisor.Supervisor(programs, lambda name, line: say(line))
runner.run(lambda: say("child " + " ".join(str(p.process.pid) for p in programs)))
"""
    pids = set()
    with running(code) as process:
        while len(pids - {"up"}) < 3 or "up" not in pids:
            words = process.stdout.readline().split()
            assert words, "the supervisor ended by itself"
            pids.update(int(word) for word in words[1:])
            pids.update(word for word in words if word == "up")
    for pid in pids - {"up"}:
        wait_until_gone(pid)
