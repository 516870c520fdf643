from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from channels_sync.connectors.base import connectors
from channels_sync.connectors.exchange import Shipment, ShippedLine
from channels_sync.models import (
    Difference,
    DifferenceState,
    JobState,
    Listing,
    ListingPart,
    ListingState,
    Reconciliation,
    ShopSync,
)
from channels_sync.services import mend, reconcile, tokens, verdicts
from channels_sync.services.access import shop_access
from orderhub.core.errors import HubError
from orderhub.core.money import show
from orderhub.models import Effect, InboxItem, Order, OrderLine, ParcelLine, ParkedOrder, Receiver, Reject, Sku
from orderhub.models.inbox import pack
from orderhub.remapping import remap
from orderhub.services import leases
from tests.channels_sync.world import PLATFORMS, hub_and_platforms
from tests.factories import make_order, make_parcel, make_shop

pytestmark = pytest.mark.usefixtures("rules")


@pytest.fixture(autouse=True)
def english():
    """The words of the sources."""
    with translation.override("en"):
        yield


STOCKED = ("jd", "douyin", "wechat")


@pytest.fixture
def world(settings, db, request):
    """One platform, the one that the test names, with its orders pulled."""
    platform = getattr(request, "param", "taobao")
    with hub_and_platforms(settings, platform) as world:
        world.platform, world.shop = platform, world.shops[platform]
        world.sandbox.live.backlog(70, 0.8)
        world.pull()
        yield world


on_each = pytest.mark.parametrize("world", PLATFORMS, indirect=True)


def compare(shop, **values):
    now = timezone.now()
    job = reconcile.start(
        **{"shop_id": shop.pk, "start": now - timedelta(hours=2), "end": now, "actor": "meimei", **values}
    )
    reconcile.run_to_the_end(job)
    assert (job.state, job.last_error) == (JobState.DONE, "")
    return job


def told(job):
    return [
        (row.kind, row.external_no, row.field, row.pool_value, row.platform_value)
        for row in Difference.objects.filter(reconciliation=job).order_by("kind", "external_no", "field")
    ]


def of(number):
    return Order.objects.get(external_no=number)


def plant(world):
    """Plant one difference of each kind and return what is to be found."""
    lost, field, receiver, stale, line = world.plain(world.platform, 5)
    was = of(lost)
    gone = (
        "missing_in_pool", lost, "", "—", f"paid {show(was.total_fen)}",
    )  # fmt: skip
    Order.objects.filter(external_no=lost).delete()
    paid = of(field).paid_fen
    Order.objects.filter(external_no=field).update(paid_fen=paid + 100, buyer_remark="门口")
    remark = world.drafts(world.platform)[field]["buyer_remark"]
    province = Receiver.objects.get(order__external_no=receiver).province
    Receiver.objects.filter(order__external_no=receiver).update(province="别处省")
    moved = of(stale).modified_at
    colour = "red" if world.drafts(world.platform)[stale]["flag"] == "purple" else "purple"
    Order.objects.filter(external_no=stale).update(modified_at=moved - timedelta(minutes=1), flag=colour)
    first = of(line).lines.order_by("pk").first()
    OrderLine.objects.filter(pk=first.pk).update(refund="asked", quantity=first.quantity + 1)
    now = timezone.now()
    ghost = make_order(world.shop, external_no="99", created_at=now - timedelta(minutes=30), total_fen=12900)
    flag = world.drafts(world.platform)[stale]["flag"] if world.platform != "wechat" else "none"
    return [
        ("field", field, "buyer_remark", "门口", remark or "—"),
        ("field", field, "paid_fen", show(paid + 100), show(paid)),
        ("field", line, f"lines[{first.line_no}].quantity", str(first.quantity + 1), str(first.quantity)),
        ("field", line, f"lines[{first.line_no}].refund", "asked", "none"),
        ("field", receiver, "receiver.province", "别处省", province or "—"),
        gone,
        ("missing_on_platform", ghost.external_no, "", "paid ¥129.00", "—"),
        ("stale", stale, "flag", colour, flag),
        ("stale", stale, "modified_at", exact(moved - timedelta(minutes=1)), exact(moved)),
    ]  # fmt: skip


