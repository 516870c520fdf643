from pathlib import Path

from triage.defaults.rules import RULES
from triage.defaults.words import word_lists
from triage.predicates.base import facts

PAGE = Path(__file__).resolve().parents[2] / "docs" / "triage.md"


def test_every_starter_rule_fact_and_word_list_is_described():
    text = PAGE.read_text(encoding="utf-8")
    names = [rule["code"] for rule in RULES] + list(facts) + [words.key for words in word_lists()]
    assert [name for name in names if f"| `{name}` |" not in text] == []
