"""An article that nobody knows does not go to the warehouse under the channel's code; saying what it is lets it go."""

import pytest

from channels_sync.bundles import Part
from channels_sync.models import Listing
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.services import mapping
from orderhub.management import demo
from orderhub.models import Effect, Order, OrderLine, Sku
from orderhub.pulls import pull_shop
from orderhub.rejudging import release_order, retriage
from orderhub.remapping import remap, remap_changed
from tests.channels_sync.services.test_listings import ITEM
from tests.drafts import deliver, draft, later, line
from tests.factories import make_shop
from triage.models import Finding
from triage.selectors.findings import findings_of, marks_of
from triage.services import load_defaults

pytestmark = pytest.mark.django_db

HELD = ("in_triage_hold", "to_confirm", ["sku_unmatched"])
FREE = ("ready", "regular", [])


@pytest.fixture(autouse=True)
def rules():
    load_defaults()


@pytest.fixture
def shop():
    Sku.objects.create(code="SERUM-30")
    return make_shop("tb", platform="taobao")


def found(number="T1"):
    order = Order.objects.get(external_no=number)
    open_ones = order.findings.filter(cleared_at=None, accepted_at=None)
    return order.status, order.lane, sorted(open_ones.values_list("code", flat=True))


def pushes():
    return Effect.objects.filter(kind="wms_push").count()


def test_an_unmatched_item_holds_its_order_and_the_reason_names_it(shop):
    deliver(shop, draft(lines=[line(**ITEM), line(line_no="2")]))
    order = Order.objects.get()
    assert (found(), pushes()) == (HELD, 0)
    (reason,) = findings_of([order.pk])[order.pk]
    assert (reason.code, reason.reason) == ("sku_unmatched", "没有对应的自有 SKU：SET-1")
    assert retriage([order.pk], "li") == 1
    assert found() == HELD


@pytest.mark.parametrize(("sku", "quantity"), [("SERUM-30", 1), ("SERUM-30", 3)])
def test_matching_the_item_lets_it_go(shop, sku, quantity):
    deliver(shop, draft(lines=[line(**ITEM)]))
    listing = Listing.objects.get()
    mapping.set_parts(listing_id=listing.pk, parts=[Part(sku, quantity)], actor="ada")
    assert remap([listing.pk], "ada", 200) == (1, 0)
    assert (found(), pushes()) == (FREE, 1)


def test_an_item_that_needs_no_sku_lets_it_go_too_and_back(shop):
    deliver(shop, draft(lines=[line(**ITEM)]))
    listing = Listing.objects.get()
    mapping.ignore(listing_ids=[listing.pk], actor="ada")
    assert remap([listing.pk], "ada", 200) == (1, 0)
    assert found() == FREE
    mapping.reopen(listing_ids=[listing.pk], actor="ada")
    assert remap([listing.pk], "ada", 200) == (1, 0)
    assert found() == HELD


def test_a_code_that_becomes_an_own_sku_lets_it_go_by_itself(shop):
    deliver(shop, draft(lines=[line(**ITEM)]))
    Sku.objects.create(code="SET-1")
    assert (mapping.match_known(), remap_changed()) == (1, 1)
    assert (found(), OrderLine.objects.get().sku, Listing.objects.get().mapped_at) == (FREE, "SET-1", None)


def test_before_it_is_matched_by_itself_a_known_code_holds_nothing(shop):
    deliver(shop, draft(lines=[line(**ITEM)]))
    Sku.objects.create(code="SET-1")
    deliver(shop, draft("T2", lines=[line(**ITEM)]))
    assert found("T2") == FREE


def test_a_person_may_let_it_go_as_it_is(shop):
    deliver(shop, draft(lines=[line(**ITEM)]))
    order = Order.objects.get()
    release_order(order.pk, "ada", "the warehouse knows it", True, marks_of([order.pk])[order.pk])
    assert found() == FREE


def test_a_shop_that_tells_own_skus_is_not_held():
    Sku.objects.create(code="SERUM-30")
    deliver(make_shop("mini", platform="own"), draft())
    assert (found(), Listing.objects.count()) == (FREE, 0)


def test_a_code_of_an_own_shop_that_nobody_knows_is_held_and_can_be_matched(shop):
    mini = make_shop("mini", platform="own")
    deliver(mini, draft(lines=[line(sku="TYPO", title="精华液")]))
    assert found() == HELD
    listing = Listing.objects.get()
    assert (listing.item_id, listing.sku_id, listing.outer_id, listing.title) == ("", "", "TYPO", "精华液")
    mapping.set_parts(listing_id=listing.pk, parts=[Part("SERUM-30")], actor="ada")
    assert remap([listing.pk], "ada", 200) == (1, 0)
    assert (found(), OrderLine.objects.get().sku) == (FREE, "SERUM-30")


def test_a_hub_that_knows_no_sku_holds_nothing():
    taobao, mini = make_shop("tb", platform="taobao"), make_shop("mini", platform="own")
    deliver(taobao, draft("T1", lines=[line(**ITEM)]))
    deliver(mini, draft("T2"))
    assert (found("T1"), found("T2")) == (FREE, FREE)
    assert list(Listing.objects.values_list("shop__code", "state")) == [("tb", "unmatched")]


def test_the_same_again_is_unchanged_and_news_is_judged_by_what_is_known_then(shop):
    row = draft(lines=[line(**ITEM)])
    deliver(shop, row)
    assert deliver(shop, row).counts()["unchanged"] == 1
    mapping.ignore(listing_ids=[Listing.objects.get().pk], actor="ada")
    deliver(shop, {**row, "modified_at": later(5), "seller_remark": "x"})
    assert found() == FREE


@pytest.mark.django_db(transaction=True)
def test_in_the_demo_every_article_is_known(platform, taobao_shop):
    demo.load_stock(SANDBOX)
    platform.live.make(60)
    assert pull_shop(taobao_shop.pk)["new"] == 60
    assert set(Listing.objects.values_list("state", flat=True)) == {"matched"}
    assert not Finding.objects.filter(code="sku_unmatched").exists()
