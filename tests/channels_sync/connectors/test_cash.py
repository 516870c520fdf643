import pytest

from channels_sync.connectors import cash


@pytest.mark.parametrize(
    ("status", "is_owed"), [("paid", True), ("in_transit", True), ("completed", False), ("unpaid", False)]
)
def test_the_money_is_to_come_until_the_goods_are_received(status, is_owed):
    assert cash.is_owed(status) is is_owed
