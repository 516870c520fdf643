from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_sync.models import Backfill, Difference, JobState, Reconciliation, RunState, SyncPage, SyncRun
from tests.factories import make_order, make_shop

pytestmark = pytest.mark.django_db
BACKFILLS = "/ops/channels_sync/backfill/"
RECONCILIATIONS = "/ops/channels_sync/reconciliation/"
DIFFERENCES = "/ops/channels_sync/difference/"


def span(shop, **values):
    end = timezone.now().replace(microsecond=0)
    start = end - timedelta(hours=2)
    return {"shop": shop, "start": start, "end": end, "position": start, "actor": "meimei", **values}


@pytest.fixture
def supervisor(log_in):
    return log_in("supervisor")


@pytest.fixture
def shop(db):
    return make_shop("tb", platform="taobao")


@pytest.fixture
def job(shop):
    return Reconciliation.objects.create(
        **span(shop), state=JobState.DONE, platform_orders=12, pool_orders=11, equal=10, differing=2, underway=1,
        platform_total_fen=10100, pool_total_fen=10000, stock_state="compared", stock_items=5, stock_differing=1,
    )  # fmt: skip


def difference(job, number, **values):
    return Difference.objects.create(
        reconciliation=job, shop=job.shop, external_no=number,
        **{"kind": "field", "field": "paid_fen", "pool_value": "¥1.00", "platform_value": "¥2.00", **values},
    )  # fmt: skip


def act(client, path, action, *rows, **more):
    return client.post(path, {"action": action, "_selected_action": [row.pk for row in rows], **more}, follow=True)


def said(response):
    return [(message.level_tag, str(message)) for message in response.context["messages"]]


@pytest.mark.parametrize("path", [BACKFILLS, RECONCILIATIONS, DIFFERENCES])
@pytest.mark.parametrize(("role", "status"), [("supervisor", 200), ("auditor", 200), ("agent", 403), ("risk", 403)])
def test_who_may_look(log_in, path, role, status):
    assert log_in(role).get(path).status_code == status


def test_an_empty_list_says_what_to_do(supervisor):
    assert "page has the button" in supervisor.get(BACKFILLS).content.decode()
    assert "at three in the morning" in supervisor.get(RECONCILIATIONS).content.decode()
    assert "Pool and platforms agree" in supervisor.get(DIFFERENCES).content.decode()


@pytest.mark.parametrize("path", [BACKFILLS, RECONCILIATIONS, DIFFERENCES])
def test_the_number_of_queries_does_not_grow_with_the_rows(supervisor, shop, job, path):
    def queries():
        with CaptureQueriesContext(connection) as found:
            assert supervisor.get(path).status_code == 200
        return len(found)

    def one_more(number):
        Backfill.objects.create(**span(make_shop(f"b{number}", platform="taobao")))
        Reconciliation.objects.create(**span(make_shop(f"r{number}", platform="taobao")))
        difference(job, f"n{number}")

    one_more(1)
    queries()
    one = queries()
    one_more(2)
    one_more(3)
    assert queries() == one


def test_a_comparison_tells_its_figures_and_leads_to_what_differs(supervisor, job):
    row = difference(job, "T1")
    page = supervisor.get(RECONCILIATIONS).content.decode()
    link = f"{DIFFERENCES}?reconciliation__id__exact={job.pk}&amp;view=all"
    assert link in page
    assert "3 differ" in page
    assert "1 of 5 differ" in page
    whole = supervisor.get(f"{RECONCILIATIONS}{job.pk}/change/").content.decode()
    assert "¥101.00" in whole
    assert "¥100.00" in whole
    found = supervisor.get(f"{DIFFERENCES}?reconciliation__id__exact={job.pk}&view=all").content.decode()
    assert row.external_no in found
    assert ("¥2.00" in found, ">Paid<" in found, "paid_fen" in found) == (True, True, False)


def test_what_the_hub_began_by_itself_says_so(supervisor, shop):
    Backfill.objects.create(**span(shop, actor="pull"))
    Reconciliation.objects.create(**span(shop, actor="nightly"))
    assert "the pull, by itself" in supervisor.get(BACKFILLS).content.decode()
    page = supervisor.get(f"{RECONCILIATIONS}{Reconciliation.objects.get().pk}/change/").content.decode()
    assert "every night, by itself" in page


def test_a_difference_leads_to_its_order(supervisor, job):
    order = make_order(job.shop)
    row = difference(job, order.external_no, order_id=order.pk)
    page = supervisor.get(f"{DIFFERENCES}{row.pk}/change/").content.decode()
    assert f"/ops/orderhub/order/{order.pk}/change/" in page


def test_settled_differences_leave_the_first_view(supervisor, job):
    difference(job, "OPEN-1")
    difference(job, "DONE-1", state="mended")
    difference(job, "KEPT-1", state="kept", note="look it up there")
    page = supervisor.get(DIFFERENCES).content.decode()
    assert ("OPEN-1" in page, "KEPT-1" in page, "DONE-1" in page) == (True, True, False)
    assert "look it up there" in page
    assert "DONE-1" in supervisor.get(f"{DIFFERENCES}?view=all").content.decode()


