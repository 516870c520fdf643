import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.triage.judge import fact_of, starter_words
from triage.predicates.phone import STATES, phone_state


@pytest.mark.parametrize(
    ("phone", "state"),
    [
        ("13912345678", "ok"),
        ("+86 139-1234-5678", "ok"),
        ("0086 13912345678", "ok"),
        ("8613912345678", "ok"),
        ("16612345670", "ok"),
        ("17012345670", "ok"),
        ("0571-88886666", "ok"),
        ("010-62345678", "ok"),
        ("02188886666转801", "ok"),
        ("18877771111-1234", "ok"),
        ("18877771111转123", "ok"),
        ("18877771111,9876", "ok"),
        ("18877771111#9876", "ok"),
        ("18877771111 1234", "ok"),
        ("+86 188-7777-1111 转 1234", "ok"),
        ("1391200-5678", "ok"),
        ("1391200-567", "short"),
        ("13912005678 12", "long"),
        ("4008008-888", "service"),
        ("１３９１２００５６７８", "letters"),
        ("139１２００５６７８", "letters"),
        ("", "missing"),
        ("   ", "missing"),
        ("1391234567", "short"),
        ("139120056789", "long"),
        ("139123456789", "fake"),
        ("12345", "short"),
        ("139l2345678", "letters"),
        ("无", "letters"),
        ("15412345670", "no_prefix"),
        ("19412345670", "no_prefix"),
        ("16012345670", "no_prefix"),
        ("10012345670", "no_prefix"),
        ("14012345670", "machine"),
        ("1064912345678", "machine"),
        ("4008123456", "service"),
        ("8008123456", "service"),
        ("88886666", "no_area"),
        ("13800138000", "fake"),
        ("12345678901", "fake"),
        ("11111111111", "fake"),
        ("13999999999", "fake"),
        ("13123456789", "fake"),
        ("61234567", "region"),
        ("+85261234567", "region"),
        ("0912345678", "region"),
    ],
)
def test_mainland_numbers(phone, state):
    assert fact_of("phone.state", receiver={"phone": phone}) == state


@pytest.mark.parametrize(
    "receiver",
    [
        {"phone": "139****5678"},
        {"phone": "*******5678"},
        {"phone": "12345", "kind": "masked"},
        {"phone": "12345", "kind": "cipher"},
        {"phone": "~AESabcdef~1~"},
        {"phone": "$ZGF0YWRhdGFkYXRh$1$"},
        {"phone": "", "oaid": "1abc"},
    ],
)
def test_masked_numbers_and_tokens_are_unknown(receiver):
    assert fact_of("phone.state", receiver=receiver) is None


@pytest.mark.parametrize(
    ("province", "phone", "state"),
    [
        ("香港特别行政区", "61234567", "ok"),
        ("香港", "+852 9123 4567", "ok"),
        ("香港", "13912345678", "ok"),
        ("香港", "0912345678", "region"),
        ("澳门", "66123456", "ok"),
        ("澳门特别行政区", "+85366123456", "ok"),
        ("台湾", "0912345678", "ok"),
        ("台湾省", "+886912345678", "ok"),
        ("台湾", "12345", "short"),
    ],
)
def test_numbers_across_the_border_need_a_matching_region(province, phone, state):
    receiver = {"province": province, "city": "", "district": "", "phone": phone}
    assert fact_of("phone.state", receiver=receiver) == state


def test_a_foreign_number_is_valid_abroad():
    receiver = {"country": "US", "province": "CA", "city": "San Jose", "district": "", "phone": "+14085550142"}
    assert fact_of("phone.state", receiver=receiver) == "ok"


@given(st.text(max_size=40))
def test_any_text_has_a_known_state(text):
    assert phone_state(text, starter_words()) in STATES


@given(st.text(max_size=40))
def test_the_column_agrees_with_the_single_number(text):
    state = fact_of("phone.state", receiver={"phone": text})
    assert state is None or state == phone_state(text.strip(), starter_words())
