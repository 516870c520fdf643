import orjson
import pytest
from django.contrib.admin.models import LogEntry

from orderhub.models import InboxItem, Order, Reject
from tests.factories import make_shop
from tests.orderhub.admin.answers import answered

REJECTS = "/ops/orderhub/reject/"
INBOX = "/ops/orderhub/inboxitem/"
ROW = {
    "external_no": "T1", "status": "paid", "created_at": "2026-11-11T00:00:07+08:00",
    "paid_at": "2026-11-11T00:00:31+08:00", "modified_at": "2026-11-11T00:00:31+08:00",
    "receiver": {"name": "李雷", "phone": "13912345678", "province": "浙江省", "city": "杭州市", "district": "西湖区",
                 "detail": "文三路 90 号 3 幢 501 室"},
    "lines": [{"line_no": "1", "sku": "S", "title": "t", "quantity": 1, "unit_price_fen": 100, "paid_fen": 100}],
    "total_fen": 100, "paid_fen": 100,
}  # fmt: skip


def make_reject(shop, row=None, **values):
    reject = Reject(shop=shop, **{"external_no": "T1", "field_path": "total_fen", "reason": "was too big", **values})
    reject.raw_row = orjson.dumps(row or ROW)
    reject.save()
    return reject


def make_item(shop, **values):
    item = InboxItem(shop=shop, **{"source": "push", "delivery_key": "k", **values})
    item.body = orjson.dumps([ROW])
    item.save()
    return item


@pytest.mark.parametrize("rows", [1, 3])
def test_the_lists_need_a_fixed_number_of_queries(supervisor, rows, django_assert_num_queries):
    shop = make_shop()
    for number in range(rows):
        make_reject(shop, row={}, reason=f"{number}")
        make_item(shop, delivery_key=f"k{number}")
    supervisor.get(REJECTS)
    with django_assert_num_queries(6):
        assert supervisor.get(REJECTS).content.decode().count("<tr data-href") == rows
    with django_assert_num_queries(6):
        assert supervisor.get(INBOX).content.decode().count("<tr data-href") == rows


def test_how_a_delivery_came_is_told_in_words(supervisor):
    make_item(make_shop(), source="poll")
    supervisor.cookies["django_language"] = "zh-hans"
    body = supervisor.get(INBOX).content.decode()
    assert ("拉取</td>" in body, "poll</td>" in body) == (True, False)


def test_a_row_that_can_be_read_now_is_taken_in(supervisor, rules):
    reject = make_reject(make_shop())
    supervisor.post(REJECTS, {"action": "rerun", "_selected_action": [reject.pk]})
    reject.refresh_from_db()
    assert (reject.state, reject.closed_by, reject.attempts) == ("taken", supervisor.person.username, 2)
    assert Order.objects.get().external_no == "T1"


def test_an_order_that_was_not_shown_is_asked_for_again_and_that_is_told(supervisor):
    reject = make_reject(make_shop(platform="jd"), row={"orderId": "T1", "hub_refused": "busy"})
    response = supervisor.post(REJECTS, {"action": "rerun", "_selected_action": [reject.pk]}, follow=True)
    assert [str(message) for message in response.context["messages"]] == [
        "平台未给出该订单的详情，已重新查询；订单入池后，此行自动关闭。"
    ]
    assert InboxItem.objects.get().headers == {"numbers": ["T1"]}


def test_each_row_has_its_own_outcome(supervisor, rules):
    shop = make_shop()
    good, bad = (
        make_reject(shop),
        make_reject(shop, row={**ROW, "external_no": "T2", "total_fen": -1}, external_no="T2"),
    )
    response = supervisor.post(REJECTS, {"action": "rerun", "_selected_action": [good.pk, bad.pk]})
    outcomes = {outcome.key: (outcome.is_ok, outcome.message) for outcome in response.context["outcomes"]}
    assert outcomes[good.pk][0] is True
    assert outcomes[bad.pk][0] is False
    assert outcomes[bad.pk][1] == "订单金额：数值不能小于 0。"
    bad.refresh_from_db()
    assert (bad.state, bad.attempts) == ("open", 2)


