import pytest

from channels_sync.connectors import options


@pytest.mark.parametrize(
    ("settings", "value"),
    [({}, 20), ({"rate": 5}, 5), ({"rate": "7.5"}, 7.5), ({"rate": 0}, 0.1), ({"rate": 10**9}, 1000),
     ({"rate": "fast"}, 20), ({"rate": "nan"}, 20), ({"rate": None}, 20), ({"rate": [5]}, 20)],
)  # fmt: skip
def test_a_number_of_the_settings_is_brought_into_range(settings, value):
    assert options.number(settings, "rate", 20, 0.1, 1000) == value
