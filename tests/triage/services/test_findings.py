import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from orderhub.core.errors import HubError
from orderhub.models import TimelineEntry
from tests.factories import make_order
from tests.triage.judge import NOW, candidate, draft, line, store
from triage.models import Finding
from triage.selectors.findings import marks_of
from triage.services import accept_findings, decide

BAD = {"phone": "12345"}


@pytest.fixture
def order(rules, shop):
    return make_order(shop)


def judge(order, *, is_known=True, **changes):
    """Judge an order and store what was found; returns its lane."""
    made = candidate(draft(**changes), shop_id=order.shop_id, order_id=order.pk, is_known=is_known)
    decisions = decide([made], now=NOW)
    with transaction.atomic(), connection.cursor() as cursor:
        store(cursor, [made], decisions)
    return decisions[0].lane


def accept(order, **values):
    """Accept what is open by now."""
    return accept_findings(order_id=order.pk, seen=marks_of([order.pk]).get(order.pk, []), **values)


def rows(order):
    """Return (code, state) of all findings of an order."""
    state = {(False, False): "open", (True, False): "cleared", (False, True): "accepted"}
    found = Finding.objects.filter(order=order).order_by("code")
    return [(row.code, state[bool(row.cleared_at), bool(row.accepted_at)]) for row in found]


def test_a_new_order_keeps_what_was_found(order):
    judge(order, is_known=False, receiver=BAD, buyer_remark="手术")
    row = Finding.objects.get(order=order, code="phone_invalid")
    assert (row.lane, row.severity, row.is_shadow, row.values) == ("to_confirm", 3, False, {"phone.state": "short"})
    assert row.shop_id == order.shop_id
    assert row.found_at is not None
    assert rows(order) == [("phone_invalid", "open"), ("urgent_now", "open")]


def test_a_second_judgement_replaces_the_first(order):
    judge(order, is_known=False, receiver=BAD)
    assert judge(order, receiver={"detail": "测试"}) == "to_confirm"
    assert rows(order) == [("address_placeholder", "open"), ("phone_invalid", "cleared")]
    assert judge(order) == "regular"
    assert rows(order) == [("address_placeholder", "cleared"), ("phone_invalid", "cleared")]
    judge(order, receiver=BAD)
    assert rows(order) == [("address_placeholder", "cleared"), ("phone_invalid", "open")]


def test_the_same_judgement_again_writes_nothing(order):
    judge(order, is_known=False, receiver=BAD)
    before = Finding.objects.filter(order=order).values_list("id", "found_at", "values").get()
    with connection.cursor() as cursor:
        cursor.execute("SELECT ctid::text FROM triage_finding")
        place = cursor.fetchone()
        judge(order, receiver=BAD)
        cursor.execute("SELECT ctid::text FROM triage_finding")
        assert cursor.fetchone() == place
    assert Finding.objects.filter(order=order).values_list("id", "found_at", "values").get() == before


def test_an_accepted_finding_stays_quiet_on_the_same_facts(order):
    assert judge(order, is_known=False, receiver=BAD) == "to_confirm"
    assert accept(order, actor="li", reason="电话已核实") == ["phone_invalid"]
    assert judge(order, receiver=BAD) == "regular"
    assert judge(order, receiver=BAD, buyer_remark="生日") == "regular"
    assert rows(order) == [("phone_invalid", "accepted"), ("urgent", "open")]
    entry = TimelineEntry.objects.get(order=order)
    assert (entry.kind, entry.source, entry.actor) == ("findings_accepted", "person", "li")
    assert entry.data == {"codes": ["phone_invalid"], "reason": "电话已核实"}


def test_it_fires_again_when_the_facts_change(order):
    judge(order, is_known=False, receiver=BAD)
    accept(order, actor="li", reason="ok")
    assert judge(order, receiver={"phone": "54321"}) == "to_confirm"
    assert rows(order) == [("phone_invalid", "open")]
    assert Finding.objects.get(order=order).accepted_by == ""


