import os
import stat
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from orderhub.core import local
from orderhub.core.local import needs_database, prepare_environment, read_env_file, var_dir
from tests.processes import running

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """An environment that says nothing, with a var folder and a checkout of the test's own."""
    for name in list(os.environ):
        if name.startswith(("HUB_", "DATABASE_")):
            monkeypatch.delenv(name)
    # Set and removed again, so that what prepare_environment sets is removed after the test.
    for name in ("HUB_SECRET_KEY", "HUB_DATA_KEYS", "HUB_INDEX_KEY", "DATABASE_URL", "EXTRA"):
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HUB_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setattr(local, "BASE_DIR", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("manage.py", False),
        ("manage.py help", False),
        ("manage.py migrate --help", False),
        ("manage.py makemessages -l zh_Hans", False),
        ("manage.py compilemessages", False),
        ("manage.py sandbox --port 1", False),
        ("manage.py sandbox_orders", False),
        ("manage.py migrate", True),
        ("manage.py run", True),
        ("manage.py test", True),
    ],
)
def test_only_commands_that_may_ask_the_database_need_it(line, expected):
    assert needs_database(line.split()) is expected


@pytest.mark.parametrize(("told", "expected"), [("", "{0}/var"), ("state", "{0}/state"), ("/srv/hub", "/srv/hub")])
def test_a_relative_var_folder_lies_in_the_checkout_wherever_a_command_starts(bare, monkeypatch, told, expected):
    monkeypatch.setenv("HUB_VAR_DIR", told)
    monkeypatch.chdir("/")
    assert str(var_dir()) == expected.format(bare)


def test_secrets_are_made_once_private_and_marked_as_local(bare):
    prepare_environment(["manage.py", "help"])
    path = bare / "var" / "local-secrets.env"
    first = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.environ["HUB_SECRET_KEY"].startswith("local-only-")
    assert os.environ["HUB_DATA_KEYS"].startswith("local-only:")
    prepare_environment(["manage.py", "help"])
    assert path.read_text() == first


def test_a_command_without_need_starts_no_server_but_knows_its_address(bare):
    prepare_environment(["manage.py", "help"])
    assert os.environ["DATABASE_URL"] == f"postgresql://postgres@/orderhub?host={bare}/var/pg/data"
    assert not (bare / "var" / "pg").exists()


def test_production_gets_nothing_made_up(bare, monkeypatch):
    monkeypatch.setenv("HUB_PRODUCTION", "1")
    prepare_environment(["manage.py", "migrate"])
    assert "HUB_SECRET_KEY" not in os.environ
    assert "DATABASE_URL" not in os.environ
    assert not (bare / "var").exists()


def test_a_given_database_is_used_as_it_is(bare, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/hub")
    prepare_environment(["manage.py", "migrate"])
    assert os.environ["DATABASE_URL"] == "postgresql://elsewhere/hub"
    assert not (bare / "var" / "pg").exists()


def test_the_env_file_fills_in_and_never_overrides(bare, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://set/here")
    text = "# a comment = not a value\n\nDATABASE_URL=postgresql://from/file\nexport EXTRA='a = b # c'\nno separator\n"
    (bare / ".env").write_text(text)
    read_env_file(bare / ".env")
    assert os.environ["DATABASE_URL"] == "postgresql://set/here"
    assert os.environ["EXTRA"] == "a = b # c"


@pytest.mark.parametrize(
    ("given", "line"), [("EXTRA", "EXTRA_FILE=/run/secrets/extra"), ("EXTRA_FILE", "EXTRA=from the file")]
)
def test_the_env_file_does_not_give_in_another_form_what_is_set(bare, monkeypatch, given, line):
    for name in ("EXTRA", "EXTRA_FILE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv(given, "set")
    (bare / ".env").write_text(f"{line}\n")
    read_env_file(bare / ".env")
    assert {name: os.environ[name] for name in ("EXTRA", "EXTRA_FILE") if name in os.environ} == {given: "set"}


def test_an_empty_line_of_the_env_file_leaves_room_for_a_file(bare, monkeypatch):
    for name in ("EXTRA", "EXTRA_FILE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    (bare / ".env").write_text("EXTRA=\nEXTRA_FILE=/run/secrets/extra\n")
    read_env_file(bare / ".env")
    assert (os.environ["EXTRA"], os.environ["EXTRA_FILE"]) == ("", "/run/secrets/extra")


def test_eight_first_starts_agree_on_the_secrets(tmp_path):
    code = (
        "import os; from orderhub.core.local import prepare_environment; prepare_environment(['m', 'help']);"
        "print(os.environ['HUB_INDEX_KEY'])"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "DATABASE_"))}
    environment = {**kept, "HUB_VAR_DIR": str(tmp_path)}
    with ExitStack() as stack:
        starts = [stack.enter_context(running(code, cwd=ROOT, env=environment)) for _ in range(8)]
        assert len({start.communicate()[0] for start in starts}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["local-secrets.env"]


def test_importing_the_settings_starts_nothing(tmp_path):
    environment = {
        "PATH": os.environ["PATH"],
        "HUB_VAR_DIR": str(tmp_path),
        "HUB_SECRET_KEY": "s",
        "HUB_DATA_KEYS": "k",
        "HUB_INDEX_KEY": "i",
        "DATABASE_URL": f"postgresql://postgres@/orderhub?host={tmp_path}",
    }
    assert subprocess.run([sys.executable, "-c", "import orderhub.settings"], cwd=ROOT, env=environment).returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "compiled"), [("collectstatic", True), ("setup", True), ("qcluster", False), ("watch", False)]
)
def test_production_compiles_catalogues_while_it_is_installed_and_never_later(bare, monkeypatch, command, compiled):
    folder = bare / "locale" / "zh_Hans" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.po").write_text('msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8"\n')
    monkeypatch.setenv("HUB_PRODUCTION", "1")
    prepare_environment(["manage.py", command, "--no-input"])
    assert (folder / "django.mo").exists() is compiled