def exact(moment):
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S")


@on_each
def test_what_was_pulled_equals_the_platform_field_by_field(world):
    truth = world.drafts(world.platform)
    job = compare(world.shop)
    assert told(job) == []
    assert (job.platform_orders, job.pool_orders, job.equal, job.differing) == (*(len(truth),) * 3, 0)
    assert job.platform_orders > 50
    assert (job.underway, job.held, job.rejected, job.shipped_elsewhere) == (0, 0, 0, 0)
    assert job.platform_total_fen == job.pool_total_fen == sum(draft["total_fen"] for draft in truth.values())
    assert job.platform_paid_fen == job.pool_paid_fen
    assert job.platform_refunds == job.pool_refunds
    assert job.stock_state == ("not_offered" if world.platform == "taobao" else "nothing")


@on_each
def test_refunds_that_go_on_living_make_no_difference(world):
    asked, withdrawn, granted, shipped, paid_back = world.plain(world.platform, 5)
    connector, access = connectors.get(world.platform), shop_access(world.shop)
    for number in (shipped, paid_back):
        connector.ship(access, Shipment(number, "SF", f"SF{number[-6:]}"))
    steps = [
        *((number, "ask_refund") for number in (asked, withdrawn, granted)),
        *((number, "refund_after_shipping") for number in (shipped, paid_back)),
        (withdrawn, "withdraw_refund"), (granted, "finish_refund"), (paid_back, "finish_refund"),
    ]  # fmt: skip
    for number, change in steps:
        world.sandbox.now.forward(1)
        world.sandbox.live.change(number, change)
        world.pull()
    assert told(compare(world.shop)) == []
    found = {number: set(of(number).lines.values_list("refund", flat=True)) for number, _change in steps}
    assert ["asked" in found[number] for number in (asked, withdrawn, shipped)] == [True, False, True]
    assert ["done" in found[number] for number in (granted, paid_back)] == [True, True]


@on_each
def test_each_planted_difference_is_found_and_nothing_else_and_mending_closes_all_but_the_ghost(world):
    planted = plant(world)
    before = Order.objects.count()
    job = compare(world.shop)
    assert sorted(told(job)) == sorted(planted)
    assert (job.differing, job.platform_orders, job.pool_orders) == (6, before, before)
    assert job.equal == job.platform_orders - 5
    done = mend.mend(Difference.objects.filter(reconciliation=job), actor="meimei")
    assert (done.mended, done.kept) == (len(planted) - 1, 1)
    kept = Difference.objects.get(state=DifferenceState.KEPT)
    assert (kept.external_no, kept.closed_by, kept.note) == (
        "99", "meimei", "The platform has no such order: look it up there.",
    )  # fmt: skip
    Order.objects.filter(external_no="99").delete()
    again = compare(world.shop)
    assert (told(again), again.differing, again.equal) == ([], 0, again.platform_orders)
    kept.refresh_from_db()
    assert kept.state == DifferenceState.GONE
    assert Reject.objects.count() == 0


@on_each
def test_orders_at_the_gate_or_among_the_rejects_are_not_missing(world):
    parked, rejected = world.plain(world.platform, 2)
    Order.objects.filter(external_no__in=[parked, rejected]).delete()
    now = timezone.now()
    ParkedOrder.objects.create(
        shop=world.shop, external_no=parked, modified_at=now, ship_by=now, packed_row=pack(b"{}"), reader="draft",
        source="poll",
    )  # fmt: skip
    (page,) = connectors.get(world.platform).fetch(shop_access(world.shop), [rejected])
    Reject.objects.create(shop=world.shop, external_no=rejected, reason="no", packed_row=pack(page.body))
    job = compare(world.shop)
    assert (job.held, job.rejected, job.differing, told(job)) == (1, 1, 0, [])
    assert job.platform_orders == job.pool_orders + 2


