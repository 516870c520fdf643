import pytest

from orderhub.core.countries import is_china


@pytest.mark.parametrize(
    "name", ["", " ", "CN", "cn", "China", "中国大陆", "大陆", "PRC", "P.R. China", "86", "156", "国内"]
)
def test_spellings_of_china(name):
    assert is_china(name)


@pytest.mark.parametrize("name", ["US", "加拿大", "海外", "中国香港", "HK", "85", "1", "***"])
def test_other_names(name):
    assert not is_china(name)
