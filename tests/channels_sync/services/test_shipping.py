"""What a channel is told of each parcel: all of the order, pieces by its own lines, bundles once they are complete."""

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from channels_sync.connectors.exchange import ShippedLine
from channels_sync.services.handover import Told, book
from channels_sync.services.shipping import ShipmentTeller
from channels_sync.warehouses.base import Confirmed
from orderhub.core.effects import Job, effect_handlers
from orderhub.core.parcels import Pieces, ToldParcel
from orderhub.models import Effect, OrderLine, Parcel, Shop, Warehouse
from orderhub.services import outbox
from tests.factories import make_order, make_shop

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 11, 2, 0, tzinfo=UTC)


@pytest.fixture
def warehouse(db):
    return Warehouse.objects.create(code="WH01", name="仓")


def order_of(platform="douyin", lines=(("1", "A", 3), ("2", "B", 1)), **values):
    """Make an order with lines of (number, SKU, pieces)."""
    made = make_order(make_shop(platform=platform), status="packed", lines=len(lines), **values)
    for line, (number, sku, pieces) in zip(made.lines.order_by("id"), lines, strict=True):
        OrderLine.objects.filter(pk=line.pk).update(line_no=number, sku=sku, quantity=pieces)
    return made


def leave(warehouse, order, number, *pieces, final=False):
    """Let a parcel leave with pieces of (line, count); without any nobody says what is in it."""
    lines = [Pieces(line_no, "", count) for line_no, count in pieces]
    book(warehouse=warehouse, told=[Told(order.pk, AT, Confirmed(AT, final, [ToldParcel("YTO", number, None, lines)]))])


def told():
    """Return what each parcel's effect would tell, by tracking number; None where it tells nothing."""
    effects = Effect.objects.filter(kind="shipment").order_by("pk")
    jobs = [Job(e.pk, e.key, e.shop_id, e.order_id, e.payload, 1) for e in effects]
    prepared = ShipmentTeller().prepare(jobs)
    numbers = dict(Parcel.objects.values_list("pk", "tracking_no"))
    return {
        numbers[job.payload["parcel"]]: prepared[job.effect_id].shipment if job.effect_id in prepared else None
        for job in jobs
    }


def lines_of(shipment):
    return [(line.line_no, line.quantity) for line in shipment.lines]


def test_the_handler_is_registered():
    assert isinstance(effect_handlers.get("shipment"), ShipmentTeller)


def test_a_parcel_of_a_shop_that_is_switched_off_waits_and_loses_no_try(warehouse):
    order = order_of()
    leave(warehouse, order, "P1", final=True)
    Shop.objects.update(is_active=False)
    Effect.objects.update(due_at=AT)
    assert outbox.drain(kinds=["shipment"]).retried == 1
    assert Effect.objects.values_list("state", "attempts", "last_error").get(kind="shipment") == (
        "pending", 0, "店铺已停用：将在启用后回传平台。",
    )  # fmt: skip


@pytest.mark.parametrize("pieces", [(("1", 3), ("2", 1)), ()])
def test_one_parcel_with_everything_is_the_whole_order(warehouse, pieces):
    order = order_of()
    leave(warehouse, order, "P1", *pieces, final=True)
    (shipment,) = told().values()
    assert (shipment.external_no, shipment.carrier, shipment.tracking_no) == (order.external_no, "YTO", "P1")
    assert (list(shipment.lines), shipment.is_final, list(shipment.earlier), shipment.shipped_at) == ([], True, [], AT)


def test_refunded_lines_do_not_make_it_a_part(warehouse):
    order = order_of()
    OrderLine.objects.filter(order=order, line_no="2").update(refund="done")
    leave(warehouse, order, "P1", ("1", 3), final=True)
    assert lines_of(told()["P1"]) == []


