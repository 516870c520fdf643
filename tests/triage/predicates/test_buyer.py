from tests.triage.judge import fact_of

BUYER = {"id": "u-1"}


def test_lists_are_by_shop_and_buyer():
    listed = {"denied": frozenset({(1, "u-1")}), "trusted": frozenset({(2, "u-1")})}
    assert fact_of("buyer.is_denied", buyer=BUYER, context=listed) is True
    assert fact_of("buyer.is_trusted", buyer=BUYER, context=listed) is False
    assert fact_of("buyer.is_trusted", buyer=BUYER, shop_id=2, context=listed) is True


def test_without_an_id_nobody_is_denied_and_nobody_is_trusted():
    assert fact_of("buyer.is_denied") is None
    assert fact_of("buyer.is_trusted") is False
    assert fact_of("buyer.has_id") is False
    assert fact_of("buyer.has_id", buyer=BUYER) is True


def test_returns():
    assert fact_of("buyer.returns_90d", buyer_id=5, context={"returns": {5: 3}}) == 3
    assert fact_of("buyer.returns_90d", buyer_id=6, context={"returns": {5: 3}}) == 0
    assert fact_of("buyer.returns_90d") is None
