"""The stock of a shop that the hub tells nothing any more is neither compared nor mended."""

from datetime import timedelta

import pytest
from django.utils import timezone, translation

from channels_sync.models import Difference, JobState, Listing, ListingState, Reconciliation
from channels_sync.services import mend, reconcile
from tests.channels_sync.world import hub_and_platforms

pytestmark = pytest.mark.usefixtures("rules")


@pytest.fixture
def shop(settings, db):
    """A shop that shows something else than it was told, and is told nothing any more."""
    with hub_and_platforms(settings, "jd") as world, translation.override("en"):
        shop = world.shops["jd"]
        shop.settings |= {"stock_writes": 0}
        shop.save()
        Listing.objects.create(shop=shop, item_id="1", sku_id="404", outer_id="NO", state=ListingState.MATCHED, shown=3)
        yield shop


def compare(shop):
    now = timezone.now()
    job = reconcile.start(shop_id=shop.pk, start=now - timedelta(hours=1), end=now, actor="meimei")
    reconcile.run_to_the_end(job)
    assert (job.state, job.last_error) == (JobState.DONE, "")
    return job


def earlier(shop):
    at = timezone.now() - timedelta(days=1)
    job = Reconciliation.objects.create(
        shop=shop, start=at, end=at, position=at, actor="nightly", state=JobState.DONE, stock_state="compared"
    )
    return Difference.objects.create(reconciliation=job, shop=shop, kind="stock", external_no="1:404:NO", field="stock")


def test_nothing_is_compared_and_older_differences_are_closed(shop):
    old = earlier(shop)
    job = compare(shop)
    assert (job.stock_state, job.stock_differing, job.differences.count()) == ("nothing", 0, 0)
    old.refresh_from_db()
    assert (old.state, old.closed_by) == ("gone", "meimei")


def test_a_difference_is_kept_with_the_reason_instead_of_telling_again(shop):
    old = earlier(shop)
    done = mend.mend([old], actor="meimei")
    assert (done.mended, done.kept) == (0, 1)
    old.refresh_from_db()
    assert (old.state, old.note) == ("kept", "The hub does not tell this shop its stock.")
    assert Listing.objects.get(shop=shop, outer_id="NO").shown == 3
