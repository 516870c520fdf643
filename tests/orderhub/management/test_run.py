"""`manage.py run` as a person starts it: a folder of its own, free ports, its own embedded database."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from orderhub.management.commands.run import GATEWAYS, point_at_sandbox

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 150
"""Five processes start beside other tests on two cores; a start that takes minutes is still a failure."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def members(var):
    """Every process that was started for this folder, PostgreSQL and its helpers included."""
    marks = (f"HUB_VAR_DIR={var}".encode(), str(var).encode())
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = folder.joinpath("environ").read_bytes() + folder.joinpath("cmdline").read_bytes()
            state = folder.joinpath("stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z" and any(mark in told for mark in marks):
            found.add(int(folder.name))
    return found


def wait_for(condition, seconds):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.2)
    return found


class Run:
    def __init__(self, var):
        self.port, self.sandbox_port = free_port(), free_port()
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "DATABASE_", "DJANGO_"))
        } | {"HUB_VAR_DIR": str(var), "PYTHONWARNINGS": "default"}
        self.log = var / "terminal"
        command = [
            sys.executable,
            "manage.py",
            "run",
            "--port",
            str(self.port),
            "--sandbox-port",
            str(self.sandbox_port),
        ]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return None

    def status(self):
        words = [sys.executable, "manage.py", "status", "--json"]
        answer = subprocess.run(words, cwd=ROOT, env=self.environment, capture_output=True, check=True)
        return json.loads(answer.stdout)

    def passwords(self):
        names = "supervisor|agent|risk|warehouse|auditor"
        return dict(re.findall(rf"^  ({names}) +(\S{{12}})$", self.log.read_text(), re.MULTILINE))

    def end(self, number):
        started = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(60)
        return time.monotonic() - started


@pytest.fixture
def var(tmp_path_factory):
    """A folder of its own for each test: a hub that ran before has its accounts and shows no passwords."""
    return tmp_path_factory.mktemp("run")


@pytest.mark.timeout(600)
def test_the_hub_runs_takes_orders_in_ends_and_goes_on(var):
    first = Run(var)
    try:
        wait_for(lambda: first.get("/healthz") == 200, START_SECONDS)
        assert set(first.passwords()) == {"supervisor", "agent", "risk", "warehouse", "auditor"}
        assert wait_for(lambda: first.status()["by_lane"].get("regular"), START_SECONDS)
        wait_for(lambda: first.get("/readyz") == 200, 90)
        orders = first.status()["orders"]
    finally:
        took = first.end(signal.SIGINT)
    assert first.process.returncode == 0
    assert took < 40
    assert members(var) == set()
    assert "Traceback" not in first.log.read_text()

    second = Run(var)
    try:
        wait_for(lambda: second.get("/healthz") == 200, START_SECONDS)
        assert second.passwords() == {}
        assert second.status()["orders"] >= orders
    finally:
        second.end(signal.SIGTERM)
    assert members(var) == set()


@pytest.mark.timeout(300)
def test_nobody_is_left_when_it_is_killed(var):
    run = Run(var)
    wait_for(lambda: run.get("/healthz") == 200, START_SECONDS)
    assert len(members(var)) > 8
    run.end(signal.SIGKILL)
    wait_for(lambda: not members(var), 20)


@pytest.mark.parametrize(("words", "command"), [([], "run"), (["PORT=8001"], "run --port 8001"), (["PORT="], "run")])
def test_make_leaves_the_port_to_the_env_file_unless_it_is_told_one(words, command):
    asked = ["make", "--dry-run", "run", *words]
    done = subprocess.run(asked, cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split("manage.py ")[1].strip() == command


@pytest.mark.django_db
def test_a_taken_port_is_said_before_anything_starts():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"Port {port} is in use; choose another, for example PORT={port + 1}"):
            call_command("run", "--port", str(port), "--no-sandbox")


def test_the_demo_talks_to_the_sandbox_whatever_the_env_file_says(monkeypatch):
    for name in GATEWAYS:
        monkeypatch.setenv(name, "https://eco.taobao.com/router/rest")
        monkeypatch.setenv(f"{name}_FILE", "/run/secrets/gateway")
    point_at_sandbox(8790)
    assert [name for name in GATEWAYS if f"{name}_FILE" in os.environ] == []
    assert {name: os.environ[name] for name in GATEWAYS} == {
        "HUB_TAOBAO_GATEWAY_URL": "http://127.0.0.1:8790/router/rest",
        "HUB_WECHAT_GATEWAY_URL": "http://127.0.0.1:8790/wechat",
        "HUB_JD_GATEWAY_URL": "http://127.0.0.1:8790/jd/routerjson",
        "HUB_JD_OAUTH_URL": "http://127.0.0.1:8790/jd/oauth2",
        "HUB_DOUYIN_GATEWAY_URL": "http://127.0.0.1:8790/douyin",
        "HUB_QIMEN_GATEWAY_URL": "http://127.0.0.1:8790/router/qimen/service",
    }


@pytest.mark.parametrize("command", ["run", "demo", "bench"])
def test_production_refuses_what_is_for_one_machine(command, settings):
    settings.PRODUCTION = True
    with pytest.raises(CommandError):
        call_command(command)
