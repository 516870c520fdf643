"""Production settings: Django's deployment checks are clean, and what is only for one machine is refused."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCTION = {
    "HUB_PRODUCTION": "1",
    "HUB_SECRET_KEY": "k7Q2pZx9vT4mWc1sRb8yLd5hNf3jGa6eUo0iPqXzVtBnMwCrSyKdLhJf",
    "HUB_DATA_KEYS": "2026-11:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "HUB_INDEX_KEY": "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=",
    "HUB_HOSTS": "hub.example.com",
    "DATABASE_URL": "postgresql://hub:secret@db.example.com/hub",
}


def manage(*words, **changes):
    given = {name: value for name, value in {**PRODUCTION, **changes}.items() if value is not None}
    environment = {"PATH": os.environ["PATH"], **given}
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_the_deployment_checks_are_clean():
    done = manage("check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"HUB_SECRET_KEY": "local-only-" + "x" * 60}, "Production refuses local-only secrets"),
        ({"HUB_DATA_KEYS": "local-only:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}, "Production refuses local-only"),
        ({"HUB_DEBUG": "1"}, "Production refuses local-only secrets and debug mode"),
        ({"HUB_SECRET_KEY": None}, "Set the environment variable HUB_SECRET_KEY."),
        ({"HUB_DATA_KEYS": None}, "Set the environment variable HUB_DATA_KEYS."),
        ({"HUB_INDEX_KEY": None}, "Set the environment variable HUB_INDEX_KEY."),
        ({"HUB_SECRET_KEY": ""}, "Set the environment variable HUB_SECRET_KEY. See .env.example."),
        ({"HUB_DATA_KEYS": ""}, "Set the environment variable HUB_DATA_KEYS. See .env.example."),
        ({"HUB_INDEX_KEY": ""}, "Set the environment variable HUB_INDEX_KEY. See .env.example."),
        ({"DATABASE_URL": ""}, "Set the environment variable DATABASE_URL. See .env.example."),
        ({"HUB_DATA_KEYS": ","}, "HUB_DATA_KEYS names no key. See .env.example."),
        ({"HUB_DATA_KEYS": "2026-11:c2hvcnQ="}, "HUB_DATA_KEYS must be 32 bytes long."),
        ({"HUB_INDEX_KEY": "nonsense"}, "HUB_INDEX_KEY must be 32 bytes long."),
        ({"DATABASE_URL": None}, "Set the environment variable DATABASE_URL."),
        ({"DATABASE_URL": "sqlite:///hub.db"}, "the hub runs on PostgreSQL only"),
        ({"HUB_HOSTS": None}, "Set the environment variable HUB_HOSTS. See .env.example."),
        ({"HUB_HOSTS": " , "}, "Set the environment variable HUB_HOSTS. See .env.example."),
        ({"HUB_OUTBOUND_TIMEOUT": "31"}, "HUB_OUTBOUND_TIMEOUT must be a whole number from 1 to 30, not '31'."),
        ({"HUB_WATCH_SECONDS": "31"}, "HUB_WATCH_SECONDS must be a whole number from 1 to 30, not '31'."),
        ({"HUB_PRODUCTION": "maybe"}, "HUB_PRODUCTION must be yes or no, not 'maybe'."),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_production_refuses(changes, sentence):
    done = manage("check", **changes)
    assert done.returncode != 0
    assert sentence in done.stderr


@pytest.mark.parametrize("words", [["setup", "--no-input"], ["watch"], ["qcluster"]])
def test_no_process_starts_without_keys(words):
    done = manage(*words, HUB_DATA_KEYS="")
    assert done.returncode != 0
    assert "Set the environment variable HUB_DATA_KEYS" in done.stderr


def test_the_web_server_does_not_start_without_keys():
    environment = {"PATH": os.environ["PATH"], **PRODUCTION, "HUB_INDEX_KEY": ""}
    command = [sys.executable, "-c", "import orderhub.wsgi"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert "Set the environment variable HUB_INDEX_KEY" in done.stderr


def test_the_image_is_built_with_keys_that_can_be_read():
    step = re.search(
        r"^RUN (key=.*?export.*?) \\\n", (ROOT / "Dockerfile").read_text(), re.MULTILINE | re.DOTALL
    ).group(1)
    script = f"{step} && {sys.executable} manage.py check"
    done = subprocess.run(["sh", "-ec", script], cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_the_database_is_asked_where_its_first_start_does_not_answer():
    """An empty volume is filled by a server that listens on its socket only and goes away again."""
    (probe,) = re.findall(r"^ +test: (\[.*pg_isready.*\])$", (ROOT / "compose.yaml").read_text(), re.MULTILINE)
    assert json.loads(probe) == ["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "hub", "-d", "hub"]


def test_a_secret_may_come_from_a_file(tmp_path):
    secret = tmp_path / "key"
    secret.write_text(PRODUCTION["HUB_SECRET_KEY"] + "\n")
    done = manage("check", HUB_SECRET_KEY=None, HUB_SECRET_KEY_FILE=str(secret))
    assert done.returncode == 0, done.stderr
