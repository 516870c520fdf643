import orjson
import pytest

from channels_sync.readers import read

FIELDS = {
    "external_no": "F1", "created_at": "2026-11-11 00:00:07", "paid_at": "2026-11-11 00:00:31",
    "receiver_name": "李雷", "phone": "13912345678",
}  # fmt: skip


def amounts(*lines, **fields):
    body = orjson.dumps({"row": 2, "fields": {**FIELDS, **fields}, "lines": [{"sku": "A", **line} for line in lines]})
    (row,) = read("file", body, "application/json")
    return [(line.unit_price_fen, line.paid_fen) for line in row.draft.lines], row.draft.total_fen, row.draft.paid_fen


THREE = {"quantity": "3", "line_paid": "10.00"}


@pytest.mark.parametrize(
    ("lines", "fields", "told"),
    [
        ([THREE], {}, ([(333, 1000)], 1000, 1000)),
        ([THREE], {"freight": "8"}, ([(333, 1000)], 1000, 1800)),
        ([THREE], {"total": "12"}, ([(333, 1000)], 1200, 1200)),
        ([THREE, {"quantity": "2", "unit_price": "5"}], {}, ([(333, 1000), (500, 1000)], 2000, 2000)),
        ([{**THREE, "unit_price": "4"}], {}, ([(400, 1000)], 1200, 1200)),
        ([{"quantity": "3", "line_paid_fen": "2"}], {}, ([(0, 2)], 2, 2)),
    ],
)
def test_a_total_that_is_not_told_keeps_the_fen_that_a_worked_out_price_loses(lines, fields, told):
    assert amounts(*lines, **fields) == told


@pytest.mark.parametrize(
    ("lines", "fields", "told"),
    [
        ([{"quantity": "3"}], {"total": "100"}, ([(3333, 10000)], 10000, 10000)),
        ([{"quantity": "3"}], {"total": "100", "paid": "88", "freight": "8"}, ([(3333, 8000)], 10000, 8800)),
        (
            [{"quantity": "3", "unit_price": "33.34"}, {"quantity": "1", "unit_price": "10"}],
            {"discount": "20"},
            ([(3334, 8183), (1000, 819)], 11002, 9002),
        ),
        ([{"quantity": "1", "unit_price": "50"}], {"paid": "60"}, ([(5000, 5000)], 5000, 6000)),
        ([{"quantity": "2", "unit_price": "50"}], {"status": "待付款"}, ([(5000, 0)], 10000, 0)),
        ([{"quantity": "1", "unit_price": "50"}, {"quantity": "1", "unit_price": "9", "line_paid": "5"}], {},
         ([(5000, 5000), (900, 500)], 5900, 5900)),
    ],
)  # fmt: skip
def test_what_was_paid_for_the_goods_goes_to_the_lines_by_value(lines, fields, told):
    assert amounts(*lines, **fields) == told
