import os
import signal
import subprocess

import orjson
import pytest
from django.db import connection

from channels_sync.services.files import FileImport, file_shop
from channels_sync.tables.columns import ColumnMapping
from channels_sync.tables.sniff import inspect
from orderhub import deliveries, reruns
from orderhub.core.errors import HubError, TemporaryError
from orderhub.models import InboxItem, Order, Reject, Shop, Warehouse
from tests.channels_sync.tables.test_chunks import row, write_csv
from tests.drafts import draft
from tests.factories import make_shop
from tests.processes import running


@pytest.fixture(autouse=True)
def small_pieces(settings):
    settings.HUB_BATCH_SIZE = 10


def ndjson(path, count, bad=()):
    lines = [b"{broken" if n in bad else orjson.dumps(draft(f"T{n:05d}")) for n in range(count)]
    path.write_bytes(b"\n".join(lines))
    return path


def run(path, shop="f", mapping=None, process=deliveries.process, waits=lambda error: None):
    task = FileImport(
        file_shop(shop), inspect(path), mapping or ColumnMapping(), process, path.with_name("rejects.ndjson"),
        waits=waits,
    )  # fmt: skip
    read = list(task.run())
    assert read == sorted(read)
    return task.summary


def rejects(path):
    file = path.with_name("rejects.ndjson")
    return [orjson.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else None


def test_a_missing_shop_is_made_as_a_file_shop(db):
    shop = file_shop("new-shop")
    assert (shop.platform, shop.is_active, Shop.objects.count()) == ("file", True, 1)
    assert file_shop("new-shop").pk == shop.pk


@pytest.mark.parametrize(("active", "gets"), [((), None), (("A",), "A"), (("A", "B"), None)])
def test_a_new_file_shop_gets_the_warehouse_where_there_is_but_one(db, active, gets):
    for code in ("A", "B", "OLD"):
        Warehouse.objects.create(code=code, name=code, is_active=code in active)
    shop = file_shop("new-shop")
    assert (shop.warehouse and shop.warehouse.code) == gets
    assert file_shop("new-shop").warehouse == shop.warehouse


def test_a_file_shop_whose_warehouse_was_taken_away_gets_none_by_itself(db):
    make_shop("f")
    Warehouse.objects.create(code="A", name="A")
    assert file_shop("f").warehouse is None


@pytest.mark.parametrize("code", ["", "a b", "店", "x" * 51])
def test_a_shop_code_that_cannot_be(db, code):
    with pytest.raises(HubError):
        file_shop(code)
    assert not Shop.objects.exists()


def test_every_row_goes_in_once_and_the_second_run_changes_nothing(tmp_path, rules):
    path = ndjson(tmp_path / "a.ndjson", 35)
    first = run(path)
    before = list(Order.objects.order_by("pk").values_list("pk", "external_no", "received_at"))
    second = run(path)
    assert (first.counts["new"], first.before.total()) == (35, 0)
    assert (second.counts.total(), second.before["new"]) == (0, 35)
    assert list(Order.objects.order_by("pk").values_list("pk", "external_no", "received_at")) == before
    assert InboxItem.objects.count() == 4
    assert rejects(path) is None


def test_bad_rows_are_named_with_their_row_of_the_file(tmp_path, rules):
    path = ndjson(tmp_path / "a.ndjson", 25, bad={12, 24})
    assert run(path).counts["new"] == 23
    assert [(one["row"], one["raw"]) for one in rejects(path)] == [(13, "{broken"), (25, "{broken")]
    again = run(path)
    assert (again.rejected, Reject.objects.count()) == (2, 2)
    assert len(rejects(path)) == 2


def test_two_runs_of_one_file_at_once_leave_the_same_rejects(tmp_path, rules):
    path = ndjson(tmp_path / "x.ndjson", 25, bad={3, 24})
    first = FileImport(
        file_shop("f"), inspect(path), ColumnMapping(), deliveries.process, path.with_name("rejects.ndjson")
    )
    reading = first.run()
    next(reading)
    assert run(path).rejected == 2
    assert [line["row"] for line in rejects(path)] == [4, 25]
    list(reading)
    assert (first.summary.rejected, [line["row"] for line in rejects(path)]) == (2, [4, 25])
    assert {file.name for file in tmp_path.iterdir()} == {"x.ndjson", "rejects.ndjson"}


def test_a_table_with_bad_rows(tmp_path, rules):
    rows = [row(f"A{n}") for n in range(30)]
    rows[14] = row("A14", 数量="-1")
    path = write_csv(tmp_path / "a.csv", rows, encoding="gbk")
    summary = run(path)
    assert (summary.counts["new"], summary.counts["rejected"]) == (29, 1)
    (refused,) = rejects(path)
    assert (refused["row"], refused["external_no"], refused["field"]) == (16, "A14", "lines[0].quantity")
    assert refused["raw"]["fields"]["receiver_name"] == "李雷"
    assert refused["reason"]
    assert reruns.rerun_reject(Reject.objects.get().pk, "boss") is False


def test_a_corrected_mapping_is_another_delivery(tmp_path, rules):
    path = write_csv(tmp_path / "a.csv", [row("A1", 买家留言="加急")])
    run(path)
    mapping = ColumnMapping(columns={"seller_remark": "买家留言"})
    assert run(path, mapping=mapping).counts["changed"] == 1
    assert Order.objects.get().seller_remark == "加急"


def test_the_same_file_for_another_shop_is_another_delivery(tmp_path, rules):
    path = ndjson(tmp_path / "a.ndjson", 5)
    run(path)
    assert run(path, shop="other").counts["new"] == 5
    assert Order.objects.count() == 10


def test_a_piece_that_another_worker_has_taken_is_waited_for(tmp_path, rules, monkeypatch):
    path = ndjson(tmp_path / "a.ndjson", 5)
    calls = []

    def process(item_id):
        calls.append(item_id)
        if len(calls) == 1:
            deliveries.process(item_id)
            raise TemporaryError("another worker is taking this delivery in", retry_after=0.01)
        return deliveries.process(item_id)

    told = []
    assert run(path, process=process, waits=told.append).counts["new"] == 5
    assert (len(calls), [str(error) for error in told]) == (2, ["another worker is taking this delivery in"])


def test_a_lasting_failure_is_told_and_keeps_what_is_in(tmp_path, rules, monkeypatch):
    monkeypatch.setattr("channels_sync.services.files.PATIENCE", 0.0)
    path = ndjson(tmp_path / "a.ndjson", 25)

    def process(item_id):
        if Order.objects.count() >= 10:
            raise TemporaryError("down", retry_after=0.01)
        return deliveries.process(item_id)

    with pytest.raises(TemporaryError):
        run(path, process=process)
    assert Order.objects.count() == 10
    assert run(path).counts["new"] == 15


KILLED = """
import django, sys
django.setup()
from django.conf import settings
from django.core.management import call_command
settings.DATABASES["default"]["NAME"] = {name!r}
settings.HUB_BATCH_SIZE = 10
from orderhub import deliveries
from orderhub.services import inbox
inbox.LEASE_SECONDS = 1
done = deliveries.process
def process(item_id):
    if {at} == "before":
        print("piece\\n", end="", flush=True)
        sys.stdin.readline()
    result = done(item_id)
    print("piece\\n", end="", flush=True)
    sys.stdin.readline()
    return result
deliveries.process = process
call_command("import_orders", {path!r}, shop="f", verbosity=0)
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("at", ["before", "after"])
def test_an_import_killed_in_the_middle_goes_on_and_ends_with_exactly_all_rows(tmp_path, rules, at):
    path = ndjson(tmp_path / "a.ndjson", 45)
    script = KILLED.format(name=connection.settings_dict["NAME"], path=str(path), at=repr(at))
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    with running(script, stdin=subprocess.PIPE, env=environment) as child:
        for _ in range(2):
            while child.stdout.readline().strip() != "piece":
                assert child.poll() is None
            child.stdin.write("\n")
            child.stdin.flush()
        while child.stdout.readline().strip() != "piece":
            assert child.poll() is None
        child.send_signal(signal.SIGKILL)
        child.communicate()
    assert 0 < Order.objects.count() < 45
    summary = run(path)
    assert Order.objects.count() == 45
    # A piece whose orders were in, but not yet noted as done, says "unchanged" now.
    assert summary.counts["new"] + summary.counts["unchanged"] + summary.before["new"] == 45
