import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels_sync.likeness import TitleIndex, formula, plain, within

TITLES = {
    "SERUM-30": "玻尿酸精华液 30ml", "SERUM-50": "玻尿酸精华液 50ml", "MASK-10": "补水面膜 10片装",
    "CREAM": "保湿面霜 50g",
}  # fmt: skip


@pytest.mark.parametrize("code", ["SERUM-30", "serum_30", " Serum 30 ", "ＳＥＲＵＭ－３０", "SERUM.30"])
def test_spelling_of_a_code_does_not_count(code):
    assert plain(code) == "serum30"


def test_a_code_holds_its_pieces_longest_first():
    assert list(within("TB-SERUM-30-26")) == ["tbserum30", "serum3026", "tbserum", "serum30", "3026", "serum"]
    assert list(within("SERUM")) == []


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("A*2+B", [("A", 2), ("B", 1)]), ("A + B", [("A", 1), ("B", 1)]), ("SERUM-30x3", [("SERUM-30", 3)]),
        ("A×2＋B", [("A", 2), ("B", 1)]), ("SERUM-30", []), ("", []), ("A++B", []), ("A*0+B", [("A", 1), ("B", 1)]),
    ],
)  # fmt: skip
def test_bundles_as_merchants_write_them(code, parts):
    assert formula(code) == parts


def test_the_most_similar_title_comes_first():
    index = TitleIndex(TITLES)
    found = index.like("【双11】玻尿酸保湿精华液 容量:30ml")
    assert found[0][0] == "SERUM-30"
    assert found[0][1] > found[1][1] > 0
    assert index.like("补水面膜")[0][0] == "MASK-10"


def test_nothing_is_like_a_text_without_anything_in_common():
    assert TitleIndex(TITLES).like("zzz") == TitleIndex(TITLES).like("") == TitleIndex({}).like("精华液") == []


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=4), st.text(max_size=12), max_size=6), st.text(max_size=12))
def test_likeness_is_a_share(titles, text):
    found = TitleIndex(titles).like(text)
    assert all(0 < likely <= 1.000001 for _key, likely in found)
    assert found == sorted(found, key=lambda pair: (-pair[1], pair[0]))
