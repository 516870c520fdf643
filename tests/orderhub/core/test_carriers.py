import pytest
from django.utils import translation

from orderhub.core.carriers import carrier_code, carrier_name, is_same_carrier


@pytest.mark.parametrize(
    ("code", "name"), [("YTO", "圆通速递"), ("sf", "顺丰速运"), ("YD", "韵达速递"), ("X-1", "X-1"), ("", "")]
)
def test_a_carrier_is_named_as_customers_know_it(code, name):
    with translation.override("zh-hans"):
        assert carrier_name(code) == name


@pytest.mark.parametrize(
    ("text", "code"), [("sf", "SF"), (" 顺丰速运 ", "SF"), ("韵达速递", "YUNDA"), ("某快递", ""), ("", "")]
)
def test_a_carrier_is_found_by_code_or_name(text, code):
    with translation.override("zh-hans"):
        assert carrier_code(text) == code


def test_some_carriers_have_two_codes():
    assert is_same_carrier("YD", "yunda")
    assert is_same_carrier("own-1", "OWN-1")
    assert not is_same_carrier("SF", "YTO")
