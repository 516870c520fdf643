"""What the documents say is there: commands, settings, links, dependencies."""

import re
import subprocess
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from django.conf import global_settings
from django.core.management import get_commands

from orderhub.schedules import JOBS

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
READERS = re.compile(r"""(?:env\.(?:text|flag|number|words)|environ\.get)\(\s*["']([A-Z_]+)["']""")
NOT_FOR_PEOPLE = {
    "HUB_BENCH_ORDERS": "set by manage.py bench --orders",
    "SANDBOX_HUB_TOKEN": "handed to the sandbox by manage.py run",
    "DATABASE_URL_FILE": "the form with _FILE of DATABASE_URL",
}


def names(page: Path) -> str:
    return str(page.relative_to(ROOT))


def product_sources() -> list[Path]:
    packages = ("orderhub", "channels_sync", "triage")
    return [*(path for package in packages for path in (ROOT / package).rglob("*.py")), ROOT / "gunicorn.conf.py"]


def told_settings():
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    return set(re.findall(r"^([A-Z_]+)=", text, re.MULTILINE))


def read_settings():
    return {name for path in product_sources() for name in READERS.findall(path.read_text(encoding="utf-8"))}


def test_every_setting_is_in_the_example_file():
    assert read_settings() - NOT_FOR_PEOPLE.keys() - told_settings() == set()


def test_the_example_file_tells_no_setting_that_nobody_reads():
    assert told_settings() - read_settings() == set()


def test_every_setting_does_something():
    """A name that is read from the environment and used nowhere is a promise that nobody keeps."""
    sources = [path.read_text(encoding="utf-8") for path in product_sources()]
    own = re.findall(r"^([A-Z_]+) = env\.", (ROOT / "orderhub/settings.py").read_text(encoding="utf-8"), re.MULTILINE)
    uses = {name: sum(len(re.findall(rf"\b{name}\b(?! = env)(?!\", )", text)) for text in sources) for name in own}
    assert [name for name, count in uses.items() if not count and not hasattr(global_settings, name)] == []


def test_every_periodic_job_is_told_with_how_often_it_runs():
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    table = page[page.index("## Periodic jobs") : page.index("## What the warehouse calls back")]
    told = {name: every.split(",")[0] for name, every in re.findall(r"^\| (\w+) \| (.+?) \|", table, re.MULTILINE)}
    words = {1: "minute", 60: "hour", 360: "6 hours"}
    jobs = {name: words.get(job.minutes, f"{job.minutes} minutes") for name, job in JOBS.items()}
    assert told == {"job": "every", **jobs}


def test_every_figure_is_told_by_name():
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`(hub_\w+)`", page[page.index("### Figures") : page.index("## Periodic jobs")]))
    sources = "".join(path.read_text(encoding="utf-8") for path in product_sources())
    measured = set(re.findall(r'Figure\(\s*"(hub_\w+)"|\("(hub_job_\w+)", "', sources))
    assert told == {one or other for one, other in measured}


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_commands_exist(page):
    text = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)) - targets == set()
    assert set(re.findall(r"manage\.py ([a-z_]+)", text)) - get_commands().keys() == set()


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_named_sources_exist(page):
    named = re.findall(r"`((?:orderhub|channels_sync|triage|tests|docs)/[\w/.-]*)`", page.read_text(encoding="utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []


def direct(file):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return [re.split(r"[<>=\[]", line)[0] for line in lines if line and line[0] not in "#-"]


@pytest.mark.parametrize("file", ["requirements.in", "requirements-dev.in"])
def test_every_direct_dependency_has_its_reason(file):
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    reasons = dict(re.findall(r"^\| ([\w-]+) \| (.+) \|$", page, re.MULTILINE))
    assert [name for name in direct(file) if name not in reasons] == []
    assert reasons.keys() - set(direct("requirements.in") + direct("requirements-dev.in")) == {"package"}


def test_every_direct_dependency_is_used():
    modules = {name.lower().replace("_", "-"): [] for name in direct("requirements.in")}
    for module, distributions in packages_distributions().items():
        for distribution in distributions:
            modules.get(distribution.lower().replace("_", "-"), []).append(module)
    sources = [
        *(ROOT / "orderhub").rglob("*.py"),
        *(ROOT / "channels_sync").rglob("*.py"),
        *(ROOT / "triage").rglob("*.py"),
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    unused = [
        name
        for name, found in modules.items()
        if not any(re.search(rf"(?:import|from) {module}\b|[\"']{module}\b", text) for module in found)
    ]
    assert unused == []


@pytest.mark.parametrize("file", ["requirements", "requirements-dev"])
def test_every_direct_dependency_is_pinned(file):
    pins = (ROOT / f"{file}.txt").read_text(encoding="utf-8").lower()
    assert [name for name in direct(f"{file}.in") if f"\n{name.lower()}==" not in f"\n{pins}"] == []


def test_both_readmes_say_the_same():
    pages = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md")]
    assert all(page.count("\n") < 120 for page in pages)
    english, chinese = (re.findall(r"```\n(.*?)```", page, re.DOTALL) for page in pages)
    assert english == chinese
    links = [sorted(set(re.findall(r"\]\(((?!README)[^)]+)\)", page))) for page in pages]
    assert links[0] == links[1]
    headings = [len(re.findall(r"^## ", page, re.MULTILINE)) for page in pages]
    assert headings[0] == headings[1]


def test_nothing_names_the_place_it_was_made_in():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    places = re.compile("/wo" + r"rk/|/ro" + r"ot/|pyth" + r"onhosted|py" + r"pi\.org|registry\.npm" + "js")
    found = []
    for name in listed:
        path = ROOT / name
        if path.is_file() and path.suffix in {".py", ".md", ".toml", ".txt", ".in", ".yaml", ".html", ".js", ""}:
            found += [
                name for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if places.search(line)
            ]
    assert found == []
