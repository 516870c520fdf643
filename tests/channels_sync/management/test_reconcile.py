import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone, translation

from channels_sync.models import Reconciliation
from channels_sync.services import reconcile
from orderhub.core.money import show
from orderhub.models import Order
from orderhub.services import leases
from tests.channels_sync.world import hub_and_platforms
from tests.factories import make_order, make_shop

pytestmark = pytest.mark.usefixtures("rules")


@pytest.fixture(autouse=True)
def english():
    """The words of the sources."""
    with translation.override("en"):
        yield


@pytest.fixture
def world(settings, db):
    with hub_and_platforms(settings, "taobao") as world:
        world.shop = world.shops["taobao"]
        world.sandbox.live.backlog(30, 0.5)
        world.pull()
        yield world


def run(*arguments):
    """Return the exit status and what was written."""
    out = StringIO()
    try:
        call_command("reconcile", *arguments, stdout=out)
    except SystemExit as end:
        return end.code, out.getvalue().splitlines()
    return 0, out.getvalue().splitlines()


def test_two_sides_that_agree_end_with_status_0(world):
    make_shop("own", platform="file")
    status, lines = run("--all")
    count = len(world.drafts("taobao"))
    total = show(sum(draft["total_fen"] for draft in world.drafts("taobao").values()))
    job = Reconciliation.objects.get()
    paid, refunds = show(job.pool_paid_fen), job.pool_refunds
    rest = f"paid {paid}, {paid}; lines with a refund {refunds}, {refunds}"
    assert (status, lines[0]) == (0, f"Orders placed from {local(job.start)} to {local(job.end)}")
    assert lines[1:] == [
        "",
        "  shop  platform  pool  equal  held  rejects  on way  shipped else  DIFFER",
        f"taobao        {count}    {count}     {count}     0        0       0             0       0",
        "",
        "own: not compared, its platform lists no orders",
        f"taobao: total {total} on the platform, {total} in the pool; {rest}",
        "taobao: stock not offered by the platform",
        "Everything agrees.",
    ]
    assert job.end - job.start == timedelta(hours=24)


def test_every_difference_is_a_line_and_the_status_is_1_until_it_is_mended(world):
    lost, wrong = world.plain("taobao", 2)
    was = Order.objects.get(external_no=lost)
    Order.objects.filter(external_no=lost).delete()
    paid = Order.objects.get(external_no=wrong).paid_fen
    Order.objects.filter(external_no=wrong).update(paid_fen=1)
    status, lines = run("--shop", "taobao")
    assert (status, lines[-3:]) == (1, [
        f"taobao: field {wrong} paid_fen: pool ¥0.01 | platform {show(paid)}",
        f"taobao: missing_in_pool {lost}: pool — | platform paid {show(was.total_fen)}",
        "NOT everything agrees.",
    ])  # fmt: skip
    status, lines = run("--shop", "taobao", "--mend")
    assert (status, lines[-2:]) == (0, ["taobao: mended 2, not mended 0", "Everything agrees."])
    assert run("--shop", "taobao")[0] == 0


def test_what_cannot_be_mended_stays_with_its_reason(world):
    make_order(world.shop, external_no="77", created_at=timezone.now() - timedelta(minutes=5))
    status, lines = run("--shop", "taobao", "--mend")
    assert (status, lines[-3:]) == (1, [
        "taobao: mended 0, not mended 1",
        ("taobao: missing_on_platform 77: pool paid ¥129.00 | platform —  "
         "(The platform has no such order: look it up there.)"),
        "NOT everything agrees.",
    ])  # fmt: skip


def test_for_scripts_there_is_one_object(world):
    number = world.plain("taobao", 1)[0]
    flag = world.drafts("taobao")[number]["flag"]
    other = "green" if flag != "green" else "red"
    Order.objects.filter(external_no=number).update(flag=other)
    status, (line,) = run("--all", "--json", "--from", f"{timezone.now() - timedelta(days=30):%Y-%m-%dT%H:%M}")
    answer = json.loads(line)
    (shop,) = answer["shops"]
    assert (status, answer["differs"], shop["shop"], shop["state"], shop["stock"]) == (
        1, True, "taobao", "done", "not_offered",
    )  # fmt: skip
    assert (shop["platform_orders"], shop["differing"], shop["equal"]) == (
        shop["pool_orders"],
        1,
        shop["pool_orders"] - 1,
    )
    assert shop["differences"] == [{
        "kind": "field", "external_no": number, "field": "flag", "pool_value": other, "platform_value": flag,
        "state": "open", "note": "",
    }]  # fmt: skip


def test_a_channel_that_fails_is_no_agreement(world, monkeypatch):
    monkeypatch.setattr(reconcile, "WAITS", (0.0, 0.0))
    world.sandbox.faults.add({"kind": "http500", "times": 500})
    status, lines = run("--shop", "taobao")
    assert status == 1
    assert any(line.startswith("taobao: FAILED") and "HTTP 500" in line for line in lines)
    assert lines[-1] == "NOT everything agrees."
    assert Reconciliation.objects.get().state == "cancelled"


def test_what_passes_is_tried_again(world, monkeypatch):
    monkeypatch.setattr(reconcile, "WAITS", (0.0, 0.0, 0.0))
    world.sandbox.faults.add({"kind": "http500", "times": 4})
    assert run("--shop", "taobao")[0] == 0


def test_a_shop_that_another_worker_compares_is_left_to_it(world):
    with leases.hold(f"reconciliation:{world.shop.pk}", 60):
        status, lines = run("--shop", "taobao")
    assert status == 1
    assert "taobao: FAILED taobao is being compared by another worker: try again later." in lines


@pytest.mark.parametrize(
    "arguments",
    [("--shop", "nowhere"), ("--shop", "own"), ("--all", "--from", "yesterday"), ("--all", "--to", "2020-01-01",
     "--from", "2020-01-02"), ("--all", "--from", "2020-01-01"), (), ("--all", "--shop", "own")],
)  # fmt: skip
def test_wrong_wishes_are_refused(db, arguments):
    make_shop("own", platform="file")
    with pytest.raises(CommandError):
        run(*arguments)
    assert Reconciliation.objects.count() == 0


def local(moment):
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S")
