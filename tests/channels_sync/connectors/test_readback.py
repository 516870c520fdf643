import pytest

from channels_sync.connectors.readback import objects, texts, whole


@pytest.mark.parametrize(
    ("told", "number"),
    [(7, 7), ("7", 7), ("-3", -3), ("", None), ("7.5", None), (None, None), ("\u0667", None), ("9" * 12, None)],
)
def test_a_number_is_read_whatever_it_is_written_as(told, number):
    assert whole(told) == number


def test_only_objects_of_a_list_are_read():
    assert list(objects({"rows": [{"a": 1}, 2, None]}, "rows")) == [{"a": 1}]
    assert list(objects({"rows": {"a": 1}}, "rows")) == []
    assert list(objects(None, "rows")) == []


def test_empty_texts_are_left_out():
    assert texts(iter([{"no": "SF1"}, {"no": ""}, {}, {"no": 7}]), "no") == {"SF1", "7"}
