import base64
import re
from datetime import timedelta

import pytest
from django.conf import settings

from orderhub.models import Effect, Order, Receiver, Reveal, StockLevel, TimelineEntry, Warehouse
from tests.drafts import RECEIVER, deliver, draft, later
from tests.factories import START, make_order, make_parcel, make_shop
from tests.orderhub.admin.answers import act, answered
from triage.models import Finding

LIST = "/ops/orderhub/order/"
STILL_HELD = "The order does not go on yet, for a reason that was not accepted."


def page(client, order, **query):
    return client.get(f"{LIST}{order.pk}/change/", query)


@pytest.fixture
def rich(db):
    """An order with everything a page can show."""
    order = make_order(
        status="in_triage_hold", lane="abnormal", is_urgent=True, lines=2, has_drift=True,
        channel_claim="in_transit", channel_claim_at=START, warehouse_claim="packed", warehouse_claim_at=START,
        buyer_remark="<script>alert('remark')</script>", name="李雷雷", phone="13912345678", detail="文三路 90 号",
    )  # fmt: skip
    for data in ({"reason": "<img src=x onerror=alert(1)>"}, {"lane": "abnormal"}):
        TimelineEntry.objects.create(
            shop=order.shop, order=order, at=START, kind="intake", source="channel", actor="<u>me</u>",
            status_from="unpaid", status_to="paid", data=data,
        )  # fmt: skip
    Effect.objects.create(
        shop=order.shop, order=order, kind="wms_push", key="k1", due_at=START, created_at=START, state="dead",
        last_error="<b>no</b>",
    )  # fmt: skip
    StockLevel.objects.create(sku="SKU-1", warehouse="hz", on_hand=10, reserved=4)
    make_parcel(order, "SF123")
    return order


def test_the_page_shows_all_parts_and_reads_them_in_a_fixed_number_of_queries(
    supervisor, rich, only_pool, django_assert_num_queries
):
    page(supervisor, rich)
    with django_assert_num_queries(13):
        body = page(supervisor, rich).content.decode()
    for key in ("lines", "remarks", "receiver", "path", "claims", "parcels", "effects", "timeline"):
        assert f'id="panel-{key}"' in body
    for shown in ("SKU-1", "SF123", "¥258.00", "李**", "139****5678", "▲", "◆"):
        assert shown in body


def test_more_lines_and_entries_need_no_more_queries(supervisor, rich, only_pool, django_assert_num_queries):
    poor = make_order(rich.shop, lines=1)
    page(supervisor, rich)
    with django_assert_num_queries(12):
        page(supervisor, poor)


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ["changed: Receiver, Lines", "came by: push, then fetched", "lane: To confirm"]),
     ("zh-hans", ["变更：收件信息、商品", "来源：平台推送后拉取", "分流：待确认"])],
)  # fmt: skip
def test_what_the_channel_told_is_said_in_words(supervisor, rich, language, words):
    TimelineEntry.objects.create(
        shop=rich.shop, order=rich, at=START, kind="change", source="channel", actor="x",
        data={"changed": ["receiver", "lines"], "via": "event", "lane": "to_confirm"},
    )  # fmt: skip
    supervisor.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    body = page(supervisor, rich).content.decode()
    assert [word for word in words if word in body] == words


def test_both_sides_of_a_drift_are_named(supervisor, rich):
    drift = re.search(r'class="drift">([^<]+)<', page(supervisor, rich).content.decode())
    assert drift.group(1).count("≠") == 1


def test_an_open_refund_does_not_hide_where_the_order_is(supervisor):
    supervisor.cookies["django_language"] = "en"
    body = page(supervisor, make_order(status="refunding", under_refund="packed")).content.decode()
    top = body[body.index('class="order-top"') : body.index('class="order-body"')]
    assert top.index("Refund in progress") < top.index("the order itself") < top.index("Packed")


def test_what_platforms_and_people_typed_is_escaped(supervisor, rich):
    body = page(supervisor, rich).content.decode()
    for raw in ("<script>alert(", "<img src=x", "<u>me", "<b>no"):
        assert raw not in body
    assert "&lt;script&gt;alert(" in body


def test_nothing_clear_is_on_the_page(supervisor, rich):
    body = page(supervisor, rich).content.decode()
    for clear in ("李雷雷", "13912345678", "90 号"):
        assert clear not in body


