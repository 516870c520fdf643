from datetime import timedelta

import pytest
from django.conf import settings

from orderhub.models import Order, ShipRule
from tests.factories import START, make_order, make_shop

RULES, ORDERS = "/ops/orderhub/shiprule/", "/ops/orderhub/order/"
HOUR = timedelta(hours=1)
FORM = {
    "name": "Double 11", "platform": "", "ship_hours": 72, "is_active": "on",
    "starts_at_0": "2026-11-11", "starts_at_1": "00:00", "ends_at_0": "2026-11-12", "ends_at_1": "00:00",
}  # fmt: skip


def make_rule(**values):
    defaults = {"name": "Double 11", "ship_hours": 72, "starts_at": START - 8 * HOUR, "ends_at": START + 16 * HOUR}
    return ShipRule.objects.create(**{**defaults, **values})


@pytest.fixture
def order(db):
    return make_order(paid_at=START, ship_by=START + 48 * HOUR, ship_by_source="default", status="in_triage_hold")


@pytest.fixture
def boss(supervisor):
    supervisor.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    return supervisor


@pytest.fixture
def saved(boss, django_capture_on_commit_callbacks):
    """Send a form as the supervisor and return the answer, once what follows the commit has happened."""

    def send(path, **form):
        with django_capture_on_commit_callbacks(execute=True):
            return boss.post(f"{RULES}{path}", form)

    return send


def hours(order):
    order.refresh_from_db()
    return (order.ship_by - order.paid_at) / HOUR


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_needs_a_fixed_number_of_queries(supervisor, rows, django_assert_num_queries):
    for _row in range(rows):
        make_rule(shop=make_shop())
    supervisor.get(RULES)
    with django_assert_num_queries(7):
        assert supervisor.get(RULES).content.decode().count("<tr data-href") == rows


def test_the_list_says_for_whom_a_rule_is(boss):
    make_rule()
    make_rule(platform="jd")
    make_rule(shop=make_shop("tb", name="Flagship"))
    body = boss.get(RULES).content.decode()
    for shown in ("All shops", "JD", "Flagship"):
        assert shown in body


def test_open_orders_follow_a_rule_that_is_entered_changed_and_deleted(saved, boss, order):
    saved("add/", **FORM)
    rule = ShipRule.objects.get()
    assert (rule.set_by, rule.starts_at, hours(order)) == (f"{boss.person}", START - 8 * HOUR, 72)
    saved(f"{rule.pk}/change/", **{**FORM, "ship_hours": 24})
    assert hours(order) == 24
    saved(f"{rule.pk}/change/", **{**FORM, "starts_at_0": "2026-11-10", "ends_at_0": "2026-11-11"})
    assert hours(order) == 48
    saved(f"{rule.pk}/change/", **FORM)
    saved(f"{rule.pk}/delete/", post="yes")
    assert (hours(order), Order.objects.get().ship_by_source, ShipRule.objects.count()) == (48, "default", 0)


def test_the_supervisor_is_told_how_many_orders_followed(transactional_db, boss, order):
    answer = boss.post(f"{RULES}add/", FORM, follow=True)
    assert "1 open order has another ship deadline now." in answer.content.decode()


def test_several_rules_are_deleted_at_once(saved, order):
    saved("add/", **FORM)
    saved("", action="delete_selected", _selected_action=[ShipRule.objects.get().pk], post="yes")
    assert (hours(order), ShipRule.objects.count()) == (48, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ends_at_0": "2026-11-11"}, "The end must be later than the start."),
        ({"platform": "jd", "has_shop": True}, "Choose a shop or a platform, not both."),
        ({"platform": "nonsense"}, "Select a valid choice."),
        ({"ship_hours": 0}, "greater than or equal to 1"),
        ({"ship_hours": 721}, "less than or equal to 720"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_saved(saved, changes, message):
    form = {**FORM, **changes}
    if form.pop("has_shop", False):
        form["shop"] = make_shop().pk
    answer = saved("add/", **form)
    assert message in answer.content.decode()
    assert not ShipRule.objects.exists()


@pytest.mark.parametrize(("role", "sees"), [("auditor", 200), ("risk", 403), ("agent", 403), ("warehouse", 403)])
def test_only_a_supervisor_edits(person, role, sees):
    rule, client = make_rule(), person(role)
    assert client.get(f"{RULES}{rule.pk}/change/").status_code == sees
    for path in ("add/", f"{rule.pk}/change/", f"{rule.pk}/delete/"):
        assert client.post(f"{RULES}{path}", {**FORM, "ship_hours": 24, "post": "yes"}).status_code == 403
    assert ShipRule.objects.get().ship_hours == 72


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("channel", "Channel"), ("agreed", "Agreed with the buyer"), ("default", "Hours of the shop"),
        ("campaign", "campaign: Double 11"),
    ],
)  # fmt: skip
def test_the_order_page_says_where_the_deadline_came_from(boss, order, source, words):
    make_rule()
    Order.objects.update(ship_by_source=source)
    assert f'<span class="dim">{words}</span>' in boss.get(f"{ORDERS}{order.pk}/change/").content.decode()


def test_a_deadline_of_a_campaign_that_is_gone_is_named_as_such(boss, order):
    Order.objects.update(ship_by_source="campaign")
    assert '<span class="dim">Campaign</span>' in boss.get(f"{ORDERS}{order.pk}/change/").content.decode()