@on_each
@pytest.mark.parametrize("row", [b'{"modified":"2020-01-01 00:00:00"}', b'{"hub_refused":"no such order"}'])
def test_a_reject_of_another_version_or_of_a_refusal_hides_no_missing_order(world, row):
    (missing,) = world.plain(world.platform, 1)
    Order.objects.filter(external_no=missing).delete()
    Reject.objects.create(shop=world.shop, external_no=missing, reason="no", packed_row=pack(row))
    job = compare(world.shop)
    assert (job.rejected, [(kind, number) for kind, number, *_rest in told(job)]) == (0, [("missing_in_pool", missing)])


@on_each
def test_what_is_newer_than_the_last_pull_is_on_its_way_and_no_difference(world):
    known = world.plain(world.platform, 1)[0]
    before, cursor = world.drafts(world.platform), ShopSync.objects.get().cursor
    ShopSync.objects.update(cursor=world.sandbox.now())
    world.sandbox.now.forward(20)
    world.sandbox.live.change(known, "hold" if world.platform in {"taobao", "jd", "douyin"} else "note")
    world.sandbox.live.make(3)
    moved = [number for number, draft in world.drafts(world.platform).items() if draft != before.get(number)]
    job = compare(world.shop)
    assert (job.underway, job.differing) == (len(moved), 0)
    assert known in moved
    ShopSync.objects.update(cursor=cursor)
    world.pull()
    assert told(compare(world.shop)) == []


@on_each
def test_the_receiver_is_compared_in_clear_and_told_masked(world):
    number = world.plain(world.platform, 1)[0]
    receiver = Receiver.objects.get(order__external_no=number)
    clear = receiver.open()
    other = make_order(detail="天目山路 1 号", name=clear["name"], phone=clear["phone"]).receiver
    Receiver.objects.filter(pk=receiver.pk).update(sealed=other.sealed)
    job = compare(world.shop)
    (row,) = told(job)
    assert row[:3] == ("field", number, "receiver.detail")
    assert row[3:] == (receiver.detail_masked, f"{receiver.detail_masked} ≠")
    assert "天目山" not in str(row)


@on_each
def test_a_receiver_that_was_masked_in_another_way_is_no_difference(world):
    number = world.plain(world.platform, 1)[0]
    Receiver.objects.filter(order__external_no=number).update(detail_masked="文三路 90***")
    assert told(compare(world.shop)) == []


@pytest.mark.parametrize(("world", "told_of"), [("jd", True), ("douyin", True), ("taobao", False)], indirect=["world"])
def test_a_receivers_token_counts_where_it_lasts(world, told_of):
    number = world.plain(world.platform, 1)[0]
    receiver = Receiver.objects.get(order__external_no=number)
    Receiver.objects.filter(pk=receiver.pk).update(oaid=receiver.oaid[::-1])
    rows = told(compare(world.shop))
    is_told = ("field", number, "receiver.oaid", receiver.oaid[::-1], receiver.oaid) in rows
    assert (is_told, len(rows)) == (told_of and bool(receiver.oaid), int(is_told))


@on_each
def test_parcels_that_left_must_be_known_to_the_channel(world):
    shipped, elsewhere, silent = world.plain(world.platform, 3)
    connector, access = connectors.get(world.platform), shop_access(world.shop)
    connector.ship(access, Shipment(shipped, "SF", "SF1001"))
    connector.ship(access, Shipment(elsewhere, "SF", "SF2002"))
    world.sandbox.now.forward(1)
    world.pull()
    left = timezone.now()
    make_parcel(of(shipped), "SF1001", handed_over_at=left)
    make_parcel(of(silent), "SF3003", handed_over_at=left)
    job = compare(world.shop)
    silent_rows = [] if world.platform == "jd" else [("field", silent, "tracking_numbers", "SF3003", "")]
    assert told(job) == silent_rows
    assert job.shipped_elsewhere == 1
    Effect.objects.create(shop=world.shop, order=of(silent), kind="shipment", key="s1", due_at=left, created_at=left)
    job = compare(world.shop)
    assert (told(job), job.underway) == ([], 0 if world.platform == "jd" else 1)
    Effect.objects.update(state="dead")
    assert told(compare(world.shop)) == silent_rows
    # Refused for the refund that is open: it is told by itself once that is over.
    Order.objects.filter(external_no=silent).update(under_refund="in_transit")
    assert told(compare(world.shop)) == []
    make_parcel(of(shipped), "SF1002", handed_over_at=left)
    (row,) = told(compare(world.shop))
    assert row == ("field", shipped, "tracking_numbers", "SF1001, SF1002", "SF1001")
    line = of(shipped).lines.first()
    for parcel in of(shipped).parcels.all():
        pieces = {"line_no": line.line_no, "sku": line.sku, "quantity": 1}
        ParcelLine.objects.create(shop=world.shop, order=of(shipped), parcel=parcel, **pieces)
    # Taobao keeps one number for each line: where pieces of a line left in two parcels, it cannot show both.
    assert told(compare(world.shop)) == ([] if world.platform == "taobao" else [row])


