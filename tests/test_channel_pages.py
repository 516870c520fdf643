"""The pages about channels: what each platform lets us know, and what is done for each, with the tests that show it."""

import re
from pathlib import Path

import pytest
from django.utils.translation import override

from channels_sync.connectors.base import connectors
from channels_sync.connectors.known import FACTS, HOW, How
from triage.selectors.signals import KINDS

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "channels"
TESTS = ROOT / "tests"
JUDGED = {kind.source for kind in KINDS.values() if kind.source}
STILL_JUDGED = {How.VIRTUAL, How.DERIVED}
"""A virtual number is a valid one; an amount that was worked out is an amount."""
NO_PAGE = {"own": "../api.md"}


CAN = {
    "pulls": "pull", "pushes": "push", "keeps_events": "messages", "fetches": "single orders", "rereads": "re-read",
    "refreshes": "token", "writes_stock": "stock", "ships": "shipment", "writes_memo": "memo", "reveals": "clear texts",
}  # fmt: skip
"""What a connector may declare, and the word for it."""
WORDS = {"memo": ("memo", "remark", "note"), "token": ("token", "session"), "re-read": ("re-read", "read again"),
         "clear texts": ("clear text",)}  # fmt: skip
"""Other words under which a page may tell of it."""


def platforms():
    """Return the platforms that keep something back."""
    return sorted(key for key, connector in connectors.items() if connector.hidden_facts)


def cell(platform, fact):
    hidden = connectors.get(platform).hidden_facts.get(fact)
    shown = "known" if hidden is None else str(HOW[hidden.how])
    if fact not in JUDGED:
        return shown
    return f"{shown}, judged" if hidden is None or hidden.how in STILL_JUDGED else f"{shown}, **not judged**"


def facts_table():
    names = platforms()
    head = ["| fact | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    with override("en"):
        rows = [f"| {FACTS[fact]} | " + " | ".join(cell(name, fact) for name in names) + " |" for fact in FACTS]
    return "\n".join(head + rows)


def test_the_table_of_facts_is_what_the_connectors_say():
    assert facts_table() in (PAGES / "README.md").read_text(encoding="utf-8"), "\n" + facts_table()


@pytest.mark.parametrize("platform", ["taobao", "wechat"])
def test_a_page_says_of_the_phone_what_the_table_of_facts_says(platform):
    table = (PAGES / f"{platform}.md").read_text(encoding="utf-8").partition("## What the platform does not tell")[2]
    (verdict,) = re.findall(r"^\| [^|]*\bphone\b[^|]* \| (yes|no)\b", table, re.MULTILINE)
    assert (verdict == "yes") == cell(platform, "receiver.phone").endswith(", judged")


def test_every_hidden_fact_is_a_known_one_and_says_why():
    for key, connector in connectors.items():
        assert connector.hidden_facts.keys() <= FACTS.keys(), key
        with override("en"):
            assert all(str(hidden).endswith(".") for hidden in connector.hidden_facts.values()), key


def test_every_signal_of_triage_draws_on_a_known_fact():
    assert FACTS.keys() >= JUDGED


def test_every_channel_is_listed_with_what_it_can_do_and_its_page():
    text = (PAGES / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \| \[[^\]]+\]\(([^)]+)\) \|$", text, re.MULTILINE)
    wanted = {}
    for key, connector in connectors.items():
        can = ", ".join(word for flag, word in CAN.items() if getattr(connector, flag))
        wanted[key] = (can or "–", NO_PAGE.get(key, f"{key}.md"))
    assert {key: (can, page) for key, can, page in rows} == wanted


FEATURE_PAGES = [page for page in sorted(PAGES.glob("*.md")) if "## What it can do" in page.read_text(encoding="utf-8")]


def test_every_platform_has_a_table_of_features():
    assert {page.stem for page in FEATURE_PAGES} == {*platforms(), "webhook"}


def named_tests(page):
    """Return (feature, named test file or `–`, function or empty) of every row of the page's table of features."""
    text = page.read_text(encoding="utf-8")
    table = text[text.index("## What it can do") :].split("\n## ", 1)[0]
    found = []
    for line in table.splitlines():
        cells = [part.strip() for part in line.strip("|").split("|")]
        if not line.startswith("| ") or cells[0] in {"feature", ""}:
            continue
        found.append((cells[0], cells[1:], re.findall(r"`([\w/.]+\.py)(?:::(\w+))?`", line)))
    return found


def whereabouts(page):
    """Return the folders in which tests that are named without one may lie."""
    connectors_ = TESTS / "channels_sync" / "connectors"
    return [ROOT, connectors_ / page.stem, connectors_, TESTS / "channels_sync", TESTS / "channels_sync" / "sandbox"]


@pytest.mark.parametrize("page", FEATURE_PAGES, ids=lambda page: page.stem)
def test_the_tests_named_for_a_feature_exist(page):
    rows = named_tests(page)
    assert len(rows) >= 4
    for feature, cells, tests in rows:
        is_open = any(part.startswith(("–", "no")) for part in cells)
        assert tests or is_open, f"{page.stem}: {feature} names no test"
        for name, function in tests:
            short = re.sub(r"^[A-Z]/", "", name)
            files = [folder / short for folder in whereabouts(page) if (folder / short).is_file()]
            assert files, f"{page.stem}: {feature}: {name}"
            if function:
                assert any(f"def {function}(" in file.read_text(encoding="utf-8") for file in files), function


@pytest.mark.parametrize("page", FEATURE_PAGES, ids=lambda page: page.stem)
def test_what_a_connector_can_do_is_in_its_table(page):
    connector = connectors.get(page.stem)
    told = " ".join(feature.lower() for feature, _cells, tests in named_tests(page) if tests)
    for flag, word in CAN.items():
        if getattr(connector, flag):
            assert any(choice in told for choice in WORDS.get(word, (word,))), f"{page.stem}: {word}"