def test_neither_does_an_article_that_was_put_aside(warehouse):
    order = order_of(extra={"channel_lines": [{"line_no": "2", "ignored": True}]})
    leave(warehouse, order, "P1", ("1", 3), final=True)
    assert lines_of(told()["P1"]) == []


def test_parts_are_told_by_pieces_and_know_each_other(warehouse):
    order = order_of()
    leave(warehouse, order, "P1", ("1", 2))
    leave(warehouse, order, "P2", ("1", 1), ("2", 1), final=True)
    first, last = told()["P1"], told()["P2"]
    assert (lines_of(first), first.is_final, list(first.earlier)) == ([("1", 2)], False, [("YTO", "P2")])
    assert (lines_of(last), last.is_final, list(last.earlier)) == ([("1", 1), ("2", 1)], True, [("YTO", "P1")])


@pytest.mark.parametrize(("refund", "told_too"), [("none", [("3", 2)]), ("done", [])])
def test_an_article_that_was_put_aside_goes_with_the_first_parcel_that_is_told(warehouse, refund, told_too):
    parts = bundle("7", 1, ["7.1", "7.2"])["channel_lines"]
    aside = {"channel_lines": [*parts, {"line_no": "3", "ignored": True}]}
    order = order_of(lines=(("7.1", "A", 1), ("7.2", "B", 1), ("8", "C", 2), ("3", "F", 2)), extra=aside)
    OrderLine.objects.filter(order=order, line_no="3").update(refund=refund)
    leave(warehouse, order, "P1", ("7.1", 1))
    leave(warehouse, order, "P2", ("8", 1))
    leave(warehouse, order, "P3", ("7.2", 1), final=True)
    leave(warehouse, order, "P4", ("8", 1))
    shipments = told()
    assert shipments["P1"] is None
    assert lines_of(shipments["P2"]) == [("8", 1), *told_too]
    assert (lines_of(shipments["P3"]), lines_of(shipments["P4"])) == ([("7", 1)], [("8", 1)])


def test_a_platform_that_takes_an_order_once_hears_of_the_last_parcel_only(warehouse):
    order = order_of("jd")
    leave(warehouse, order, "P1", ("1", 2))
    leave(warehouse, order, "P2", ("1", 1), ("2", 1), final=True)
    first, last = told()["P1"], told()["P2"]
    assert first is None
    assert (list(last.lines), last.is_final, list(last.earlier)) == ([], True, [("YTO", "P1")])


def test_the_last_parcel_waits_a_little_while_pieces_are_missing(warehouse):
    before = timezone.now()
    whole, short = order_of(), order_of()
    leave(warehouse, whole, "P1", final=True)
    leave(warehouse, short, "P2", ("1", 2), final=True)
    due = dict(Effect.objects.values_list("order_id", "due_at"))
    assert 0 <= (due[whole.pk] - before).total_seconds() < 30
    assert 60 <= (due[short.pk] - before).total_seconds() < 90


def test_a_parcel_that_comes_after_the_last_word_says_that_the_order_is_complete(warehouse):
    order = order_of("jd")
    leave(warehouse, order, "P2", ("1", 1), final=True)
    leave(warehouse, order, "P1", ("1", 2), ("2", 1))
    assert list(Effect.objects.order_by("pk").values_list("payload__final", flat=True)) == [True, True]
    assert list(told()["P2"].earlier) == [("YTO", "P1")]


def bundle(number, quantity, parts):
    """Return what the pool keeps of a channel line that became lines of its parts."""
    return {"channel_lines": [{"line_no": number, "title": "礼盒", "quantity": quantity, "as": parts}]}


def test_a_bundle_counts_in_the_parcel_that_completes_it(warehouse):
    order = order_of(lines=(("7.1", "A", 4), ("7.2", "B", 2), ("8", "C", 1)), extra=bundle("7", 2, ["7.1", "7.2"]))
    leave(warehouse, order, "P1", ("7.1", 3))
    leave(warehouse, order, "P2", ("7.2", 1), ("8", 1))
    leave(warehouse, order, "P3", ("7.1", 1), ("7.2", 1), final=True)
    shipments = told()
    assert shipments["P1"] is None
    assert sorted(lines_of(shipments["P2"])) == [("7", 1), ("8", 1)]
    assert lines_of(shipments["P3"]) == [("7", 1)]


