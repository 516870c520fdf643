import json
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from orderhub.models import TimelineEntry
from orderhub.services.roles import sync_roles
from tests.factories import make_order, make_user
from tests.orderhub.admin.answers import shown_form
from tests.triage.judge import NOW
from tests.triage.selectors.test_findings import BAD, judged
from triage.models import CampaignPrice, Finding, Rule, RuleSet, ShippingStop, Term, Vocabulary
from triage.services import note_after_push

RULES, LIST = "/ops/triage/rule/", "/ops/orderhub/order/"
PAGES = (
    "rule", "ruleset", "vocabulary", "campaignprice", "skubaseline", "buyerlisting", "iplisting", "shippingstop",
)  # fmt: skip
STOPS = "/ops/triage/shippingstop/"
STOP = {
    "region": "新疆", "courier": "sf", "reason": "暴雪", "is_active": "on", "starts_at_0": "2026-11-10",
    "starts_at_1": "00:00", "ends_at_0": "2026-11-12", "ends_at_1": "18:00",
}  # fmt: skip


@pytest.fixture
def person(rules):
    sync_roles()

    def log_in(role):
        user = make_user(f"{role}-user", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client = Client()
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def supervisor(person):
    return person("supervisor")


def fields(rule, **changes):
    names = ("code", "name_zh", "name_en", "state", "outcome", "severity", "priority")
    texts = ("reason_zh", "reason_en", "clear_zh", "clear_en")
    values = {name: getattr(rule, name) for name in (*names, *texts)}
    return {**values, "condition": json.dumps(rule.condition), **changes}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("role", "status"), [("supervisor", 200), ("auditor", 200), ("risk", 200), ("agent", 403)])
def test_who_may_see(person, page, role, status):
    assert person(role).get(f"/ops/triage/{page}/").status_code == status


@pytest.mark.parametrize("role", ["auditor", "risk"])
def test_who_may_only_look(person, role):
    rule = Rule.objects.get(code="phone_invalid")
    client = person(role)
    assert client.get(f"{RULES}{rule.pk}/change/").status_code == 200
    assert client.post(f"{RULES}{rule.pk}/change/", fields(rule, state="off")).status_code == 403
    assert client.get(f"{RULES}add/").status_code == 403
    assert Rule.objects.get(code="phone_invalid").state == "on"


@pytest.mark.parametrize("page", PAGES)
def test_the_number_of_queries_of_a_list_is_constant(supervisor, page, django_assert_max_num_queries):
    with django_assert_max_num_queries(12):
        supervisor.get(f"/ops/triage/{page}/")


def test_the_list_says_what_each_rule_does(supervisor):
    text = supervisor.get(RULES).content.decode()
    assert "Order total is more than ¥5,000.00" in text


@pytest.mark.parametrize("query", ["q=nonsense", "q=nonsense&outcome__exact=urgent", "outcome__exact=nonsense"])
def test_a_list_without_hits_leads_back_to_its_whole_view(supervisor, query):
    text = supervisor.get(f"{RULES}?view=on&{query}").content.decode()
    assert 'class="button" href="?view=on"' in text


def test_saving_a_rule_publishes_a_version(supervisor):
    rule = Rule.objects.get(code="quantity_high")
    condition = {"fact": "amount.most_of_one_sku", "op": "gt", "value": 20}
    answer = supervisor.post(f"{RULES}{rule.pk}/change/", fields(rule, condition=json.dumps(condition)), follow=True)
    assert "Version v2 is in force." in answer.content.decode()
    snapshot = {row["code"]: row for row in RuleSet.objects.get(number=2).snapshot["rules"]}
    assert snapshot["quantity_high"]["condition"] == condition
    assert RuleSet.objects.get(number=2).published_by == "supervisor-user"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"condition": "{"}, "Enter a valid JSON."),
        ({"condition": '{"fact": "gone", "op": "yes"}'}, "unknown fact: gone"),
        ({"reason_en": "{price.unit}"}, "is not a value of this rule"),
        ({"severity": "9"}, "From 1 to 5."),
    ],
)
def test_a_mistake_is_named_and_nothing_is_published(supervisor, changes, message):
    rule = Rule.objects.get(code="phone_invalid")
    answer = supervisor.post(f"{RULES}{rule.pk}/change/", fields(rule, **changes))
    assert answer.status_code == 200
    assert message in answer.content.decode()
    assert RuleSet.objects.count() == 1