@pytest.mark.parametrize("world", ["taobao", "douyin", "wechat"], indirect=True)
def test_a_bundle_in_two_parcels_is_known_to_the_channel_by_the_one_that_completes_it(world):
    number = next(n for n in world.plain(world.platform, 20) if len(world.drafts(world.platform)[n]["lines"]) == 1)
    (note,) = of(number).extra["channel_lines"]
    listing = Listing.objects.get(shop=world.shop, item_id=note["item_id"], sku_id=note["sku_id"])
    Listing.objects.filter(pk=listing.pk).update(state=ListingState.MATCHED)
    for sku in ("BOX", "CARD"):
        Sku.objects.create(code=sku)
        ListingPart.objects.create(listing=listing, sku=sku)
    remap([listing.pk], "meimei", 1000)
    left = timezone.now()
    for line, tracking in zip(of(number).lines.order_by("line_no"), ("SF1001", "SF1002"), strict=True):
        pieces = {"line_no": line.line_no, "sku": line.sku, "quantity": line.quantity}
        parcel = make_parcel(of(number), tracking, handed_over_at=left)
        ParcelLine.objects.create(shop=world.shop, order=of(number), parcel=parcel, **pieces)
    told_lines = [ShippedLine(note["line_no"], line.quantity)]
    connectors.get(world.platform).ship(shop_access(world.shop), Shipment(number, "SF", "SF1002", lines=told_lines))
    world.sandbox.now.forward(1)
    world.pull()
    assert told(compare(world.shop)) == []


@pytest.mark.parametrize(("status", "fields"), [("picking", set()), ("in_transit", {"tracking_numbers"})])
def test_a_part_of_a_bundle_is_told_once_nothing_more_leaves(world, status, fields):
    number = next(n for n in world.plain(world.platform, 20) if len(world.drafts(world.platform)[n]["lines"]) == 1)
    order = of(number)
    (note,) = order.extra["channel_lines"]
    note["as"] = [f"{note['line_no']}.{part}" for part in (1, 2)]
    line = order.lines.get()
    OrderLine.objects.filter(pk=line.pk).update(line_no=note["as"][0])
    OrderLine.objects.create(
        shop=world.shop, order=order, line_no=note["as"][1], sku="CARD", quantity=1, unit_price_fen=0, paid_fen=0
    )
    Order.objects.filter(pk=order.pk).update(extra=order.extra, status=status)
    parcel = make_parcel(order, "SF1001", handed_over_at=timezone.now())
    ParcelLine.objects.create(
        shop=world.shop, order=order, parcel=parcel, line_no=note["as"][0], sku=line.sku, quantity=line.quantity
    )
    assert {row[2] for row in told(compare(world.shop)) if row[2] == "tracking_numbers"} == fields


