from tests.triage.judge import fact_of, line
from triage.predicates.base import ShopFacts


def test_shop_and_platform():
    shops = {1: ShopFacts("tmall", "taobao")}
    assert fact_of("order.shop", context={"shops": shops}) == "tmall"
    assert fact_of("order.platform", context={"shops": shops}) == "taobao"
    assert fact_of("order.shop", shop_id=2, context={"shops": shops}) is None


def test_the_hour_is_shanghais():
    assert fact_of("order.hour") == 8
    assert fact_of("order.hour", at=-8 * 3600 - 1800) == 0


def test_marks():
    assert fact_of("order.flag", flag="red") == "red"
    assert fact_of("order.presale", presale="balance_paid") == "balance_paid"
    assert fact_of("order.lines", lines=(line(), line(line_no="2"))) == 2


def test_who_asked_the_platform_for_speed():
    assert fact_of("order.is_urged", raw={"urged": True}) is True
    assert fact_of("order.is_urged", raw={"urged": "no"}) is False
    assert fact_of("order.is_urged") is False


def test_the_refund_that_weighs_most():
    lines = (line(refund="done"), line(line_no="2", refund="asked"), line(line_no="3"))
    assert fact_of("order.refund", lines=lines) == "asked"
    assert fact_of("order.refund") == "none"
