"""A file in an extension folder is live, has a test, and is told of."""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from orderhub.core.registry import Registry, UnknownKeyError

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("channels_sync/connectors", "channels_sync/readers", "channels_sync/warehouses", "triage/predicates")


@pytest.fixture
def dropped(tmp_path, monkeypatch):
    """A package with one extension file, one private file and a base."""
    package = tmp_path / "dropped_in"
    package.mkdir()
    package.joinpath("__init__.py").touch()
    package.joinpath("base.py").write_text("raise AssertionError('the base is no extension')")
    package.joinpath("_private.py").write_text("raise AssertionError('private')")
    package.joinpath("wave.py").write_text("from dropped_registry import things\nthings.add('wave', 7)")
    module = type(sys)("dropped_registry")
    module.things = Registry("thing", "dropped_in")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "dropped_registry", module)
    yield module.things
    for name in ("dropped_in", "dropped_in.wave"):
        sys.modules.pop(name, None)


def test_a_file_dropped_into_the_folder_is_live(dropped):
    assert "wave" in dropped
    assert dropped.get("wave") == 7
    assert dropped.items() == [("wave", 7)]


def test_a_look_up_waits_while_another_thread_imports_the_folder(dropped, tmp_path):
    text = "import time\nfrom dropped_registry import things\ntime.sleep(0.2)\nthings.add('wave', 7)"
    tmp_path.joinpath("dropped_in/wave.py").write_text(text)
    together = Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _n: (together.wait(10), dropped.get("wave"))[1], range(2))) == [7, 7]


def test_an_unknown_key_says_what_is_known(dropped):
    with pytest.raises(UnknownKeyError, match="unknown thing 'gone' \\(known: wave\\)"):
        dropped.get("gone")


def test_one_key_is_given_once(dropped):
    dropped.get("wave")
    with pytest.raises(ValueError, match="thing 'wave' is registered twice"):
        dropped.add("wave", 8)


def extensions():
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).iterdir()):
            if path.name not in {"base.py", "http.py"} and not path.name.startswith("_"):
                yield f"{folder}/{path.stem}"


@pytest.mark.parametrize("extension", list(extensions()))
def test_every_extension_has_a_test(extension):
    """Test files or a test folder of its name within its feature, or a test that imports it."""
    folder, name = extension.rsplit("/", 1)
    tests = list((ROOT / "tests" / folder.split("/")[0]).rglob("test_*.py"))
    module = re.compile(rf"{folder.replace('/', '.')}(?:\.| import (?:\w+, )*){name}\b")
    named = [test for test in tests if re.fullmatch(rf"test_{name}s?(_\w+)?", test.stem) or test.parent.name == name]
    assert named or any(module.search(test.read_text(encoding="utf-8")) for test in tests)
