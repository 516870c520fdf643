"""Chinese is the first language of the hub: every text has it, and nothing is left over."""

import re
from importlib.util import find_spec
from pathlib import Path

import polib
import pytest

from tests.texts import PACKAGES, ROOT, Text, below, of_python, of_template, ours

CATALOGUE = ROOT / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
THEME = Path(find_spec("unfold").origin).parent
DJANGO = Path(find_spec("django").origin).parent
UNUSED = re.compile(r"/contrib/(?!filters/)")
"""Parts of the theme that are not installed."""
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|\{(\w*)\}")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
SAME_IN_BOTH = re.compile(r"^[\W\d]*(?:[A-Z][A-Za-z0-9]{0,9}[\W\d]*){0,2}$")
"""Abbreviations and names: SKU, API, IP, WeCom."""


@pytest.fixture(scope="module")
def catalogue():
    return polib.pofile(str(CATALOGUE))


@pytest.fixture(scope="module")
def used():
    return ours()


def translations(entry):
    return list(entry.msgstr_plural.values()) or [entry.msgstr]


def given(catalogue):
    return [(entry, text) for entry in catalogue for text in translations(entry) if text]


def test_every_text_has_its_chinese(catalogue, used):
    known = {Text(entry.msgctxt or "", entry.msgid) for entry in catalogue if all(translations(entry))}
    missing = {text: path for text, path in used.items() if text not in known}
    assert missing == {}


def test_texts_are_marked_by_names_that_collecting_them_knows():
    aliases = re.compile(r"gettext\w* as (\w+)")
    sources = [path.read_text(encoding="utf-8") for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    assert {name for source in sources for name in aliases.findall(source)} == {"_"}


def test_the_theme_speaks_chinese(catalogue):
    known = {Text(entry.msgctxt or "", entry.msgid) for entry in catalogue}
    django = [polib.mofile(str(path)) for path in DJANGO.rglob("locale/zh_Hans/LC_MESSAGES/django.mo")]
    known |= {Text(entry.msgctxt or "", entry.msgid) for mo in django for entry in mo}
    english = {text: path for text, path in below(THEME).items() if text not in known and not UNUSED.search(path)}
    assert english == {}


def test_nothing_is_guessed_or_left_over(catalogue, used):
    entries = {Text(entry.msgctxt or "", entry.msgid) for entry in catalogue if not entry.obsolete}
    assert [entry.msgid for entry in catalogue if entry.fuzzy] == []
    assert [entry.msgid for entry in catalogue.obsolete_entries()] == []
    assert sorted(entries - used.keys()) == []


def test_placeholders_are_the_same_in_both_languages(catalogue):
    def names(text):
        return {one or other for one, other in PLACEHOLDER.findall(text)}

    wrong = {
        entry.msgid: translation
        for entry, translation in given(catalogue)
        if names(translation) != names(entry.msgid) | names(entry.msgid_plural)
    }
    assert wrong == {}


def test_the_chinese_is_chinese(catalogue):
    english = [
        entry.msgid
        for entry, translation in given(catalogue)
        if not CHINESE.search(translation) and not SAME_IN_BOTH.match(PLACEHOLDER.sub("", entry.msgid))
    ]
    assert english == []


@pytest.mark.parametrize(
    ("english", "word"),
    [
        ("releas", "放行"),
        (r"(finding|reason)s?\b.*\baccepted|accept.*\b(finding|reason)s?\b|^accepted by(?! the)", "确认"),
    ],
)
def test_letting_an_order_go_and_accepting_its_reasons_have_one_word_each(catalogue, english, word):
    of_it = {text for entry, text in given(catalogue) if re.search(english, entry.msgid, re.IGNORECASE)}
    assert [text for text in of_it if word not in text] == []
    assert of_it


def test_refusing_a_parcel_is_said_of_buyers_alone(catalogue):
    """拒收 is what a buyer does with a parcel; a row that the hub could not take in is 未入池."""
    assert [entry.msgid for entry, text in given(catalogue) if "拒收" in text] == [
        "Refused or returned orders in 90 days"
    ]


def test_no_text_is_there_twice(catalogue):
    keys = [(entry.msgctxt, entry.msgid) for entry in catalogue]
    assert sorted({key for key in keys if keys.count(key) > 1}, key=str) == []


def test_the_finder_sees_what_people_see():
    source = (
        '_("One")\nx.gettext_lazy("Two")\npgettext("lane", "Three")\nngettext("a day", "%d days", 3)\nother("Four")'
    )
    assert list(of_python(source)) == [Text("", "One"), Text("", "Two"), Text("lane", "Three"), Text("", "a day")]
    template = (
        "{% load i18n %}{% translate 'One' %}{% blocktranslate with n=x %}Two {{ n }}{% endblocktranslate %}"
        "{% translate 'Three' context 'lane' %}{{ _('Four') }}"
        "{% blocktranslate count n=x %}a day{% plural %}{{ n }} days{% endblocktranslate %} Five"
    )
    texts = [Text("", "One"), Text("", "Two %(n)s"), Text("lane", "Three"), Text("", "Four"), Text("", "a day")]
    assert list(of_template(template)) == texts