def test_an_accepted_finding_does_not_cover_another(order):
    judge(order, is_known=False, receiver=BAD)
    accept(order, actor="li", reason="ok")
    assert judge(order, receiver=BAD, lines=(line(quantity=50),)) == "abnormal"
    assert rows(order) == [("phone_invalid", "accepted"), ("quantity_high", "open")]


def test_a_reason_is_needed_and_nothing_changes_without_one(order):
    judge(order, is_known=False, receiver=BAD)
    with pytest.raises(ValidationError):
        accept(order, actor="li", reason="  ")
    assert rows(order) == [("phone_invalid", "open")]
    assert not TimelineEntry.objects.exists()


def test_what_only_marks_an_order_is_never_accepted(order):
    judge(order, is_known=False, receiver=BAD, buyer_remark="手术")
    Finding.objects.create(
        shop=order.shop, order=order, code="shadow", rule_set_id=1, severity=3, lane="abnormal", is_shadow=True,
        values={}, facts_key=1,
    )  # fmt: skip
    assert accept(order, actor="li", reason="ok") == ["phone_invalid"]
    assert rows(order) == [("phone_invalid", "accepted"), ("shadow", "open"), ("urgent_now", "open")]


def test_only_what_was_seen_is_accepted(order):
    judge(order, is_known=False, receiver=BAD)
    seen = marks_of([order.pk])[order.pk]
    judge(order, receiver=BAD, buyer_remark="先别发")
    assert accept_findings(order_id=order.pk, actor="li", reason="ok", seen=seen) == ["phone_invalid"]
    assert rows(order) == [("phone_invalid", "accepted"), ("remark_hold", "open")]


def test_a_reason_that_has_changed_since_it_was_seen_is_not_accepted(order):
    judge(order, is_known=False, receiver=BAD)
    seen = marks_of([order.pk])[order.pk]
    judge(order, receiver={"phone": "54321"})
    with pytest.raises(HubError):
        accept_findings(order_id=order.pk, actor="li", reason="ok", seen=seen)
    assert rows(order) == [("phone_invalid", "open")]


def test_accepting_twice_is_one_entry(order):
    judge(order, is_known=False, receiver=BAD)
    accept(order, actor="li", reason="ok")
    assert accept(order, actor="wang", reason="ok") == []
    assert TimelineEntry.objects.count() == 1
    assert Finding.objects.get(order=order).accepted_by == "li"


def test_nobody_can_accept_a_system_gate(order):
    judge(order, is_known=False, channel_hold="LOCKED")
    assert accept(order, actor="li", reason="ok") == []
    assert judge(order, channel_hold="LOCKED") == ""
    assert judge(order) == "regular"
    assert rows(order) == [("channel_hold", "cleared")]


def test_an_order_that_is_past_triage_keeps_its_reasons(order):
    judge(order, is_known=False, receiver=BAD)
    judge(order, receiver=BAD, status="in_transit")
    assert rows(order) == [("phone_invalid", "open")]
    judge(order, lines=(line(refund="asked"),))
    assert rows(order) == [("phone_invalid", "cleared"), ("refund_open", "open")]
    judge(order, status="cancelled")
    assert rows(order) == [("phone_invalid", "cleared"), ("refund_open", "cleared")]


@pytest.mark.parametrize("size", [1, 20])
def test_storing_is_set_wise(rules, shop, size, django_assert_num_queries):
    orders = [make_order(shop) for _n in range(size)]
    made = [candidate(draft(receiver=BAD), shop_id=shop.pk, order_id=order.pk, is_known=True) for order in orders]
    decisions = decide(made, now=NOW)
    with transaction.atomic(), django_assert_num_queries(2), connection.cursor() as cursor:
        store(cursor, made, decisions)
    assert Finding.objects.count() == size
