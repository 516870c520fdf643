"""The seller's remark and flag, edited here and told to the channel over HTTP."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission, User
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.utils import translation

from channels_sync import readers
from channels_sync.connectors.base import connectors
from channels_sync.connectors.exchange import MemoRules
from channels_sync.services.access import shop_access
from channels_sync.services.memo import MemoChangedError, MemoWriteBack, checked, edit_memo, last_effect, mark_of
from orderhub.core.effects import Job
from orderhub.core.errors import FieldError, HubError
from orderhub.deliveries import drain_inbox
from orderhub.models import Effect, Order, Shop, TimelineEntry
from orderhub.pulls import pull_shop
from orderhub.services import inbox, outbox
from tests.channels_sync.stores import PLATFORMS, Store, sandbox
from tests.factories import make_order, make_shop
from triage.services import load_defaults

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def english(settings):
    """The words of the sources, also in the threads that send."""
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


FLAG = {"taobao": "red", "jd": "blue", "douyin": "orange", "wechat": "none"}


@pytest.fixture
def platforms(settings):
    load_defaults()
    with sandbox(settings) as running:
        yield running


@pytest.fixture
def agent(transactional_db):
    user = User.objects.create_user("agent")
    user.user_permissions.add(Permission.objects.get(codename="edit_memo"))
    return user


def refuse(*_words):
    raise HubError("refused for good")


class Desk:
    """One order of a platform and somebody who edits it."""

    def __init__(self, name, platforms, agent):
        self.store, self.agent, self.platforms = Store(name, platforms), agent, platforms
        self.number = next(n for n in platforms.live.make(80) if self._fits(platforms.store.get(n)))
        pull_shop(self.store.shop.pk)

    def _fits(self, order):
        draft = order.draft
        if order.shop != self.store.platform or draft["status"] != "paid" or draft["channel_hold"]:
            return False
        return not draft.get("seller_remark") and draft.get("flag", "none") == "none"

    @property
    def order(self):
        return Order.objects.get(external_no=self.number)

    @property
    def memo(self):
        return self.order.seller_remark, self.order.flag

    def edit(self, remark, flag="none", seen=None):
        seen = mark_of(self.memo if seen is None else seen)
        return edit_memo(order_id=self.order.pk, remark=remark, flag=flag, seen=seen, user=self.agent)

    def send(self):
        Effect.objects.filter(kind="memo").update(due_at=datetime.now(UTC))
        return outbox.drain(kinds=["memo"])

    def shown(self):
        """Return what the connector reads back from the platform."""
        pages = connectors.get(self.store.platform).fetch(shop_access(self.store.shop), [self.number])
        (row,) = [row for page in pages for row in readers.read(page.reader, page.body, page.content_type)]
        return row.draft.seller_remark, row.draft.flag

    def told(self):
        return self.platforms.store.writes(self.store.platform, "memo", self.number)

    def timeline(self):
        entries = TimelineEntry.objects.filter(order=self.order, kind__startswith="memo").order_by("pk")
        return list(entries.values_list("kind", "source", "actor", "data"))


def test_an_edit_waits_while_the_shop_is_switched_off(platforms, agent):
    desk = Desk("jd", platforms, agent)
    assert desk.edit("改发顺丰")
    Shop.objects.update(is_active=False)
    assert (desk.send().retried, Effect.objects.get(kind="memo").attempts, desk.told()) == (1, 0, [])
    Shop.objects.update(is_active=True)
    assert (desk.send().done, desk.shown()[0]) == (1, "改发顺丰")


@pytest.mark.parametrize("name", PLATFORMS)
def test_an_edit_reaches_the_platform_and_comes_back_the_same(platforms, agent, name):
    desk = Desk(name, platforms, agent)
    assert desk.edit(" 改发顺丰\r\n谢谢 ", FLAG[name])
    assert desk.memo == ("改发顺丰\n谢谢", FLAG[name])
    assert desk.send().done == 1
    assert desk.shown() == desk.memo
    assert len(desk.told()) == 1
    assert [entry[:3] for entry in desk.timeline()] == [
        ("memo", "person", "agent"), ("memo_told", "hub", "outbox:memo"),
    ]  # fmt: skip
    assert not desk.edit("改发顺丰\n谢谢", FLAG[name])
    assert desk.edit("")
    desk.send()
    assert desk.shown() == desk.memo == ("", "none")


@pytest.mark.parametrize("name", PLATFORMS)
def test_what_the_platform_says_meanwhile_is_not_overwritten(platforms, agent, name):
    desk = Desk(name, platforms, agent)
    desk.edit("我们的备注")
    order = platforms.store.get(desk.number)
    order.draft["seller_remark"] = "平台上写的"
    platforms.store.save(order)
    assert desk.send().dead == 1
    assert desk.told() == []
    assert desk.shown()[0] == "平台上写的"
    kind, _source, _actor, data = desk.timeline()[-1]
    assert (kind, "another remark" in data["reason"]) == ("memo_failed", True)


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_remark_that_the_platform_never_took_gives_way_to_what_it_shows(platforms, agent, name, monkeypatch):
    desk = Desk(name, platforms, agent)
    was = desk.memo
    desk.edit("我们的备注")
    monkeypatch.setattr("channels_sync.services.memo._tell", refuse)
    assert (desk.send().dead, desk.memo[0]) == (1, "我们的备注")
    assert drain_inbox(10) == 1
    assert desk.memo == was


def test_a_remark_that_is_set_back_on_the_platform_is_seen(platforms, agent):
    desk = Desk("jd", platforms, agent)
    was = desk.memo
    desk.edit("我们的备注")
    assert desk.send().done == 1
    order = platforms.store.get(desk.number)
    order.draft["seller_remark"] = was[0]
    platforms.store.save(order)
    inbox.fetch_later(desk.store.shop, [desk.number])
    drain_inbox(10)
    assert desk.memo == was


def test_an_edit_on_top_of_a_newer_remark_is_refused(platforms, agent):
    desk = Desk("taobao", platforms, agent)
    Order.objects.filter(pk=desk.order.pk).update(seller_remark="刚刚拉回来的")
    with pytest.raises(MemoChangedError) as refused:
        desk.edit("我们的备注", seen=("", "none"))
    assert refused.value.now == ("刚刚拉回来的", "none")
    assert (desk.memo, desk.timeline(), last_effect(desk.order)) == (("刚刚拉回来的", "none"), [], None)


def test_without_permission_nothing_changes(platforms):
    desk = Desk("taobao", platforms, User.objects.create_user("guest"))
    with pytest.raises(PermissionDenied):
        desk.edit("x")
    assert (desk.memo[0], last_effect(desk.order)) == ("", None)


def test_the_last_of_several_edits_is_told_once(platforms, agent):
    desk = Desk("taobao", platforms, agent)
    for remark in ("一", "二", "三"):
        desk.edit(remark, "red")
    assert desk.send().done == 1
    assert [write["body"]["memo"] for write in desk.told()] == ["三"]


def test_an_edit_while_the_last_one_is_sent_is_asked_to_wait(platforms, agent):
    desk = Desk("taobao", platforms, agent)
    desk.edit("一")
    Effect.objects.filter(kind="memo").update(state="sending")
    with pytest.raises(HubError):
        desk.edit("二")
    assert desk.memo[0] == "一"


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize("kind", ["http500", "truncated", "disconnect"])
def test_a_fault_passes_without_a_person(platforms, agent, name, kind):
    desk = Desk(name, platforms, agent)
    desk.edit("改发顺丰")
    platforms.faults.add({"kind": kind, "times": 40})
    assert desk.send().retried == 1
    platforms.faults.clear()
    assert desk.send().done == 1
    assert desk.shown() == desk.memo


def test_a_lost_answer_does_not_write_twice(platforms, agent):
    desk = Desk("taobao", platforms, agent)
    desk.edit("改发顺丰")
    platforms.faults.add({"kind": "answer_lost", "method": "taobao.trade.memo.update", "times": 3})
    assert desk.send().retried == 1
    told = len(desk.told())
    platforms.faults.clear()
    assert desk.send().done == 1
    assert len(desk.told()) == told


def test_an_older_delivery_does_not_take_the_edit_back(platforms, agent):
    desk = Desk("taobao", platforms, agent)
    desk.edit("改发顺丰", "red")
    Order.objects.filter(pk=desk.order.pk).update(seller_remark="", flag="none")
    assert desk.send().done == 1
    assert desk.shown() == desk.memo == ("改发顺丰", "red")


def is_somebody_waiting():
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return cursor.fetchone()[0]


@pytest.mark.parametrize("what", ["settle", "give_up"])
def test_orders_are_locked_by_their_numbers_as_by_those_who_take_in(what):
    shop = make_shop()
    late, early = (make_order(shop, external_no=number) for number in "BA")
    told = {"remark": "改发顺丰", "flag": "none", "before": [["", "none"]]}
    jobs = [(Job(order.pk, "memo", shop.pk, order.pk, told, 1), HubError("refused")) for order in (late, early)]

    def work():
        try:
            with transaction.atomic():
                getattr(MemoWriteBack(), what)(jobs)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Order.objects.select_for_update(no_key=True).get(pk=early.pk)
            done = pool.submit(work)
            while not (is_somebody_waiting() or done.done()):
                time.sleep(0.01)
            Order.objects.select_for_update(no_key=True, nowait=True).get(pk=late.pk)
        done.result(10)
    assert list(Order.objects.values_list("content_hash", flat=True)) == [0, 0]


@pytest.mark.parametrize(
    ("rules", "remark", "flag", "field"),
    [
        (MemoRules(characters=60, flags=("red",)), "长" * 61, "none", "remark"),
        (MemoRules(octets=1000, flags=("red",)), "长" * 334, "none", "remark"),
        (MemoRules(), "长" * 2001, "none", "remark"),
        (MemoRules(flags=("red",)), "x", "cyan", "flag"),
        (MemoRules(), "x", "red", "flag"),
        (MemoRules(flags=("red",), flag_needs_remark=True), "", "red", "flag"),
    ],
)
def test_limits_name_their_field(rules, remark, flag, field):
    with pytest.raises(FieldError) as refused:
        checked(rules, remark, flag)
    assert refused.value.path == field


@pytest.mark.parametrize(
    ("remark", "flag", "expected"),
    [
        ("长" * 333, "none", ("长" * 333, "grey")),
        ("", "grey", ("", "none")),
        ("x", "grey", ("x", "grey")),
        ("", "red", ("", "red")),
    ],
)
def test_what_the_platform_will_show(remark, flag, expected):
    assert checked(MemoRules(octets=1000, flags=("red",)), remark, flag) == expected