@pytest.mark.parametrize(
    ("actor", "shown"),
    [("meimei", " · meimei"), ("warehouse:WH01", " · WH01"), ("outbox:wms_push", " · 推送仓库"), ("intake:poll", "")],
)
def test_who_did_it_is_told_as_people_know_it(supervisor, rich, actor, shown):
    TimelineEntry.objects.all().delete()
    TimelineEntry.objects.create(shop=rich.shop, order=rich, at=START, kind="status", source="person", actor=actor)
    supervisor.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    body = page(supervisor, rich).content.decode()
    told = f'<span class="dim">{shown}</span>' if shown else ""
    assert f"<span>人工{told}</span>" in body


def test_warehouses_and_carriers_are_called_by_their_names(supervisor, rich):
    Warehouse.objects.create(code="WH01", name="华东仓")
    rich.lines.update(warehouse="WH01", reserved=1, short=0)
    TimelineEntry.objects.all().delete()
    TimelineEntry.objects.create(
        shop=rich.shop, order=rich, at=START, kind="parcel", source="warehouse", actor="warehouse:WH01",
        data={"carrier": "ZTO", "warehouse": "WH01"},
    )  # fmt: skip
    supervisor.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    body = page(supervisor, rich).content.decode()
    assert [word for word in (" · 华东仓<", "承运商：中通快递", "仓库：华东仓") if word not in body] == []
    assert "WH01" not in body


def test_what_a_person_changed_about_the_memo_is_said_in_words(supervisor, rich):
    TimelineEntry.objects.create(
        shop=rich.shop, order=rich, at=START, kind="memo", source="person", actor="boss",
        data={"changed": ["seller_remark", "flag"]},
    )  # fmt: skip
    supervisor.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    assert "变更：卖家备注、旗标" in page(supervisor, rich).content.decode()


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ["Tried again by hand", "sent again: Push to the warehouse, nonsense"]),
     ("zh-hans", ["人工重新投递", "重新投递：推送仓库、nonsense"])],
)  # fmt: skip
def test_what_was_tried_again_is_said_in_words(supervisor, rich, language, words):
    TimelineEntry.objects.create(
        shop=rich.shop, order=rich, at=START, kind="retried", source="person", actor="boss",
        data={"effects": ["wms_push", "nonsense"]},
    )  # fmt: skip
    supervisor.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    body = page(supervisor, rich).content.decode()
    assert [word for word in words if word in body] == words


def test_an_order_without_receiver_says_that_it_was_erased(supervisor, rich):
    Receiver.objects.all().delete()
    response = page(supervisor, rich)
    assert response.status_code == 200
    assert "reveal-form" not in response.content.decode()


@pytest.mark.parametrize("key", ["999999", "0", "x", "9" * 30, "-1"])
def test_an_unknown_order_leads_home(supervisor, key):
    assert supervisor.get(f"{LIST}{key}/change/").status_code in {302, 404}


def test_neighbours_stay_within_the_queue(supervisor):
    shop = make_shop()
    held = [
        make_order(shop, status="in_triage_hold", lane="abnormal", created_at=START + timedelta(minutes=n)).pk
        for n in (1, 3, 5)
    ]
    make_order(shop, status="paid", created_at=START + timedelta(minutes=2))
    body = page(supervisor, Order.objects.get(pk=held[1]), view="abnormal").content.decode()
    assert f'data-previous-order href="{LIST}{held[0]}/change/?view=abnormal"' in body
    assert f'data-next-order href="{LIST}{held[2]}/change/?view=abnormal"' in body


def test_the_page_cannot_be_posted_to(supervisor, rich):
    before = Order.objects.filter(pk=rich.pk).values().get()
    supervisor.post(f"{LIST}{rich.pk}/change/", {"status": "completed"})
    assert Order.objects.filter(pk=rich.pk).values().get() == before


