"""The house rules that a linter does not know."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("orderhub", "channels_sync", "triage", "tests")
FILE_LINES = 500
FUNCTION_LINES = 50


def sources():
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path, path.read_text(encoding="utf-8")


def test_imports_go_downward_only():
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_no_file_is_too_long_to_read():
    long = {str(path.relative_to(ROOT)): lines for path, text in sources() if (lines := text.count("\n")) > FILE_LINES}
    assert long == {}


def test_no_function_is_too_long_to_read():
    long = {}
    for path, text in sources():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = node.end_lineno - node.lineno + 1
                if lines > FUNCTION_LINES:
                    long[f"{path.relative_to(ROOT)}:{node.name}"] = lines
    assert long == {}


def test_nothing_is_left_for_later():
    marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X:", "HA" + "CK", "NotImplemented" + "Error(")
    left = [f"{path.relative_to(ROOT)}: {mark}" for path, text in sources() for mark in marks if mark in text]
    assert left == []


def test_every_test_folder_mirrors_a_package():
    apart = {"benchmarks", "browser", "flows", "payloads"}
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    missing = [
        str(folder)
        for folder in folders
        if folder.parts[:1] and folder.parts[0] not in apart and not (ROOT / folder).is_dir()
    ]
    assert missing == []
