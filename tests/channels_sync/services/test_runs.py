from datetime import timedelta

import pytest
from django.utils import timezone

from channels_sync.models import RunKind, SyncRun
from channels_sync.services import runs
from tests.factories import make_shop

pytestmark = pytest.mark.django_db


def test_a_run_that_never_ended_is_abandoned_by_the_next_of_its_kind():
    shop, now = make_shop(), timezone.now()
    lost, other = (runs.begin(shop, kind, now, now) for kind in (RunKind.PULL, RunKind.REREAD))
    run = runs.begin(shop, RunKind.PULL, now, now)
    run.count({"new": 2, "held": 1})
    runs.end(run, "done")
    states = dict(SyncRun.objects.values_list("pk", "state"))
    assert states == {lost.pk: "abandoned", other.pk: "running", run.pk: "done"}
    run.refresh_from_db()
    assert (run.new, run.held, run.rejected, run.finished_at is not None) == (2, 1, 0, True)


def test_old_runs_are_pruned():
    shop, now = make_shop(), timezone.now()
    for age in (40, 10):
        at = now - timedelta(days=age)
        SyncRun.objects.create(shop=shop, window_start=at, window_end=at, started_at=at)
    assert runs.prune_runs() == 1
    assert SyncRun.objects.count() == 1
