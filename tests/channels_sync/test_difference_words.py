import pytest
from django.utils import translation

from channels_sync.difference_words import LABELS, LINE_LABELS, field_label, shown_value
from channels_sync.services import compare
from orderhub.services.receivers import SHOWN


@pytest.mark.parametrize(
    ("field", "value", "label", "shown"),
    [
        ("", "paid ¥129.00", "Whole order", "Awaiting triage ¥129.00"),
        ("status", "in_transit", "Status", "In transit"),
        ("channel_status", "TRADE_FINISHED", "Channel's own word", "TRADE_FINISHED"),
        ("paid_at", "2026-11-11 00:00:03", "Paid", "2026-11-11 00:00:03"),
        ("flag", "none", "Flag", "None"),
        ("channel_hold", "cod", "Channel hold", "Cash on delivery"),
        ("channel_hold", "LOCKED", "Channel hold", "LOCKED"),
        ("receiver.kind", "masked", "Kind of contact", "Masked by the platform"),
        ("receiver", "unreadable", "Receiver", "unreadable"),
        ("lines[2]", "MASK x 10 x 3", "Line 2", "MASK x 10 × 3"),
        ("lines[8801-1].refund", "asked", "Line 8801-1: refund", "Asked"),
        ("lines[2].paid_fen", "¥1.00", "Line 2: Paid", "¥1.00"),
        ("trade.orders", "—", "trade.orders", "—"),
    ],
)
def test_a_difference_is_told_in_words(field, value, label, shown):
    with translation.override("en"):
        assert (field_label(field), shown_value(field, value)) == (label, shown)


def test_chinese_lists_have_chinese_marks():
    with translation.override("zh-hans"):
        assert field_label("lines[2].sku") == "商品行 2：SKU"
        assert shown_value("tracking_numbers", "SF1, SF2") == "SF1、SF2"


def test_every_field_that_is_compared_has_a_label():
    receiver = {f"receiver.{name.removesuffix('_masked')}" for name in SHOWN}
    assert {*compare.AMOUNTS, *compare.TEXTS, compare.TRACKING, *receiver} <= LABELS.keys()
    assert set(compare.LINE_VALUES) == LINE_LABELS.keys()
