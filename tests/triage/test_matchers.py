from hypothesis import given
from hypothesis import strategies as st

from triage.matchers import CONTAINS, ENDS, EXACT, PATTERN, PATTERNS, STARTS, Hit, Matcher, Term


def test_each_kind_of_match():
    assert Matcher([Term("急", CONTAINS)]).has("很急")
    assert Matcher([Term("门口", ENDS)]).has("小区门口。 ")
    assert not Matcher([Term("门口", ENDS)]).has("小区门口 3 幢")
    assert Matcher([Term("test", EXACT)]).has(" TEST ")
    assert not Matcher([Term("test", EXACT)]).has("test 1")
    assert Matcher([Term("SF", STARTS)]).has("sf123")
    assert Matcher([Term("before_date", PATTERN)]).has("15 号前到")


def test_an_empty_list_finds_nothing():
    assert not Matcher([]).has("")
    assert Matcher([]).hits("急") == []


def test_overlapping_terms_are_all_found_the_longest_at_each_place():
    matcher = Matcher([Term("急", weight=1), Term("很急", weight=1), Term("急需用药", weight=3)])
    assert matcher.hits("很急需用药") == [Hit("很急", 1, 0, 2), Hit("急需用药", 3, 1, 5)]


def test_cut_takes_the_longest_term_out():
    assert Matcher([Term("急救"), Term("急救包")]).cut("买急救包，急救用") == "买 ， 用"


def test_a_pattern_that_is_gone_matches_nothing():
    assert not Matcher([Term("no_such_pattern", PATTERN)]).has("no_such_pattern")


def test_terms_are_text_and_never_expressions():
    assert not Matcher([Term(".*")]).has("abc")
    assert Matcher([Term("a+b")]).has("A+B")


@given(st.text(alphabet="急很不0123号前 月", max_size=200))
def test_patterns_answer_any_text(text):
    matcher = Matcher([Term(name, PATTERN) for name in PATTERNS])
    assert matcher.has(text) == bool(matcher.hits(text))
