from django.utils.translation import override

from orderhub.api.sections import sections_of
from tests.factories import make_order
from tests.triage.selectors.test_findings import BAD, judged


def test_open_findings_are_a_section_of_the_order(rules, shop):
    order = judged(shop, receiver=BAD)
    with override("zh-hans"):
        (found,) = sections_of(order.pk)["findings"]
    assert found.pop("found_at") is not None
    assert found == {
        "code": "phone_invalid", "title": "电话无效", "lane": "to_confirm", "is_urgent": False,
        "reason": found["reason"], "clears": "补一个快递能打通的号码", "values": found["values"], "rule_set": 1,
    }  # fmt: skip
    assert sections_of(make_order(shop).pk)["findings"] is None