def test_setting_aside_needs_a_reason(supervisor):
    reject = make_reject(make_shop())
    asked = supervisor.post(REJECTS, {"action": "dismiss", "_selected_action": [reject.pk]})
    again = supervisor.post(REJECTS, answered(asked, " "))
    assert (again.status_code, again.context["count"]) == (200, 1)
    reject.refresh_from_db()
    assert reject.state == "open"
    supervisor.post(REJECTS, answered(again, "测试数据"))
    reject.refresh_from_db()
    assert (reject.state, reject.closed_by) == ("dismissed", f"{supervisor.person.username}: 测试数据")
    supervisor.cookies["django_language"] = "zh-hans"
    body = supervisor.get(f"{REJECTS}?view=dismissed").content.decode()
    assert f"{supervisor.person.username}：测试数据" in body


def test_only_who_handles_rejects_gets_the_actions(person):
    reject = make_reject(make_shop())
    auditor = person("auditor")
    assert 'value="rerun"' not in auditor.get(REJECTS).content.decode()
    chosen = {"action": "dismiss", "_selected_action": [reject.pk], "chosen": f'{{"{reject.pk}": []}}', "reason": "x y"}
    auditor.post(REJECTS, chosen)
    reject.refresh_from_db()
    assert reject.state == "open"


class TestRawRow:
    def ask(self, client, reject, reason="核对字段"):
        return client.post(f"{REJECTS}{reject.pk}/raw/", {"reason": reason})

    def test_it_is_not_on_the_page(self, supervisor):
        reject = make_reject(make_shop())
        assert "13912345678" not in supervisor.get(f"{REJECTS}{reject.pk}/change/").content.decode()

    def test_a_reason_shows_it_escaped_and_is_logged(self, supervisor):
        reject = make_reject(make_shop(), row={"phone": "13912345678", "remark": "<script>x"})
        response = self.ask(supervisor, reject)
        body = response.content.decode()
        assert "13912345678" in body
        assert "<script>" not in body
        assert "no-store" in response["Cache-Control"]
        entry = LogEntry.objects.get()
        assert (entry.user, entry.object_id, entry.change_message) == (
            supervisor.person, str(reject.pk), "raw row shown: 核对字段",
        )  # fmt: skip

    def test_without_permission_or_reason_or_quota_it_stays_hidden(self, supervisor, person, settings):
        reject = make_reject(make_shop())
        settings.HUB_REVEALS_PER_HOUR = 0
        for client, reason, status in (
            (person("auditor"), "why not", 403),
            (supervisor, "", 400),
            (supervisor, "why not", 400),
        ):
            response = self.ask(client, reject, reason)
            assert response.status_code == status
            assert "13912345678" not in response.content.decode()
        assert not LogEntry.objects.exists()


def test_a_delivery_that_was_set_aside_is_taken_in(supervisor, rules):
    item = make_item(make_shop(), state="dead", reader="draft")
    supervisor.post(INBOX, {"action": "take_in", "_selected_action": [item.pk]})
    item.refresh_from_db()
    assert item.state == "done"
    assert Order.objects.count() == 1


def test_the_content_of_a_delivery_is_not_shown(supervisor):
    item = make_item(make_shop(), headers={"authorization": "secret-token"})
    body = supervisor.get(f"{INBOX}{item.pk}/change/").content.decode()
    assert "13912345678" not in body
    assert "secret-token" not in body


def test_of_all_rows_no_more_are_worked_on_than_one_answer_reaches(supervisor, rules, monkeypatch):
    monkeypatch.setattr("orderhub.console.actions.MOST", 1)
    shop = make_shop()
    for number in ("T1", "T2"):
        make_reject(shop, row={**ROW, "external_no": number}, external_no=number)
        make_item(shop, delivery_key=number, state="dead", reader="draft")
    for url, action, model, state in ((REJECTS, "rerun", Reject, "taken"), (INBOX, "take_in", InboxItem, "done")):
        supervisor.post(url, {"action": action, "select_across": "1", "_selected_action": [model.objects.first().pk]})
        assert model.objects.filter(state=state).count() == 1, action
