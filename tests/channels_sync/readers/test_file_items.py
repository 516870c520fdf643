import orjson

from channels_sync.readers import read

FIELDS = {
    "external_no": "F1", "created_at": "2026-11-11 00:00:07", "total": "258", "receiver_name": "李雷",
    "phone": "13912345678",
}  # fmt: skip


def rows(**line):
    lines = [{"sku": "SERUM-30", "title": "精华液", "quantity": "2", "unit_price": "129", **line}]
    return read("file", orjson.dumps({"row": 2, "rows": [2], "fields": FIELDS, "lines": lines}), "application/json")


def test_ids_and_variant_of_a_channel_item_are_read():
    (row,) = rows(item_id='="611111111111"', channel_sku_id="5111111111111", spec="30ml")
    (line,) = row.draft.lines
    assert (line.item_id, line.sku_id, line.spec) == ("611111111111", "5111111111111", "30ml")


def test_an_id_that_a_spreadsheet_spoiled_is_refused_by_name():
    (row,) = rows(item_id="6.11111E+11")
    assert (row.draft, row.error.path) == (None, "lines[0].item_id")
    assert "lost its last digits" in row.error.reason


def test_a_line_without_ids_is_told_by_its_code_alone():
    (row,) = rows()
    (line,) = row.draft.lines
    assert (line.item_id, line.sku_id, line.spec, line.sku) == ("", "", "", "SERUM-30")
