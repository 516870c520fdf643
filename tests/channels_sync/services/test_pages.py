from datetime import timedelta

import pytest
from django.utils import timezone

from channels_sync.connectors.base import RawPage
from channels_sync.models import RunState, SyncPage, SyncRun
from channels_sync.services import pages
from orderhub import pulls
from orderhub.core.errors import TemporaryError
from orderhub.models import InboxItem


def test_every_page_of_a_run_is_told_with_its_delivery(platform, taobao_shop, rules):
    taobao_shop.settings = {**taobao_shop.settings, "page_size": 20}
    taobao_shop.save()
    platform.live.backlog(60, 0.3)
    pulls.pull_shop(taobao_shop.pk)
    run = SyncRun.objects.get()
    rows = list(SyncPage.objects.filter(run_id=run.pk).order_by("pk"))
    assert [row.number for row in rows] == list(range(1, run.pages + 1))
    assert (sum(row.rows for row in rows), sum(row.new for row in rows)) == (run.rows, run.new)
    assert run.pages >= 3
    items = InboxItem.objects.in_bulk([row.inbox_id for row in rows])
    assert [items[row.inbox_id].delivery_key for row in rows] == [row.delivery_key for row in rows]
    assert all(row.fetch_ms > 0 and row.intake_ms > 0 for row in rows)
    assert rows[-1].is_last
    assert {row.shop_id for row in rows} == {taobao_shop.pk}


def test_a_page_that_could_not_be_taken_in_says_why(platform, taobao_shop, rules, monkeypatch):
    platform.live.make(3)

    def fails(item_id, **kwargs):
        raise TemporaryError("the pool is busy")

    monkeypatch.setattr(pulls, "process", fails)
    pulls.pull_shop(taobao_shop.pk)
    row = SyncPage.objects.get()
    assert (row.error, row.rows, row.new, row.inbox_id) == ("the pool is busy", 3, 0, InboxItem.objects.get().pk)
    assert SyncRun.objects.get().state == RunState.FAILED


def test_a_run_that_fails_before_its_first_page_has_none(platform, taobao_shop, rules):
    platform.faults.add({"kind": "http500", "times": 20})
    pulls.pull_shop(taobao_shop.pk)
    assert SyncPage.objects.count() == 0


def test_times_are_those_of_the_channel_and_of_the_intake(taobao_shop, monkeypatch):
    clock = [10.0]
    monkeypatch.setattr(pages.time, "monotonic", lambda: clock[0])
    log = pages.PageLog(taobao_shop.pk, run_id=7)
    for fetched, taken in ((0.25, 1.5), (0.1, 0.002)):
        clock[0] += fetched
        log.came(RawPage("k", b"", "application/json", "taobao", 4))
        clock[0] += taken
        log.taken_in({"new": 3, "held": 1})
    log.failed("nothing is on its way")
    assert list(SyncPage.objects.order_by("pk").values_list("fetch_ms", "intake_ms", "number", "new", "held")) == [
        (250, 1500, 1, 3, 1), (100, 2, 2, 3, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(("days", "left"), [(13, 1), (15, 0)])
def test_old_pages_are_pruned(taobao_shop, days, left):
    SyncPage.objects.create(shop=taobao_shop, number=1, delivery_key="k", at=timezone.now() - timedelta(days=days))
    assert pages.prune_pages() == 1 - left
    assert SyncPage.objects.count() == left
