import csv
import json
from io import StringIO

import pytest
from django.core.management import call_command
from openpyxl import load_workbook

from channels_sync.sandbox.export import COLUMNS


def run(tmp_path, name, **options):
    out = tmp_path / name
    call_command("sandbox_orders", count=60, out=out, stdout=StringIO(), **options)
    return out


def test_ndjson_labels_and_stock_belong_together(tmp_path):
    out = run(tmp_path, "o.ndjson", labels=tmp_path / "l.ndjson", stock=tmp_path / "s.ndjson")
    orders, right, stock = (
        [json.loads(line) for line in (tmp_path / name).read_text(encoding="utf-8").splitlines()]
        for name in ("o.ndjson", "l.ndjson", "s.ndjson")
    )
    assert out.exists()
    assert [order["external_no"] for order in orders] == [label["external_no"] for label in right]
    skus = {row["sku"] for row in stock}
    assert all(line["sku"] in skus for order in orders for line in order["lines"])
    assert not any("kinds" in order for order in orders)


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_csv_has_one_row_per_line_in_the_asked_encoding(tmp_path, encoding):
    plain = run(tmp_path, "o.ndjson").read_text(encoding="utf-8")
    orders = [json.loads(line) for line in plain.splitlines()]
    out = run(tmp_path, "o.csv", format="csv", encoding=encoding)
    with out.open(encoding=encoding, newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == sum(len(order["lines"]) for order in orders)
    assert rows[0]["external_no"] == orders[0]["external_no"]
    assert rows[0]["receiver_province"] == orders[0]["receiver"]["province"]
    assert int(rows[0]["unit_price_fen"]) == orders[0]["lines"][0]["unit_price_fen"]


def test_xlsx_keeps_numbers_of_nineteen_digits_as_text(tmp_path):
    out = run(tmp_path, "o.xlsx", format="xlsx", profile="masked")
    sheet = load_workbook(out, read_only=True).active
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[0] == COLUMNS
    assert isinstance(rows[1][0], str)
    assert len(rows[1][0]) == 19
    assert rows[1][COLUMNS.index("receiver_detail")] == "***"
    assert rows[1][COLUMNS.index("receiver_oaid")]
