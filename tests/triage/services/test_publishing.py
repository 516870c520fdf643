from tests.triage.judge import NOW, candidate
from triage.models import Rule, RuleSet, Term, Vocabulary
from triage.services import decide, load_defaults, publish_rules
from triage.services.editing import delete_rules, save_rule, set_rule_state


def test_an_unchanged_set_is_not_published_again(rules):
    assert publish_rules(actor="li").pk == rules.pk
    assert RuleSet.objects.count() == 1


def test_a_change_is_the_next_version_and_the_old_one_stays(rules):
    Rule.objects.filter(code="phone_invalid").update(state="off")
    version = publish_rules(actor="li")
    assert (version.number, version.published_by) == (2, "li")
    old = {rule["code"]: rule["state"] for rule in RuleSet.objects.get(number=1).snapshot["rules"]}
    assert old["phone_invalid"] == "on"


def test_workers_judge_with_the_new_version_at_once(rules):
    bad = candidate(receiver={"phone": "12345"})
    assert decide([bad], now=NOW)[0].lane == "to_confirm"
    set_rule_state(rule_ids=[Rule.objects.get(code="phone_invalid").pk], state="shadow", actor="li")
    (decision,) = decide([bad], now=NOW)
    assert decision.lane == "regular"
    assert [found.is_shadow for found in decision.findings] == [True]


def test_words_are_part_of_the_version(rules):
    Term.objects.create(vocabulary=Term.objects.filter(term="加急").get().vocabulary, term="火速", weight=2)
    publish_rules(actor="li")
    assert decide([candidate(buyer_remark="火速")], now=NOW)[0].is_urgent
    Term.objects.filter(term="火速").update(is_active=False)
    publish_rules(actor="li")
    assert not decide([candidate(buyer_remark="火速")], now=NOW)[0].is_urgent


def test_defaults_can_be_loaded_again_and_leave_edited_rows_alone(rules):
    Rule.objects.filter(code="amount_high").update(state="on", severity=5)
    Term.objects.filter(term="加急").delete()
    publish_rules(actor="li")
    assert load_defaults().number == 2
    rule = Rule.objects.get(code="amount_high")
    assert (rule.state, rule.severity) == ("on", 5)
    assert not Term.objects.filter(term="加急").exists()
    assert RuleSet.objects.count() == 2


def test_a_starter_rule_that_is_missing_comes_back(rules):
    Rule.objects.filter(code="amount_high").delete()
    publish_rules(actor="li")
    assert load_defaults().number == 3
    assert Rule.objects.filter(code="amount_high", is_builtin=True).exists()


def test_an_older_installation_gets_new_word_lists_and_keeps_its_own_words(rules):
    Vocabulary.objects.filter(key="pick_up_points").delete()
    Term.objects.filter(vocabulary__key="landmarks", term="厂").delete()
    publish_rules(actor="li")
    known = candidate(receiver={"detail": "科技园南区菜鸟驿站"})
    assert decide([known], now=NOW)[0].lane == "to_confirm"
    assert load_defaults().number == 3
    assert decide([known], now=NOW)[0].lane == "regular"
    assert not Term.objects.filter(vocabulary__key="landmarks", term="厂").exists()
    assert load_defaults().number == 3


def test_saving_a_rule_checks_and_publishes(rules):
    rule = Rule.objects.get(code="amount_high")
    rule.state = "on"
    assert save_rule(rule=rule, actor="li").number == 2


def test_rules_of_the_product_cannot_be_deleted(rules):
    own = Rule.objects.get(code="amount_high")
    own.pk, own.code, own.is_builtin = None, "own", False
    own.save()
    ids = list(Rule.objects.filter(code__in=["own", "amount_high"]).values_list("pk", flat=True))
    assert delete_rules(rule_ids=ids, actor="li") == 1
    assert list(Rule.objects.filter(pk__in=ids).values_list("code", flat=True)) == ["amount_high"]