@pytest.mark.parametrize("world", STOCKED, indirect=True)
def test_stock_is_compared_with_what_was_told_and_taken_and_told_again_when_mended(world):
    from channels_sync.connectors.base import connectors
    from channels_sync.connectors.exchange import StockWrite
    from channels_sync.services.access import shop_access

    first, second = Listing.objects.filter(shop=world.shop).exclude(sku_id="").order_by("pk")[:2]
    connector, access = connectors.get(world.platform), shop_access(world.shop)
    writes = [StockWrite(each.item_id, each.sku_id, each.outer_id, 7, str(each.pk)) for each in (first, second)]
    assert [result.error for result in connector.write_stock(access, writes)] == [None, None]
    Listing.objects.filter(shop=world.shop).update(state=ListingState.MATCHED)
    for each, shown in ((first, 7), (second, 9)):
        Sku.objects.create(code=each.outer_id)
        ListingPart.objects.create(listing=each, sku=each.outer_id)
        Listing.objects.filter(pk=each.pk).update(shown=shown)
    job = compare(world.shop)
    key = f"{second.item_id}:{second.sku_id}:{second.outer_id}"
    assert told(job) == [("stock", key, "stock", "9", "7")]
    assert (job.stock_state, job.stock_items, job.stock_differing, job.differing) == ("compared", 2, 1, 0)
    done = mend.mend(Difference.objects.filter(reconciliation=job), actor="meimei")
    assert (done.mended, done.kept) == (1, 0)
    assert list(Listing.objects.filter(pk__in=[first.pk, second.pk]).order_by("pk").values_list("shown")) == [
        (7,), (None,),
    ]  # fmt: skip


@pytest.mark.parametrize("world", STOCKED, indirect=True)
def test_an_item_that_the_platform_does_not_know_says_so(world):
    listing = Listing.objects.create(
        shop=world.shop, item_id="1", sku_id="404", outer_id="NO", state=ListingState.MATCHED, shown=3
    )
    ((kind, key, field, pool, platform),) = told(compare(world.shop))
    assert (kind, key, field, pool) == ("stock", "1:404:NO", "stock", str(listing.shown))
    assert platform not in {"", "3"}


def test_a_listed_order_that_the_pool_has_newer_is_looked_at_again(world, monkeypatch):
    number = world.plain("taobao", 1)[0]
    original = verdicts.Comparison.page

    def outdated(self, page):
        """The order changes, and the pool gets it, between the platform's page and the look into the pool."""
        if not changed:
            changed.append(number)
            world.sandbox.now.forward(1)
            world.sandbox.live.change(number, "note")
            with time_machine.travel(timezone.now() + timedelta(seconds=20)):
                world.pull()
        original(self, page)

    changed = []
    monkeypatch.setattr(verdicts.Comparison, "page", outdated)
    job = compare(world.shop)
    assert changed == [number]
    assert (told(job), job.differing) == ([], 0)


def test_what_the_pool_has_newer_than_the_platform_cannot_be_mended(world):
    number = world.plain("taobao", 1)[0]
    ahead = of(number).modified_at + timedelta(hours=1)
    Order.objects.filter(external_no=number).update(modified_at=ahead, paid_fen=1)
    job = compare(world.shop)
    assert [row[:3] for row in told(job)] == [("field", number, "paid_fen")]
    done = mend.mend(Difference.objects.filter(reconciliation=job), actor="meimei")
    assert (done.mended, done.kept) == (0, 1)
    row = Difference.objects.get()
    assert (row.state, row.note) == ("kept", "The pool has a newer version than the platform shows.")
    assert of(number).paid_fen == 1


def test_mending_of_a_channel_that_is_down_says_so_in_each_difference(world):
    plant(world)
    job = compare(world.shop)
    world.sandbox.faults.add({"kind": "http500", "times": 500})
    done = mend.mend(Difference.objects.filter(reconciliation=job), actor="meimei")
    assert (done.mended, done.kept) == (0, 9)
    assert all("HTTP 500" in note for note in Difference.objects.values_list("note", flat=True))


def test_asked_for_by_a_person_it_is_mended_by_the_next_turn_of_the_job(world):
    plant(world)
    job = compare(world.shop)
    ids = list(Difference.objects.filter(reconciliation=job).values_list("pk", flat=True))
    assert mend.ask(difference_ids=ids, actor="meimei") == 9
    assert mend.ask(difference_ids=ids, actor="meimei") == 0
    with leases.hold(f"mend:{world.shop.pk}", 60):
        mend.drain()
    assert set(Difference.objects.values_list("state", flat=True)) == {"asked"}
    assert mend.drain() == 9
    assert sorted(Difference.objects.values_list("state", flat=True)) == ["kept", *["mended"] * 8]
    assert set(Difference.objects.values_list("closed_by", flat=True)) == {"meimei"}
    assert mend.drain() == 0


