import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderhub.core.money import fen_from_yuan, show, yuan


@given(st.integers(-(10**12), 10**12))
def test_yuan_text_comes_back_as_the_same_fen(fen):
    assert fen_from_yuan(yuan(fen)) == fen


@pytest.mark.parametrize("text", ["", "12,00", "1.005", "NaN", "1e999", "¥5"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError, match=r"not an amount|more than two"):
        fen_from_yuan(text)


def test_people_read_thousands():
    assert show(123450) == "¥1,234.50"
    assert show(-5) == "-¥0.05"