class TestReveal:
    def ask(self, client, order, reason="客户来电核对地址"):
        return client.post(f"{LIST}{order.pk}/reveal/", {"reason": reason})

    def test_a_reason_shows_the_receiver_and_is_logged(self, supervisor, rich):
        response = self.ask(supervisor, rich)
        body = response.content.decode()
        assert "13912345678" in body
        assert "李雷雷" in body
        assert "文三路 90 号" in body
        assert "no-store" in response["Cache-Control"]
        entry = Reveal.objects.get()
        assert (entry.order, entry.user, entry.reason, entry.place) == (
            rich, supervisor.person, "客户来电核对地址", "console",
        )  # fmt: skip

    def test_without_a_reason_nothing_is_shown(self, supervisor, rich):
        response = self.ask(supervisor, rich, " ")
        assert response.status_code == 400
        assert "13912345678" not in response.content.decode()
        assert not Reveal.objects.exists()

    def test_an_auditor_reads_everything_but_this(self, person, rich):
        auditor = person("auditor")
        assert page(auditor, rich).status_code == 200
        response = self.ask(auditor, rich)
        assert response.status_code == 403
        assert "13912345678" not in response.content.decode()
        assert not Reveal.objects.exists()

    def test_the_quota_ends_it(self, supervisor, rich, settings):
        settings.HUB_REVEALS_PER_HOUR = 1
        assert self.ask(supervisor, rich).status_code == 200
        response = self.ask(supervisor, rich)
        assert response.status_code == 400
        assert "13912345678" not in response.content.decode()
        assert Reveal.objects.count() == 1

    def test_a_link_cannot_reveal(self, supervisor, rich):
        assert supervisor.get(f"{LIST}{rich.pk}/reveal/", {"reason": "x y"}).status_code == 405

    def test_what_no_key_opens_is_told_in_words(self, supervisor, rich, settings):
        settings.HUB_DATA_KEYS = [f"lost:{base64.b64encode(bytes(32)).decode()}"]
        response = self.ask(supervisor, rich)
        assert (response.status_code, "缺少数据密钥" in response.content.decode()) == (400, True)
        assert Reveal.objects.get().shown is False

    def test_an_erased_receiver_is_not_an_error_page(self, supervisor, rich):
        Receiver.objects.all().delete()
        assert self.ask(supervisor, rich).status_code == 404
        assert not Reveal.objects.exists()
        assert supervisor.post(f"{LIST}999999/reveal/", {"reason": "x y"}).status_code == 404