def test_a_part_of_a_bundle_after_which_nothing_comes_is_the_whole_order(warehouse):
    def parts():
        return order_of(lines=(("7.1", "A", 1), ("7.2", "B", 1)), extra=bundle("7", 1, ["7.1", "7.2"]))

    leave(warehouse, parts(), "P1", ("7.1", 1))
    leave(warehouse, parts(), "P2", ("7.1", 1), final=True)
    shipments = told()
    assert shipments["P1"] is None
    assert (lines_of(shipments["P2"]), shipments["P2"].is_final) == ([], True)


def test_of_parcels_whose_pieces_are_in_another_one_the_last_is_asked_about_and_the_others_are_not(warehouse):
    order = order_of()
    leave(warehouse, order, "P1", ("1", 3), ("2", 1))
    leave(warehouse, order, "P2", ("1", 3))
    leave(warehouse, order, "P3", ("1", 3), ("2", 1), final=True)
    jobs = [Job(e.pk, e.key, e.shop_id, e.order_id, e.payload, 1) for e in Effect.objects.order_by("pk")]
    prepared = ShipmentTeller().prepare(jobs).values()
    assert [(one.shipment.tracking_no, one.is_corrected) for one in prepared] == [("P1", False), ("P3", True)]
    assert list(told()["P3"].earlier) == [("YTO", "P1")]


def test_of_parcels_told_together_without_their_contents_none_is_a_correction(warehouse):
    parcels = [ToldParcel("YTO", number) for number in ("P1", "P2")]
    book(warehouse=warehouse, told=[Told(order_of().pk, AT, Confirmed(AT, True, parcels))])
    jobs = [Job(e.pk, e.key, e.shop_id, e.order_id, e.payload, 1) for e in Effect.objects.order_by("pk")]
    prepared = ShipmentTeller().prepare(jobs).values()
    assert [(one.shipment.tracking_no, one.is_corrected) for one in prepared] == [("P1", False)]


def test_an_item_that_became_another_sku_is_told_by_the_channels_line(warehouse):
    order = order_of(lines=(("1", "OWN", 2), ("2", "B", 1)), extra=bundle("1", 2, ["1"]))
    leave(warehouse, order, "P1", ("1", 2))
    assert list(told()["P1"].lines) == [ShippedLine("1", 2)]


def test_nothing_is_told_to_channels_that_take_no_shipments(warehouse):
    leave(warehouse, order_of("own"), "P1", final=True)
    leave(warehouse, order_of("file"), "P2", final=True)
    assert Parcel.objects.count() == 2
    assert Effect.objects.count() == 0


def test_effects_of_parcels_that_nobody_knows_any_more_are_cancelled(warehouse):
    leave(warehouse, order_of(), "P1", final=True)
    Effect.objects.update(payload={"parcel": 0, "final": True}, due_at=AT)
    assert outbox.drain(kinds=["shipment"]).cancelled == 1
    assert Effect.objects.get().state == "cancelled"


@pytest.mark.parametrize("count", [1, 4])
def test_preparing_needs_a_fixed_number_of_queries(warehouse, count, django_assert_num_queries):
    for place in range(count):
        order = order_of()
        leave(warehouse, order, f"P{place}", ("1", 1))
        leave(warehouse, order, f"Q{place}", ("1", 2), ("2", 1), final=True)
    jobs = [Job(e.pk, e.key, e.shop_id, e.order_id, e.payload, 1) for e in Effect.objects.all()]
    with django_assert_num_queries(5):
        assert len(ShipmentTeller().prepare(jobs)) == 2 * count
