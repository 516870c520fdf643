"""Finds and runs the benchmarks in a database of their own, and keeps their results in a page of the docs."""

import os
import platform
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any
from urllib.parse import quote

from django.db import connection

from orderhub.core import env
from triage.services import load_defaults

DATABASE = "bench_orderhub"
KEYS = ("name", "value", "unit", "reference", "ratio", "target", "met")
COLUMNS = (*KEYS, "measured")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

Benchmark = Callable[[], Iterable[Mapping[str, Any]]]


def discover() -> dict[str, Benchmark]:
    """Return every benchmark of `tests/benchmarks` by name. Raises ValueError for a name that is given twice."""
    found: dict[str, Benchmark] = {}
    package = import_module("tests.benchmarks")
    for module in iter_modules(package.__path__):
        offered = getattr(import_module(f"{package.__name__}.{module.name}"), "BENCHMARKS", {})
        twice = found.keys() & offered.keys()
        if twice:
            raise ValueError(f"two benchmarks are named {', '.join(sorted(twice))}")
        found.update(offered)
    return found


@contextmanager
def own_database(*, keep: bool = False) -> Iterator[None]:
    """Use a fresh, migrated database with the starter rules; child processes find it by `DATABASE_URL`."""
    old_name, old_url = connection.settings_dict["NAME"], os.environ.get("DATABASE_URL")
    connection.settings_dict["TEST"]["NAME"] = DATABASE
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False, keepdb=keep)
    env.put("DATABASE_URL", url_of(connection.settings_dict))
    try:
        load_defaults()
        yield
    finally:
        connection.creation.destroy_test_db(old_name, verbosity=0, keepdb=keep)
        if old_url is not None:
            os.environ["DATABASE_URL"] = old_url


def url_of(settings: Mapping[str, Any]) -> str:
    """Return the `DATABASE_URL` of Django's dictionary."""
    login = quote(str(settings["USER"]))
    if settings["PASSWORD"]:
        login += f":{quote(str(settings['PASSWORD']), safe='')}"
    host = str(settings["HOST"])
    port = f":{settings['PORT']}" if settings["PORT"] else ""
    if host.startswith("/"):
        return f"postgresql://{login}@{port}/{settings['NAME']}?host={quote(host)}"
    return f"postgresql://{login}@{host}{port}/{settings['NAME']}"


def complete(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result with every key of the format, numbers rounded to what they mean."""
    row = {key: result.get(key) for key in KEYS}
    return {key: rounded(value) if isinstance(value, float) else value for key, value in row.items()}


def rounded(value: float) -> float:
    """Return four significant digits: more is noise."""
    return float(f"{value:.4g}")


def machine() -> str:
    """Say in one line what was measured on."""
    cpu = re.search(r"model name\s*:\s*(.+)", _read("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s*(\d+)", _read("/proc/meminfo"))
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        server = cursor.fetchone()[0].split()[0]
    parts = [
        f"{os.cpu_count()} × {cpu[1]}" if cpu else f"{os.cpu_count()} cores {platform.machine()}",
        f"{int(memory[1]) // 2**20} GiB" if memory else "",
        f"Linux {platform.release().split('-')[0]}",
        f"Python {platform.python_version()}",
        f"PostgreSQL {server}",
    ]
    return ", ".join(part for part in parts if part)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def table_row(result: Mapping[str, Any], where: str) -> str:
    """Return one line of the table in the docs."""
    met = {True: "yes", False: "**no**", None: ""}[result["met"]]
    shown = [
        "" if result[key] is None else str(result[key]) for key in ("value", "unit", "reference", "ratio", "target")
    ]
    return f"| {' | '.join([result['name'], *shown, met, where])} |"


def write_table(page: Path, results: Iterable[Mapping[str, Any]], where: str) -> None:
    """Put results into the page between its marks; rows of benchmarks that were not run now stay."""
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    old, after = rest.split(END)
    rows = {line.split("|")[1].strip(): line for line in old.splitlines() if line.startswith("| ")}
    for heading in ("name", "---"):
        rows.pop(heading, None)
    rows.update({str(result["name"]): table_row(result, where) for result in results})
    head = f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}"
    body = "\n".join([head, *rows.values()])
    page.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", encoding="utf-8")


def today() -> str:
    """Return the date of a measurement."""
    return f"{datetime.now(UTC):%Y-%m-%d}"
