import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from orderhub.models import Sku, StockChange, StockLevel, Warehouse
from orderhub.services import repeats, stock
from triage.models import CampaignPrice

pytestmark = pytest.mark.usefixtures("warehouse")

ROW = {"sku": "A", "warehouse": "WH01", "on_hand": 5, "title": "精华", "list_price_fen": 12900}


@pytest.fixture
def warehouse(db):
    return Warehouse.objects.create(code="WH01", name="仓")


def load(tmp_path, *rows, **options):
    path = tmp_path / "stock.ndjson"
    path.write_bytes(b"\n".join(row if isinstance(row, bytes) else orjson.dumps(row) for row in rows))
    call_command("import_stock", str(path), **options)
    return path


def test_levels_and_prices_are_set(tmp_path, capsys):
    load(tmp_path, ROW, {**ROW, "sku": "B", "on_hand": 0})
    assert capsys.readouterr().out == "rows 2, levels changed 2, campaign prices 0, refused 0\n"
    assert list(StockLevel.objects.order_by("sku").values_list("sku", "on_hand")) == [("A", 5), ("B", 0)]
    assert Sku.objects.get(code="A").list_price_fen == 12900
    load(tmp_path, ROW)
    assert StockChange.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_the_database_broke_off_is_done_again(tmp_path, capsys, monkeypatch):
    errors, real = [OperationalError("deadlock detected")], stock.import_levels

    def import_levels(**given):
        if errors:
            raise errors.pop()
        return real(**given)

    monkeypatch.setattr(stock, "import_levels", import_levels)
    monkeypatch.setattr(repeats, "PAUSES", (0,))
    load(tmp_path, ROW)
    assert capsys.readouterr().out == "rows 1, levels changed 1, campaign prices 0, refused 0\n"


def test_bad_rows_are_named_and_good_ones_go_on(tmp_path, capsys):
    path = load(tmp_path, ROW, b"{broken", b"", {**ROW, "on_hand": -1}, {**ROW, "sku": ""}, {**ROW, "sku": "C"})
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "rows 2, levels changed 2, campaign prices 0, refused 3",
        f"3 rows refused, with reasons: {path}.rejects.ndjson",
    ]
    assert [line.split(":")[0] for line in told.err.splitlines()] == ["row 2", "row 4", "row 5"]
    assert "on_hand" in told.err
    assert StockLevel.objects.count() == 2


def test_every_refused_row_stands_beside_the_file_and_goes_once_it_is_mended(tmp_path, capsys):
    path = load(tmp_path, ROW, b"{broken", *({**ROW, "sku": f"S{n}", "on_hand": -1} for n in range(30)))
    assert len(capsys.readouterr().err.splitlines()) == 20
    rejects = path.with_name("stock.ndjson.rejects.ndjson")
    first, second, *others = [orjson.loads(line) for line in rejects.read_bytes().splitlines()]
    assert first == {"row": 2, "sku": "", "field": "", "reason": "a row must be a JSON object", "raw": "{broken"}
    reason = "must be a whole number from 0 to 2147483647"
    raw = {**ROW, "sku": "S0", "on_hand": -1}
    assert second == {"row": 3, "sku": "S0", "field": "on_hand", "reason": reason, "raw": raw}
    assert len(others) == 29
    load(tmp_path, ROW)
    assert not rejects.exists()


def test_another_place_for_refused_rows_is_looked_at_before_anything_is_taken_in(tmp_path):
    with pytest.raises(CommandError, match="Name another place with --rejects"):
        load(tmp_path, ROW, rejects=tmp_path / "none" / "r.ndjson")
    assert not StockLevel.objects.exists()
    load(tmp_path, ROW, b"7", rejects=tmp_path / "r.ndjson")
    assert (tmp_path / "r.ndjson").exists()


def test_warehouses_that_nobody_entered_are_told(tmp_path, capsys):
    load(tmp_path, ROW, {**ROW, "warehouse": "WH1"}, {**ROW, "sku": "B", "warehouse": "WH1"}, {**ROW, "warehouse": "X"})
    _counts, told = capsys.readouterr().out.splitlines()
    assert told.startswith(
        "warehouses that the hub does not know: WH1 (rows: 2), X (rows: 1). Their pieces are promised"
    )


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
        ({"campaign_price_fen": 9, "campaign_from": "0001-01-01T00:00:00+08:00"}, "campaign_from"),
        ({"campaign_price_fen": 9, "campaign_from": "2026-11-11", "campaign_to": "2026-11-10"}, "campaign_to"),
    ],
)
def test_a_bad_campaign_price_refuses_its_row_whole(tmp_path, capsys, changes, field):
    with pytest.raises(CommandError):
        load(tmp_path, {**ROW, **changes})
    assert field in capsys.readouterr().err
    assert not StockLevel.objects.exists()
    assert not CampaignPrice.objects.exists()


def test_a_table_goes_in_as_ndjson_does(tmp_path, capsys):
    path = tmp_path / "stock.csv"
    path.write_text("商家编码,仓库,库存,吊牌价,活动价\nA,WH01,5,129,99\nB,WH01,many,,\n", encoding="gbk")
    call_command("import_stock", str(path))
    told = capsys.readouterr()
    assert told.out.splitlines()[0] == "rows 1, levels changed 1, campaign prices 1, refused 1"
    assert told.err == "row 3: on_hand：not a whole number\n"
    assert list(StockLevel.objects.values_list("sku", "on_hand")) == [("A", 5)]
    assert (Sku.objects.get().list_price_fen, CampaignPrice.objects.get().price_fen) == (12900, 9900)


def test_a_file_that_is_none_is_refused_in_words(tmp_path):
    path = tmp_path / "stock.csv"
    path.write_text("商家编码\nA\n", encoding="utf-8")
    with pytest.raises(CommandError, match="no column for warehouse, on_hand"):
        call_command("import_stock", str(path))
