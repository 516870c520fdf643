import pytest
from django.core.exceptions import ImproperlyConfigured

from orderhub.core import env


@pytest.mark.parametrize(("value", "read"), [(None, 5), ("", 5), ("1", 1), ("10", 10)])
def test_a_number_within_its_bounds_is_read(monkeypatch, value, read):
    monkeypatch.delenv("HUB_COUNT", raising=False)
    if value is not None:
        monkeypatch.setenv("HUB_COUNT", value)
    assert env.number("HUB_COUNT", 5, low=1, high=10) == read


@pytest.mark.parametrize("value", ["-5", "0", "11", "1.5", "many"])
def test_another_stops_the_start_with_its_name_and_bounds(monkeypatch, value):
    monkeypatch.setenv("HUB_COUNT", value)
    with pytest.raises(ImproperlyConfigured) as stopped:
        env.number("HUB_COUNT", 5, low=1, high=10)
    assert str(stopped.value) == f"HUB_COUNT must be a whole number from 1 to 10, not {value!r}."
