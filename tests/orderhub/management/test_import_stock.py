import orjson
import pytest
from django.core.management import CommandError, call_command

from orderhub.models import Sku, StockChange, StockLevel
from triage.models import CampaignPrice

pytestmark = pytest.mark.django_db

ROW = {"sku": "A", "warehouse": "WH01", "on_hand": 5, "title": "精华", "list_price_fen": 12900}


def load(tmp_path, *rows):
    path = tmp_path / "stock.ndjson"
    path.write_bytes(b"\n".join(row if isinstance(row, bytes) else orjson.dumps(row) for row in rows))
    call_command("import_stock", str(path))


def test_levels_and_prices_are_set(tmp_path, capsys):
    load(tmp_path, ROW, {**ROW, "sku": "B", "on_hand": 0})
    assert capsys.readouterr().out == "rows 2, levels changed 2, campaign prices 0, refused 0\n"
    assert list(StockLevel.objects.order_by("sku").values_list("sku", "on_hand")) == [("A", 5), ("B", 0)]
    assert Sku.objects.get(code="A").list_price_fen == 12900
    load(tmp_path, ROW)
    assert StockChange.objects.count() == 2


def test_bad_rows_are_named_and_good_ones_go_on(tmp_path, capsys):
    load(tmp_path, ROW, b"{broken", b"", {**ROW, "on_hand": -1}, {**ROW, "sku": ""}, {**ROW, "sku": "C"})
    told = capsys.readouterr()
    assert told.out == "rows 2, levels changed 2, campaign prices 0, refused 3\n"
    assert [line.split(":")[0] for line in told.err.splitlines()] == ["row 2", "row 4", "row 5"]
    assert "on_hand" in told.err
    assert StockLevel.objects.count() == 2


def test_campaign_prices(tmp_path, capsys):
    times = {"campaign_from": "2026-11-10T20:00:00+08:00", "campaign_to": "2026-11-12"}
    load(tmp_path, {**ROW, "campaign_price_fen": 9900, **times}, {**ROW, "sku": "B", "campaign_price_fen": 100})
    assert "campaign prices 2" in capsys.readouterr().out
    price = CampaignPrice.objects.get(sku="A")
    assert (price.price_fen, price.starts_at.isoformat()) == (9900, "2026-11-10T12:00:00+00:00")
    assert price.ends_at.isoformat() == "2026-11-11T16:00:00+00:00"
    always = CampaignPrice.objects.get(sku="B")
    assert (always.ends_at - always.starts_at).days == 30


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"campaign_price_fen": 0}, "campaign_price_fen"),
        ({"campaign_price_fen": "9"}, "campaign_price_fen"),
        ({"campaign_price_fen": 9, "campaign_from": "soon"}, "campaign_from"),
        ({"campaign_price_fen": 9, "campaign_from": "2026-11-11", "campaign_to": "2026-11-10"}, "campaign_to"),
    ],
)
def test_a_bad_campaign_price_refuses_its_row_whole(tmp_path, capsys, changes, field):
    with pytest.raises(CommandError):
        load(tmp_path, {**ROW, **changes})
    assert field in capsys.readouterr().err
    assert not StockLevel.objects.exists()
    assert not CampaignPrice.objects.exists()
