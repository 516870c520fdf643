from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderhub.core.status_graph import ALLOWED, RANK, Verdict, drifts, judge
from orderhub.core.words import Source, Status

T = datetime(2026, 11, 11, 10, tzinfo=UTC)


def test_every_status_has_its_edges_and_they_lead_to_statuses():
    assert set(ALLOWED) == set(Status)
    assert all(target in Status for targets in ALLOWED.values() for target in targets)


def test_nothing_leaves_a_refunded_order():
    assert ALLOWED[Status.REFUNDED] == frozenset()


@pytest.mark.parametrize(
    ("current", "claimed", "source", "verdict", "status"),
    [
        ("wms_accepted", "picking", "warehouse", Verdict.APPLY, "picking"),
        ("packed", "picking", "warehouse", Verdict.LATE, "packed"),
        ("packed", "packed", "warehouse", Verdict.SAME, "packed"),
        ("wms_accepted", "in_transit", "channel", Verdict.REFUSED, "wms_accepted"),
        ("delivered", "in_transit", "carrier", Verdict.LATE, "delivered"),
        ("refunded", "picking", "warehouse", Verdict.REFUSED, "refunded"),
        ("paid", "cancelled", "channel", Verdict.APPLY, "cancelled"),
        ("ready", "in_triage_hold", "hub", Verdict.APPLY, "in_triage_hold"),
        ("in_triage_hold", "paid", "channel", Verdict.LATE, "in_triage_hold"),
        ("wms_accepted", "refunded", "channel", Verdict.APPLY, "refunded"),
        ("unpaid", "refunding", "channel", Verdict.APPLY, "refunding"),
        ("short", "completed", "channel", Verdict.APPLY, "completed"),
        ("ready", "in_transit", "carrier", Verdict.APPLY, "in_transit"),
    ],
)
def test_claims_are_judged(current, claimed, source, verdict, status):
    step = judge(current, claimed, source)
    assert (step.verdict, step.status) == (verdict, status)


def test_warehouse_events_in_any_order_end_in_the_same_status():
    for events in permutations(["picking", "packed", "awaiting_pickup", "in_transit"]):
        status = "wms_accepted"
        for event in events:
            status = judge(status, event, Source.WAREHOUSE).status
        assert status == "in_transit"


@given(
    st.sampled_from(list(Status)), st.sampled_from(list(Status)), st.sampled_from(["channel", "warehouse", "carrier"])
)
def test_outside_claims_never_walk_the_main_road_back(current, claimed, source):
    after = judge(current, claimed, source).status
    if current in RANK and after in RANK and current != Status.OUT_FOR_DELIVERY:
        assert RANK[after] >= RANK[current]


def test_shipped_by_the_channel_but_not_packed_is_drift():
    assert drifts("wms_accepted", "in_transit", "wms_accepted", "")
    assert not drifts("in_transit", "in_transit", "in_transit", "")
    assert not drifts("ready", "paid", "", "")
    assert drifts("packed", "cancelled", "packed", "")
    assert drifts("short", "in_transit", "", "") and drifts("wms_failed", "in_transit", "", "")
    assert drifts("in_transit", "in_transit", "wms_accepted", "")
    assert not drifts("in_transit", "in_transit", "wms_failed", "")


@pytest.mark.parametrize(
    ("under", "claimed", "source", "verdict", "status", "under_then"),
    [
        ("wms_accepted", "picking", "warehouse", Verdict.COVERED, "refunding", "picking"),
        ("packed", "picking", "warehouse", Verdict.LATE, "refunding", "packed"),
        ("packed", "in_transit", "warehouse", Verdict.COVERED, "refunding", "in_transit"),
        ("in_transit", "returning", "carrier", Verdict.COVERED, "refunding", "returning"),
        ("picking", "wms_failed", "warehouse", Verdict.COVERED, "refunding", "wms_failed"),
        ("wms_queued", "wms_failed", "hub", Verdict.COVERED, "refunding", "wms_failed"),
        ("in_transit", "intercepting", "person", Verdict.COVERED, "refunding", "intercepting"),
        ("packed", "refunding", "channel", Verdict.SAME, "refunding", "packed"),
        ("packed", "paid", "channel", Verdict.APPLY, "packed", ""),
        ("wms_failed", "paid", "channel", Verdict.APPLY, "wms_failed", ""),
        ("in_transit", "in_transit", "channel", Verdict.APPLY, "in_transit", ""),
        ("ready", "in_transit", "channel", Verdict.APPLY, "ready", ""),
        ("delivered", "completed", "channel", Verdict.APPLY, "completed", ""),
        ("in_transit", "refunded", "channel", Verdict.APPLY, "refunded", ""),
        ("packed", "cancelled", "channel", Verdict.APPLY, "cancelled", ""),
        ("ready", "cancelled", "person", Verdict.APPLY, "cancelled", ""),
    ],
)
def test_while_a_refund_is_open_only_the_channels_word_uncovers_the_status(
    under, claimed, source, verdict, status, under_then
):
    step = judge("refunding", claimed, source, under)
    assert (step.verdict, step.status, step.under_refund) == (verdict, status, under_then)


def test_a_refund_covers_the_status_and_keeps_it():
    step = judge("packed", "refunding", Source.CHANNEL)
    assert (step.verdict, step.status, step.under_refund) == (Verdict.APPLY, "refunding", "packed")


@pytest.mark.parametrize("under", ["ready", "wms_queued", "wms_failed"])
def test_nothing_is_sent_to_the_warehouse_while_a_refund_is_open(under):
    assert judge("refunding", "wms_queued", Source.HUB, under).verdict is Verdict.REFUSED


@given(st.sampled_from(list(Status)), st.sampled_from(list(Status)), st.sampled_from(list(Source)))
def test_what_follows_a_refund_is_an_edge_of_the_graph(under, claimed, source):
    if under != Status.REFUNDING:
        after = judge("refunding", claimed, source, under).status
        assert after == Status.REFUNDING or after in ALLOWED[Status.REFUNDING]


@pytest.mark.parametrize(
    ("minutes", "channel", "warehouse", "carrier", "is_drift"),
    [
        (1, "refunding", "in_transit", "", True),
        (0, "refunding", "in_transit", "", True),
        (-1, "refunding", "in_transit", "", False),
        (1, "refunding", "packed", "", True),
        (1, "refunded", "delivered", "", True),
        (1, "refunding", "returning", "", False),
        (1, "refunding", "in_transit", "returning", False),
        (1, "paid", "in_transit", "", False),
    ],
)
def test_what_left_after_a_refund_was_asked_is_drift_until_it_comes_back(
    minutes, channel, warehouse, carrier, is_drift
):
    status = channel if channel != "paid" else "in_transit"
    left = T + timedelta(minutes=minutes)
    assert drifts(status, channel, warehouse, carrier, refund_at=T, left_at=left) is is_drift


def test_a_refund_before_anything_left_is_no_drift():
    assert not drifts("refunding", "refunding", "packed", "", refund_at=T)
    assert not drifts("in_transit", "in_transit", "in_transit", "", left_at=T)