def test_why_an_order_could_not_be_taken_in_is_told_in_the_reader_s_language(supervisor, job):
    row = difference(job, "KEPT-1", state="kept", note="lines[1].quantity: Expected `int` >= 1")
    supervisor.cookies["django_language"] = "zh-hans"
    for path in (DIFFERENCES, f"{DIFFERENCES}{row.pk}/change/"):
        assert "件数（第 2 项明细）：数值不能小于 1。" in supervisor.get(path).content.decode()


def test_mending_is_asked_for_and_done_by_the_job(supervisor, job):
    rows = [difference(job, "T1"), difference(job, "T2"), difference(job, "T3", state="mended")]
    settled = ("warning", "1 difference is settled or being mended already.")
    everything = f"{DIFFERENCES}?view=all"
    assert said(act(supervisor, everything, "mend", *rows)) == [
        ("success", "2 differences are mended within a minute or two."), settled,
    ]  # fmt: skip
    assert said(act(supervisor, everything, "mend", rows[2])) == [settled]
    assert list(Difference.objects.order_by("pk").values_list("state", "closed_by")) == [
        ("asked", "the-supervisor"), ("asked", "the-supervisor"), ("mended", ""),
    ]  # fmt: skip


def test_an_auditor_mends_and_stops_nothing(log_in, job, shop):
    auditor = log_in("auditor")
    row, fill = difference(job, "T1"), Backfill.objects.create(**span(shop))
    act(auditor, DIFFERENCES, "mend", row)
    act(auditor, BACKFILLS, "stop", fill, confirmed="1")
    row.refresh_from_db()
    fill.refresh_from_db()
    assert (row.state, fill.state) == ("open", JobState.WAITING)


def test_back_fills_are_stopped_and_go_on(supervisor, shop):
    waiting = Backfill.objects.create(**span(shop))
    failed = Backfill.objects.create(**span(shop), state=JobState.FAILED, last_error="no session")
    assert "They do not go on" in act(supervisor, BACKFILLS, "stop", waiting, failed).content.decode()
    waiting.refresh_from_db()
    assert waiting.state == JobState.WAITING
    assert "1 was changed." in act(supervisor, BACKFILLS, "stop", waiting, failed, confirmed="1").content.decode()
    again = act(supervisor, BACKFILLS, "stop", waiting, failed, confirmed="1")
    assert said(again) == [("warning", "Nothing was changed.")]
    act(supervisor, BACKFILLS, "try_again", waiting, failed)
    waiting.refresh_from_db()
    failed.refresh_from_db()
    assert (waiting.state, waiting.closed_by) == (JobState.CANCELLED, "the-supervisor")
    assert failed.state == JobState.WAITING


def test_a_comparison_is_stopped_once_that_is_confirmed(supervisor, shop):
    job = Reconciliation.objects.create(**span(shop))
    assert "compared again as a whole" in act(supervisor, RECONCILIATIONS, "stop", job).content.decode()
    assert Reconciliation.objects.get().state == JobState.WAITING
    act(supervisor, RECONCILIATIONS, "stop", job, confirmed="1")
    assert Reconciliation.objects.get().state == JobState.CANCELLED


def test_the_same_range_is_compared_again(supervisor, job):
    page = act(supervisor, RECONCILIATIONS, "compare_again", job).content.decode()
    assert "The comparison begins within a minute." in page
    new = Reconciliation.objects.latest("pk")
    assert (new.pk != job.pk, new.start, new.end, new.state, new.actor) == (
        True, job.start, job.end, JobState.WAITING, "the-supervisor",
    )  # fmt: skip
    assert new.day is None


def test_a_run_and_a_back_fill_show_their_pages(supervisor, shop):
    now = timezone.now()
    run = SyncRun.objects.create(
        shop=shop, window_start=now, window_end=now, started_at=now, finished_at=now, state=RunState.DONE
    )
    fill = Backfill.objects.create(**span(shop))
    for place, owner in enumerate(({"run_id": run.pk}, {"backfill_id": fill.pk}), 1):
        SyncPage.objects.create(
            shop=shop, number=1, delivery_key=f"key-{place}", inbox_id=7700 + place, rows=40 + place, fetch_ms=1234,
            error="cut short" if place == 2 else "", **owner,
        )  # fmt: skip
    page = supervisor.get(f"/ops/channels_sync/syncrun/{run.pk}/change/").content.decode()
    assert all(text in page for text in ("key-1", "#7701", ">41<", "1,234"))
    assert "key-2" not in page
    page = supervisor.get(f"{BACKFILLS}{fill.pk}/change/").content.decode()
    assert all(text in page for text in ("key-2", "#7702", ">42<", "cut short"))


def test_of_very_many_pages_the_first_ones_are_shown(supervisor, shop):
    fill = Backfill.objects.create(**span(shop))
    SyncPage.objects.bulk_create(
        SyncPage(shop=shop, number=number, delivery_key=f"key-{number}.", inbox_id=number, backfill_id=fill.pk)
        for number in range(1, 203)
    )
    page = supervisor.get(f"{BACKFILLS}{fill.pk}/change/").content.decode()
    assert ("key-200." in page, "key-201." in page) == (True, False)
    assert "Only the first 200 pages are shown." in page
