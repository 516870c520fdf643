import errno
import json

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from orderhub import deliveries
from orderhub.models import Order, Reject, Shop, Warehouse
from orderhub.services.gate import set_gate
from tests.drafts import draft

pytestmark = pytest.mark.usefixtures("rules", "warehouse")
HOMELESS = "shop f has no active warehouse: its orders wait until one is set in the console (Channels, Shops, f)"


@pytest.fixture
def warehouse(db):
    return Warehouse.objects.create(code="WH01", name="仓")


def ndjson(tmp_path, *rows):
    path = tmp_path / "orders.ndjson"
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    return path


def command(*args, capsys, **options):
    call_command("import_orders", *map(str, args), **options)
    return capsys.readouterr().out


def test_orders_go_in_and_the_result_is_told(tmp_path, capsys):
    path = ndjson(tmp_path, draft("A"), draft("B"))
    assert command(path, shop="f", capsys=capsys) == "new 2, changed 0, unchanged 0, stale 0, rejected 0\n"
    again = command(path, shop="f", capsys=capsys)
    assert "new 0" in again
    assert "taken in by an earlier run: 2 rows" in again
    assert Order.objects.count() == 2


def test_a_shop_without_a_warehouse_is_told_at_each_run(tmp_path, capsys, warehouse):
    Warehouse.objects.create(code="WH02", name="仓二")
    path = ndjson(tmp_path, draft("A"))
    assert command(path, shop="f", capsys=capsys).splitlines() == [
        "new 1, changed 0, unchanged 0, stale 0, rejected 0", HOMELESS,
    ]  # fmt: skip
    assert HOMELESS in command(path, shop="f", capsys=capsys)
    Shop.objects.update(warehouse=warehouse)
    assert HOMELESS not in command(path, shop="f", capsys=capsys)
    Warehouse.objects.update(is_active=False)
    assert HOMELESS in command(path, shop="f", capsys=capsys)


def test_what_was_not_used_is_named_once_and_not_kept(tmp_path, capsys):
    path = ndjson(tmp_path, draft("A", id_card="330106"), draft("B", raw={"phone2": "13700001111"}))
    assert command(path, shop="f", capsys=capsys).splitlines()[1:] == ["columns not used: id_card"]
    assert "columns not used: id_card\n" in command(path, shop="f", capsys=capsys)
    assert list(Order.objects.values_list("extra", flat=True)) == [None, None]


def test_rows_that_wait_before_the_gate_are_told(tmp_path, capsys):
    set_gate(shop_id=None, state="paused", reason="stock count", actor="boss")
    out = command(ndjson(tmp_path, draft("A"), draft("B")), shop="f", capsys=capsys).splitlines()
    assert out == [
        "new 0, changed 0, unchanged 0, stale 0, rejected 0",
        "2 rows wait before the intake gate, which is not open",
    ]
    assert not Order.objects.exists()


def test_refused_rows_are_written_beside_the_file(tmp_path, capsys):
    path = ndjson(tmp_path, draft("A"), {**draft("B"), "total_fen": -5}, draft("C"))
    out = command(path, shop="f", capsys=capsys)
    assert "1 rows refused" in out
    (line,) = (tmp_path / "orders.ndjson.rejects.ndjson").read_text(encoding="utf-8").splitlines()
    refused = json.loads(line)
    assert (refused["row"], refused["external_no"], refused["field"]) == (2, "B", "total_fen")
    assert refused["raw"]["total_fen"] == -5
    assert Reject.objects.count() == 1


def test_the_place_of_the_refused_rows_can_be_chosen(tmp_path, capsys):
    path = ndjson(tmp_path, {**draft("B"), "status": "odd"})
    command(path, shop="f", rejects=tmp_path / "bad.ndjson", capsys=capsys)
    assert (tmp_path / "bad.ndjson").exists()


@pytest.mark.parametrize("place", ["none/bad.ndjson", "orders.ndjson/bad.ndjson", "."])
def test_a_place_where_nothing_can_be_written_is_told_before_anything_starts(tmp_path, place):
    path = ndjson(tmp_path, draft("A"))
    with pytest.raises(
        CommandError, match=r"refused rows cannot be written to .*: .*\. Name another place with --rejects"
    ):
        call_command("import_orders", str(path), shop="f", rejects=tmp_path / place)
    assert (Shop.objects.count(), Order.objects.count()) == (0, 0)


def test_a_disk_that_fills_up_is_told_in_words(tmp_path, monkeypatch):
    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("channels_sync.tables.rejects.copyfileobj", full)
    path = ndjson(tmp_path, {**draft("B"), "status": "odd"})
    with pytest.raises(
        CommandError, match=r"No space left on device.* What was taken in stays; run the command again\."
    ):
        call_command("import_orders", str(path), shop="f", verbosity=0)
    assert [file.name for file in tmp_path.iterdir()] == ["orders.ndjson"]


def test_a_database_that_goes_away_is_told_in_words(tmp_path, capsys, monkeypatch):
    def gone(item_id):
        raise OperationalError("terminating connection")

    monkeypatch.setattr(deliveries, "process", gone)
    with pytest.raises(CommandError, match="The database is away"):
        command(ndjson(tmp_path, draft("A")), shop="f", capsys=capsys)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"[1]", "one order per line"), (b"a,b\n1,2\n", "no column for external_no")],
)
def test_a_file_that_cannot_be_used_is_told(tmp_path, content, message):
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=message):
        call_command("import_orders", str(path), shop="f", verbosity=0)
    assert not Order.objects.exists()


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(CommandError, match="is no file"):
        call_command("import_orders", str(tmp_path / "none"), shop="f")
