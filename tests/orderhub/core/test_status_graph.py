from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderhub.core.status_graph import ALLOWED, RANK, Verdict, drifts, judge
from orderhub.core.words import Source, Status


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
