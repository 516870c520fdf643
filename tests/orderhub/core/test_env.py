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


@pytest.fixture
def secret(monkeypatch, tmp_path):
    path = tmp_path / "secret"
    path.write_text("from-file\n")
    monkeypatch.setenv("HUB_WORD_FILE", str(path))
    return path


@pytest.mark.parametrize("plain", [None, ""])
def test_a_value_may_come_from_a_file(monkeypatch, secret, plain):
    monkeypatch.delenv("HUB_WORD", raising=False)
    if plain is not None:
        monkeypatch.setenv("HUB_WORD", plain)
    assert env.text("HUB_WORD") == "from-file"


def test_one_that_is_given_in_both_forms_stops_the_start_with_both_names(monkeypatch, secret):
    monkeypatch.setenv("HUB_WORD", "plain")
    with pytest.raises(ImproperlyConfigured) as stopped:
        env.text("HUB_WORD")
    assert str(stopped.value) == "HUB_WORD and HUB_WORD_FILE are both set: keep one of them. See .env.example."


def test_what_the_hub_puts_there_itself_takes_the_place_of_both(monkeypatch, secret):
    monkeypatch.setenv("HUB_WORD", "plain")
    env.put("HUB_WORD", "own")
    assert env.text("HUB_WORD") == "own"
