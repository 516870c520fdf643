"""The web server's settings: each may come as a file or empty, like those of the hub."""

import runpy
from pathlib import Path

import pytest

CONF = Path(__file__).resolve().parent.parent / "gunicorn.conf.py"
NAMES = ("PORT", "HUB_BIND", "HUB_WEB_PROCESSES", "HUB_WEB_THREADS", "HUB_PROXIES")


def read():
    conf = runpy.run_path(str(CONF))
    return tuple(conf[name] for name in ("bind", "workers", "threads", "forwarded_allow_ips"))


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    monkeypatch.setattr("orderhub.core.local.read_env_file", lambda _path: None)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_without_settings():
    assert read() == ("127.0.0.1:8000", 2, 8, "127.0.0.1,::1")


def test_what_is_left_empty_has_its_default_but_the_proxies(monkeypatch):
    for name in NAMES:
        monkeypatch.setenv(name, "")
    assert read() == ("127.0.0.1:8000", 2, 8, "")


def test_each_may_come_as_a_file(monkeypatch, tmp_path):
    for name, value in zip(NAMES, ("9000", "0.0.0.0", "3", "4", "10.0.0.5"), strict=True):
        (tmp_path / name).write_text(f"{value}\n")
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
    assert read() == ("0.0.0.0:9000", 3, 4, "10.0.0.5")