def test_rules_are_switched_in_bulk(supervisor):
    ids = list(Rule.objects.filter(code__in=["phone_invalid", "duty_unclear"]).values_list("pk", flat=True))
    supervisor.post(RULES, {"action": "switch_shadow", "_selected_action": ids})
    assert set(Rule.objects.filter(pk__in=ids).values_list("state", flat=True)) == {"shadow"}
    assert RuleSet.objects.count() == 2


def test_rules_of_the_product_cannot_be_deleted(supervisor):
    rule = Rule.objects.get(code="phone_invalid")
    assert supervisor.post(f"{RULES}{rule.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Rule.objects.filter(pk=rule.pk).exists()


def test_the_editor_asks_for_the_sentence(supervisor, person):
    def describe(text, client=supervisor):
        return client.post(f"{RULES}describe/", {"condition": text})

    good = describe('{"fact": "amount.total", "op": "gt", "value": 100}').json()
    assert good == {"sentence": "Order total is more than ¥1.00"}
    assert describe("{").json() == {"error": "This is not JSON."}
    assert "unknown fact" in describe('{"fact": "x", "op": "y"}').json()["error"]
    assert describe("{}", person("agent")).status_code == 403


def test_a_term_added_in_the_console_is_published(supervisor):
    words = Vocabulary.objects.get(key="sensitive_regions")
    form = {
        "name": words.name, "help": words.help, "terms-TOTAL_FORMS": 1, "terms-INITIAL_FORMS": 0,
        "terms-0-term": "三沙市", "terms-0-match": "starts", "terms-0-weight": 1, "terms-0-is_active": "on",
    }  # fmt: skip
    supervisor.post(f"/ops/triage/vocabulary/{words.pk}/change/", form)
    assert RuleSet.objects.get(number=2).snapshot["words"]["sensitive_regions"] == [["三沙市", "starts", 1]]
    form["terms-0-term"] = "火星"
    answer = supervisor.post(f"/ops/triage/vocabulary/{words.pk}/change/", form)
    assert "Neither a division code" in answer.content.decode()
    assert RuleSet.objects.count() == 2


def test_a_long_list_of_words_is_saved(supervisor):
    words = Vocabulary.objects.get(key="changes")
    Term.objects.filter(vocabulary=words).delete()
    Term.objects.bulk_create(Term(vocabulary=words, term=f"改{n}") for n in range(145))
    page = f"/ops/triage/vocabulary/{words.pk}/change/"
    form = shown_form(supervisor.get(page))
    answer = supervisor.post(page, {**form, "terms-144-note": "x"})
    assert (answer.status_code, words.terms.filter(note="x").count()) == (302, 1)


def test_a_rule_that_was_switched_off_meanwhile_is_not_switched_on_by_a_page_shown_before(supervisor):
    rule = Rule.objects.get(code="phone_invalid")
    page = f"{RULES}{rule.pk}/change/"
    shown = shown_form(supervisor.get(page))
    supervisor.post(RULES, {"action": "switch_off", "_selected_action": [rule.pk]})
    refused = supervisor.post(page, {**shown, "name_en": "Bad phone"})
    (told,) = refused.context["adminform"].form.non_field_errors()
    assert told.startswith("“Invalid phone” was changed by somebody else meanwhile: look at it and save again. ")
    assert told.endswith("Stored now: Name (English): Invalid phone; State: Off.")
    rule.refresh_from_db()
    assert (rule.state, rule.name_en, RuleSet.objects.count()) == ("off", "Invalid phone", 2)
    again = shown_form(refused)
    assert (again["seen"] != shown["seen"], again["name_en"], again["state"]) == (True, "Bad phone", "on")
    assert f'name="seen" value="{again["seen"]}"' in refused.content.decode()
    supervisor.post(page, {**again, "state": "off"})
    rule.refresh_from_db()
    assert (rule.state, rule.name_en, RuleSet.objects.count()) == ("off", "Bad phone", 3)


def test_a_term_that_was_switched_off_meanwhile_is_not_switched_on_by_a_page_shown_before(supervisor):
    words = Vocabulary.objects.get(key="changes")
    page = f"/ops/triage/vocabulary/{words.pk}/change/"
    shown = supervisor.get(page)
    form, term = shown_form(shown), words.terms.get(pk=shown_form(shown)["terms-0-id"])
    assert f'name="terms-0-seen" value="{form["terms-0-seen"]}"' in shown.content.decode()
    Term.objects.filter(pk=term.pk).update(is_active=False)
    refused = supervisor.post(page, {**form, "terms-0-note": "x"})
    assert f"“{term}” was changed by somebody else meanwhile" in refused.content.decode()
    assert list(words.terms.filter(pk=term.pk).values_list("is_active", "note")) == [(False, term.note)]
    supervisor.post(page, {**shown_form(refused), "terms-0-note": "x"})
    assert list(words.terms.filter(pk=term.pk).values_list("is_active", "note")) == [(True, "x")]


def test_who_only_looks_at_a_list_of_words_sees_no_mark(person):
    words = Vocabulary.objects.get(key="changes")
    text = person("auditor").get(f"/ops/triage/vocabulary/{words.pk}/change/").content.decode()
    assert ("-seen" in text, "column-seen" in text) == (False, False)


def test_a_campaign_price_is_typed_in_yuan(supervisor):
    form = {
        "sku": "A", "price_fen": "129.5", "starts_at_0": "2026-11-11", "starts_at_1": "00:00",
        "ends_at_0": "2026-11-12", "ends_at_1": "00:00",
    }  # fmt: skip
    supervisor.post("/ops/triage/campaignprice/add/", form)
    row = CampaignPrice.objects.get()
    assert (row.price_fen, row.set_by) == (12_950, "supervisor-user")


def test_a_supervisor_enters_a_shipping_stop(supervisor):
    supervisor.post(f"{STOPS}add/", STOP)
    row = ShippingStop.objects.get()
    assert (row.region, row.courier, row.is_active, row.set_by) == ("新疆", "SF", True, "supervisor-user")
    text = supervisor.get(STOPS).content.decode()
    assert "SF Express" in text
    assert "暴雪" in text
    answer = supervisor.post(f"{STOPS}add/", {**STOP, "region": "火星"}).content.decode()
    assert "Neither a division code" in answer
    assert ShippingStop.objects.count() == 1


@pytest.mark.parametrize("role", ["auditor", "risk", "agent", "warehouse"])
def test_only_supervisors_stop_shipping(person, supervisor, role):
    supervisor.post(f"{STOPS}add/", STOP)
    row = ShippingStop.objects.get()
    client = person(role)
    assert client.post(f"{STOPS}add/", STOP).status_code == 403
    assert client.post(f"{STOPS}{row.pk}/change/", {**STOP, "reason": "x"}).status_code == 403
    assert client.post(f"{STOPS}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert list(ShippingStop.objects.values_list("reason", flat=True)) == ["暴雪"]


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_of_stops_needs_a_fixed_number_of_queries(supervisor, rows, django_assert_num_queries):
    for n in range(rows):
        ShippingStop.objects.create(region=f"65{n}", reason="暴雪", starts_at=NOW, ends_at=NOW + timedelta(days=n + 1))
    supervisor.get(STOPS)
    with django_assert_num_queries(6):
        assert supervisor.get(STOPS).content.decode().count("暴雪") >= rows


def test_a_version_is_shown_and_cannot_be_changed(supervisor, rules):
    text = supervisor.get(f"/ops/triage/ruleset/{rules.pk}/change/").content.decode()
    assert "price_off" in text
    assert "生日礼物" in text
    assert supervisor.post(f"/ops/triage/ruleset/{rules.pk}/change/", {"number": 5}).status_code == 403


def test_the_order_page_says_why_and_what_was_not_judged(supervisor, shop):
    order = judged(shop, receiver=BAD)
    text = supervisor.get(f"{LIST}{order.pk}/change/").content.decode()
    assert "Receiver&#x27;s phone: Too few digits" in text
    assert "A number that a courier can reach" in text
    assert "the channel gives no buyer IP" in text


def test_the_timeline_names_reasons_in_words(supervisor, shop):
    order = make_order(shop)
    for kind, data in (
        ("intake", {"findings": ["phone_invalid", "refund_open"]}),
        ("findings_accepted", {"codes": ["gone"]}),
    ):
        TimelineEntry.objects.create(
            shop=shop, order=order, at=NOW, kind=kind, source="channel", actor="x", status_to="paid", data=data
        )
    text = supervisor.get(f"{LIST}{order.pk}/change/").content.decode()
    for words in ("findings: Invalid phone, Refund open", "findings: gone"):
        assert words in text


def test_the_order_list_is_filtered_by_reason_and_shows_it(supervisor, shop):
    bad, good = judged(shop, receiver=BAD), make_order(shop)
    text = supervisor.get(LIST, {"finding": "phone_invalid"}).content.decode()
    assert bad.external_no in text
    assert good.external_no not in text
    assert "Invalid phone" in text


def test_orders_changed_after_the_push_have_a_tab_and_are_accepted_on_their_page(supervisor, person, shop):
    order, other = (make_order(shop, status="picking", channel_claim="paid") for _n in range(2))
    with connection.cursor() as cursor:
        note_after_push(cursor, shop_id=shop.pk, rule_set_id=1, changes={order.pk: ["receiver", "lines"]})
    text = supervisor.get(LIST, {"view": "changed_after_push"}).content.decode()
    assert (order.external_no in text, other.external_no in text) == (True, False)
    assert supervisor.get(f"{LIST}counts/").json()["views"]["changed_after_push"] == "1"
    page = supervisor.get(f"{LIST}{order.pk}/change/").content.decode()
    assert "Changed after the warehouse was told: Receiver, Lines." in page
    assert "accept-form" in page
    assert "accept-form" not in person("auditor").get(f"{LIST}{order.pk}/change/").content.decode()
    done = supervisor.post(
        f"{LIST}{order.pk}/release/", {"reason": "told by phone", "seen": "changed_after_push:1"}, follow=True
    ).content.decode()
    assert "The reasons count as accepted." in done
    assert "accept-form" not in done
    assert order.external_no not in supervisor.get(LIST, {"view": "changed_after_push"}).content.decode()


def test_reasons_in_the_order_list_cost_the_same_for_any_page(supervisor, shop):
    counts = []
    for _page in range(3):
        judged(shop, receiver=BAD)
        supervisor.get(LIST)
        with CaptureQueriesContext(connection) as queries:
            supervisor.get(LIST)
        counts.append(len(queries))
    assert counts[0] == counts[1] == counts[2]


def test_the_dashboard_counts_reasons(supervisor, shop, time_machine):
    judged(shop, receiver=BAD)
    time_machine.move_to(Finding.objects.get().found_at, tick=False)
    text = supervisor.get("/ops/").content.decode()
    assert "Most frequent reasons" in text
    assert "?finding=phone_invalid" in text