def test_a_mended_order_goes_through_the_ordinary_intake(world):
    plant(world)
    job = compare(world.shop)
    mend.mend(Difference.objects.filter(reconciliation=job), actor="meimei")
    items = InboxItem.objects.filter(source="mend")
    assert sum(item.result["counts"]["changed"] for item in items) == 4
    assert sum(item.result["counts"]["new"] for item in items) == 1


def test_a_slice_boundary_counts_every_order_once(world, monkeypatch):
    monkeypatch.setattr(reconcile, "FIRST_SLICE", 60)
    monkeypatch.setattr("channels_sync.services.ranges.LONGEST_SLICE", 60)
    moments = [datetime.fromisoformat(draft["created_at"]) for draft in world.drafts("taobao").values()]
    start = min(moments).astimezone(UTC)
    job = compare(world.shop, start=start, end=max(moments).astimezone(UTC))
    inside = sum(moment < job.end for moment in moments)
    assert (job.platform_orders, job.pool_orders, job.equal) == (inside, inside, inside)
    assert job.platform_orders >= len(moments) - 3


def test_a_comparison_goes_on_from_where_its_turn_ended(world, monkeypatch):
    monkeypatch.setattr("channels_sync.services.ranges.QUICK_SECONDS", 0.0)
    now = timezone.now()
    job = reconcile.start(shop_id=world.shop.pk, start=now - timedelta(hours=2), end=now, actor="meimei")
    assert reconcile.run(job.pk, seconds=0.0)
    job.refresh_from_db()
    turns = 1
    while job.is_open:
        reconcile.run(job.pk, seconds=0.0)
        job.refresh_from_db()
        turns += 1
        assert turns < 500
    assert turns > 3
    assert (job.state, job.differing, job.equal) == (JobState.DONE, 0, len(world.drafts("taobao")))


def test_a_stopped_comparison_keeps_what_it_found(world):
    now = timezone.now()
    job = reconcile.start(shop_id=world.shop.pk, start=now - timedelta(hours=2), end=now, actor="meimei")
    assert reconcile.cancel(job.pk, "meimei")
    assert not reconcile.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.platform_orders) == (JobState.CANCELLED, 0)


def test_the_pages_of_a_comparison_take_a_fixed_number_of_queries(world):
    def queries(size):
        world.shop.settings = {**world.shop.settings, "page_size": size}
        world.shop.save()
        with CaptureQueriesContext(
            connection,
        ) as found:
            job = compare(world.shop)
        return len(found), job.equal

    few, equal = queries(100)
    Order.objects.filter(external_no__in=sorted(world.drafts("taobao"))[:40]).delete()
    fewer_orders, left = queries(100)
    assert left == equal - 40
    assert abs(few - fewer_orders) <= 8


def test_shops_without_a_list_by_creation_and_empty_ranges_are_refused(world):
    now = timezone.now()
    with pytest.raises(HubError):
        reconcile.start(shop_id=make_shop("own").pk, start=now - timedelta(hours=1), end=now, actor="meimei")
    with pytest.raises(HubError):
        reconcile.start(shop_id=world.shop.pk, start=now, end=now, actor="meimei")
    assert Reconciliation.objects.count() == 0


def test_an_order_that_cannot_be_shown_now_counts_as_on_its_way_and_is_not_mended(world):
    world.shop.settings = {**world.shop.settings, "detail_workers": 1}
    world.shop.save()
    broken, good = sorted(world.plain("taobao", 2))
    fault = {"method": "taobao.trade.fullinfo.get", "kind": "http500", "times": 3}
    world.sandbox.faults.add(fault)
    found = tokens.calling(world.shop, lambda access: verdicts.compared(world.shop, access, [broken, good]))
    assert {number: (verdict.outcome, verdict.kind) for number, verdict in found.items()} == {
        broken: ("underway", verdicts.NOT_SHOWN), good: ("equal", ""),
    }  # fmt: skip