class TestRelease:
    @pytest.fixture
    def held(self, rules):
        return make_order(make_shop(ship_hours=48), status="in_triage_hold", lane="abnormal", channel_claim="paid")

    def test_a_held_order_is_let_go_with_the_reason_in_the_timeline(self, supervisor, held):
        Finding.objects.create(
            shop=held.shop,
            order=held,
            code="price_off",
            rule_set_id=1,
            severity=4,
            lane="abnormal",
            values={},
            facts_key=1,
        )
        assert 'name="seen" value="price_off:1"' in page(supervisor, held).content.decode()
        answer = {"reason": "电话已确认", "view": "abnormal", "seen": ["price_off:1"]}
        response = supervisor.post(f"{LIST}{held.pk}/release/", answer)
        assert (response.status_code, response["Location"]) == (302, f"{LIST}{held.pk}/change/?view=abnormal")
        held.refresh_from_db()
        assert held.status == "ready"
        assert any("电话已确认" in str(entry.data) for entry in held.timeline.all())

    @pytest.mark.parametrize(
        ("changes", "told", "status"),
        [
            ({}, "The order was released.", "ready"),
            ({"phone": "12345"}, STILL_HELD, "in_triage_hold"),
            ({"channel_hold": "LOCKED"}, STILL_HELD, "paid"),
            ({"lines": 2}, "The order was released; it waits for its pieces.", "short"),
            ({"status": "ready"}, "The reasons count as accepted.", "ready"),
        ],
    )
    def test_what_came_of_a_release_is_said(self, supervisor, rules, changes, told, status):
        StockLevel.objects.create(sku="SKU-2", warehouse="HZ", on_hand=0)
        values = {"status": "in_triage_hold", "lane": "to_confirm", "channel_claim": "paid", **changes}
        order = make_order(make_shop(ship_hours=48), **values)
        supervisor.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
        answer = supervisor.post(f"{LIST}{order.pk}/release/", {"reason": "电话已确认"}, follow=True)
        assert [str(message) for message in answer.context["messages"]] == [told]
        order.refresh_from_db()
        assert order.status == status

    def test_in_bulk_an_order_that_stays_held_is_told(self, supervisor, held):
        other = make_order(held.shop, status="in_triage_hold", channel_claim="paid", phone="12345")
        supervisor.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
        done = act(supervisor, LIST, {"action": "release", "_selected_action": [held.pk, other.pk]})
        assert {outcome.key: (outcome.is_ok, outcome.message) for outcome in done.context["outcomes"]} == {
            held.pk: (True, "released"),
            other.pk: (False, STILL_HELD),
        }  # fmt: skip

    def test_a_reason_that_came_after_the_page_was_shown_holds_it(self, supervisor, rules):
        shop = make_shop(ship_hours=48)
        deliver(shop, draft(receiver=RECEIVER | {"phone": "12345"}))
        order = Order.objects.get()
        shown = page(supervisor, order).context["reasons_shown"]
        deliver(shop, draft(receiver=RECEIVER | {"phone": "12345"}, buyer_remark="先别发", modified_at=later(5)))
        supervisor.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
        answer = supervisor.post(f"{LIST}{order.pk}/release/", {"reason": "电话已确认", "seen": shown}, follow=True)
        assert [str(message) for message in answer.context["messages"]] == [STILL_HELD]
        assert Order.objects.get().status == "in_triage_hold"
        found = Finding.objects.order_by("code").values_list("code", "accepted_by")
        assert list(found) == [("phone_invalid", supervisor.person.username), ("remark_hold", "")]

    def test_in_bulk_a_reason_that_came_meanwhile_holds_it_too(self, supervisor, rules):
        shop = make_shop(ship_hours=48)
        deliver(shop, draft(receiver=RECEIVER | {"phone": "12345"}))
        order = Order.objects.get()
        asked = supervisor.post(LIST, {"action": "release", "_selected_action": [order.pk]})
        deliver(shop, draft(receiver=RECEIVER | {"phone": "54321"}, modified_at=later(5)))
        (outcome,) = supervisor.post(LIST, answered(asked)).context["outcomes"]
        assert (outcome.is_ok, Order.objects.get().status) == (False, "in_triage_hold")
        act(supervisor, LIST, {"action": "release", "_selected_action": [order.pk]})
        assert Order.objects.get().status == "ready"

    def test_without_a_reason_it_stays(self, supervisor, held):
        supervisor.post(f"{LIST}{held.pk}/release/", {"reason": " "})
        held.refresh_from_db()
        assert held.status == "in_triage_hold"
        assert not held.timeline.exists()

    @pytest.mark.parametrize(
        ("role", "lane", "status"),
        [
            ("supervisor", "to_confirm", "ready"), ("supervisor", "abnormal", "ready"),
            ("risk", "to_confirm", "ready"), ("risk", "abnormal", "ready"),
            ("agent", "to_confirm", "ready"), ("agent", "abnormal", "in_triage_hold"),
        ],
    )  # fmt: skip
    def test_agents_decide_what_is_to_be_confirmed_and_nothing_that_is_frozen(self, person, held, role, lane, status):
        Order.objects.filter(pk=held.pk).update(lane=lane)
        client = person(role)
        assert ("release-dialog" in page(client, held).content.decode()) == (status == "ready")
        client.post(f"{LIST}{held.pk}/release/", {"reason": "电话已确认"})
        held.refresh_from_db()
        assert held.status == status

    def test_an_agent_is_told_who_decides_a_frozen_order(self, person, held):
        client = person("agent")
        client.cookies["django_language"] = "en"
        assert "supervisor or risk reviewer decides" in page(client, held).content.decode()
        answer = client.post(f"{LIST}{held.pk}/release/", {"reason": "x y"}, follow=True)
        told = [str(message) for message in answer.context["messages"]]
        assert told == ["The order is frozen: a supervisor or risk reviewer decides."]

    def test_in_bulk_an_agent_releases_all_but_the_frozen_ones(self, person, held):
        other = make_order(held.shop, status="in_triage_hold", lane="to_confirm", channel_claim="paid")
        client = person("agent")
        client.cookies["django_language"] = "en"
        chosen = {"action": "release", "_selected_action": [held.pk, other.pk]}
        asked = client.post(LIST, chosen)
        assert "Frozen orders stay." in asked.content.decode()
        done = client.post(LIST, answered(asked))
        assert {outcome.key: outcome.message for outcome in done.context["outcomes"]} == {
            held.pk: "The order is frozen: a supervisor or risk reviewer decides.", other.pk: "released",
        }  # fmt: skip
        held.refresh_from_db()
        other.refresh_from_db()
        assert (held.status, other.status) == ("in_triage_hold", "ready")

    @pytest.mark.parametrize("role", ["auditor", "warehouse"])
    def test_roles_without_the_right_cannot(self, person, held, role):
        client = person(role)
        assert "release-dialog" not in page(client, held).content.decode()
        assert client.post(f"{LIST}{held.pk}/release/", {"reason": "x y"}).status_code == 403
        held.refresh_from_db()
        assert held.status == "in_triage_hold"

    def test_in_bulk_each_row_has_its_own_outcome(self, supervisor, held):
        other = make_order(held.shop, status="delivered")
        chosen = {"action": "release", "_selected_action": [held.pk, other.pk]}
        asked = supervisor.post(LIST, chosen)
        assert "reason" in asked.content.decode()
        held.refresh_from_db()
        assert held.status == "in_triage_hold"
        done = supervisor.post(LIST, answered(asked))
        outcomes = {outcome.key: outcome.is_ok for outcome in done.context["outcomes"]}
        assert outcomes == {held.pk: True, other.pk: False}
        held.refresh_from_db()
        other.refresh_from_db()
        assert (held.status, other.status) == ("ready", "delivered")
