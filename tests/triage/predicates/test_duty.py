import pytest

from tests.triage.judge import fact_of


@pytest.mark.parametrize(
    ("remark", "stated"),
    [
        ("关税我来付", True),
        ("关税由买家承担", True),
        ("税费自理，已知晓", True),
        ("清关税费由收件人承担", True),
        ("DDP 包税，卖家承担关税", True),
        ("不包税，我自己付", True),
        ("关税我付，什么时候发货？", True),
        ("知道有关税，我接受", True),
        ("关税谁出？", False),
        ("要交关税吗", False),
        ("不包税对吧", False),
        ("关税你们出，对吧", False),
        ("关税怎么算，等你回复", False),
        ("如果我要交关税就取消", False),
        ("担心要交关税", False),
        ("我不想交关税", False),
        ("不接受关税", False),
        ("谢谢", False),
        ("", False),
    ],
)
def test_a_buyer_says_who_pays_and_does_not_only_ask(remark, stated):
    assert fact_of("remark.duty_stated", buyer_remark=remark) is stated


@pytest.mark.parametrize(
    ("remark", "stated"),
    [
        ("ddp 包税", True),
        ("关税已确认", True),
        ("关税待确认", False),
        ("已问客户关税，等回复", False),
        ("已核对", False),
    ],
)
def test_a_seller_need_not_say_it_in_full(remark, stated):
    assert fact_of("remark.duty_stated", seller_remark=remark) is stated


def test_the_sellers_answer_settles_the_buyers_question():
    assert fact_of("remark.duty_stated", buyer_remark="关税谁出？", seller_remark="已联系，关税客户承担") is True
