import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orderhub.models import Gate, GateChange, ParkedOrder
from orderhub.services.gate import set_gate
from tests.drafts import deliver, draft
from tests.factories import make_shop

PAGE = "/ops/gate/"


@pytest.fixture
def shop(db):
    return make_shop("flagship", name="旗舰店")


def put(state, rate=None, shop=None):
    set_gate(shop_id=shop and shop.pk, state=state, rate_per_minute=rate, reason="盘点", actor="boss")


def card(client):
    return {card.key: card.context for card in client.get("/ops/").context["cards"]}.get("gate")


def test_a_supervisor_pauses_the_intake_of_all_shops_with_a_reason(supervisor, shop):
    answer = supervisor.post(
        PAGE, {"state": "paused", "reason": "盘点", "shop": "", "rate_per_minute": "5"}, follow=True
    )
    assert answer.status_code == 200
    assert len(answer.context["messages"]) == 1
    gate = Gate.objects.get()
    assert (gate.shop, gate.state, gate.rate_per_minute, gate.reason, gate.actor) == (
        None, "paused", None, "盘点", supervisor.person.username,
    )  # fmt: skip
    assert GateChange.objects.count() == 1


def test_one_shop_is_throttled(supervisor, shop):
    supervisor.post(PAGE, {"state": "trickle", "reason": "盘点", "shop": shop.pk, "rate_per_minute": "30"})
    assert Gate.objects.values_list("shop", "state", "rate_per_minute").get() == (shop.pk, "trickle", 30)


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"reason": ""}, "reason"), ({"state": "trickle"}, "rate_per_minute"), ({"state": "shut"}, "state"),
     ({"shop": "999999"}, "shop"), ({"state": "trickle", "rate_per_minute": "-1"}, "rate_per_minute")],
)  # fmt: skip
def test_what_cannot_be_is_told_at_its_field_and_changes_nothing(supervisor, shop, changes, field):
    answer = supervisor.post(PAGE, {"state": "paused", "reason": "盘点", "shop": ""} | changes)
    assert (answer.status_code, list(answer.context["form"].errors)) == (400, [field])
    assert not Gate.objects.exists()


@pytest.mark.parametrize(("role", "status"), [("auditor", 403), ("agent", 403), ("risk", 403), ("warehouse", 403)])
def test_nobody_else_sets_the_gate(person, shop, role, status):
    client = person(role)
    assert client.post(PAGE, {"state": "paused", "reason": "盘点"}).status_code == status
    assert not Gate.objects.exists()


def test_an_auditor_reads_the_history_without_the_form(person, shop):
    put("paused")
    text = person("auditor").get(PAGE).content.decode()
    assert ("盘点" in text, "boss" in text, "rate_per_minute" in text) == (True, True, False)


def test_the_page_shows_what_waits_shop_by_shop(supervisor, shop):
    make_shop("other")
    put("paused", shop=shop)
    deliver(shop, draft("T1", ship_by="2026-11-12T00:00:00+08:00"), draft("T2"))
    overview = supervisor.get(PAGE).context["gate"]
    assert [(one.code, one.waiting, one.counts.state, one.ends_at) for one in overview.shops] == [
        ("flagship", 2, "paused", None)
    ]
    assert overview.oldest.isoformat() == "2026-11-11T16:00:00+00:00"


def test_the_number_of_queries_does_not_grow(supervisor, shop):
    counts = []
    for rows in (1, 3):
        for _ in range(rows):
            put("paused", shop=make_shop())
        supervisor.get(PAGE)
        with CaptureQueriesContext(connection) as queries:
            supervisor.get(PAGE)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_dashboard_says_who_paused_the_intake_since_when_and_why(supervisor, shop):
    assert card(supervisor) is None
    put("paused")
    deliver(shop, draft())
    text = supervisor.get("/ops/").content.decode()
    assert ("boss" in text, "盘点" in text, PAGE in text) == (True, True, True)
    assert card(supervisor)["tone"] == "red"
    put("trickle", 6)
    assert card(supervisor)["tone"] == "amber"
    put("open")
    assert (card(supervisor)["tone"], ParkedOrder.objects.count()) == ("green", 1)


def test_an_agent_sees_that_orders_are_held_back_but_no_way_to_change_it(person, shop):
    put("paused")
    text = person("agent").get("/ops/").content.decode()
    assert ("盘点" in text, PAGE in text) == (True, False)
