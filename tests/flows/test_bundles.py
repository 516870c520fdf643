"""A bundle that is cheaper than its parts is no odd price: as it comes, judged again, and once it is mapped."""

import pytest
from django.utils import timezone, translation

from channels_sync.bundles import Part
from channels_sync.services import mapping
from orderhub.models import Order, Sku
from orderhub.rejudging import retriage
from orderhub.remapping import remap
from tests.channels_sync.services.test_listings import ITEM, make_listing
from tests.drafts import deliver, draft, line
from tests.factories import make_shop
from triage.models import SkuBaseline
from triage.selectors.signals import signals_of
from triage.services import load_defaults

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    load_defaults()
    Sku.objects.bulk_create([Sku(code="SERUM", list_price_fen=12_900), Sku(code="MASK", list_price_fen=4_900)])
    shop = make_shop("tb", platform="taobao")
    make_listing(shop, ("SERUM", 1), ("MASK", 12))
    return shop


def found():
    order = Order.objects.get()
    return order.status, order.lane, sorted(order.findings.filter(cleared_at=None).values_list("code", flat=True))


def deliver_set(shop, price=19_900):
    now = timezone.now().isoformat()
    times = {"created_at": now, "paid_at": now, "modified_at": now}
    deliver(shop, draft(lines=[line(**ITEM, unit_price_fen=price, paid_fen=price)], total_fen=price, **times))


def test_a_cheap_bundle_of_many_pieces_is_regular_each_time_it_is_judged(shop):
    deliver_set(shop)
    assert found() == ("ready", "regular", [])
    assert retriage([Order.objects.get().pk], "li") == 1
    assert found() == ("ready", "regular", [])


def test_its_price_is_told_as_not_judged(shop):
    deliver_set(shop)
    order = Order.objects.get()
    with translation.override("en"):
        (price,) = [signal for signal in signals_of([order.pk])[order.pk] if signal.key == "price"]
    assert price.state == "unknown"
    assert price.why == "SET-1: bundles are judged whole; at that time fewer than 30 sales, no campaign price"


def test_a_bundle_off_its_own_price_is_abnormal(shop):
    SkuBaseline.objects.create(
        shop=shop, sku="SET-1", sample=30, mean_fen=19_900, median_fen=19_900, updated_at=timezone.now()
    )
    deliver_set(shop, 1_990)
    assert found() == ("in_triage_hold", "abnormal", ["price_off"])
    assert Order.objects.get().findings.get().values["price.sku"] == "SET-1"


def test_an_item_that_turns_out_to_be_a_bundle_is_judged_as_one(shop):
    listing = make_listing(shop, ("SERUM", 1), item_id="22", sku_id="", outer_id="GIFT")
    item = {"item_id": "22", "sku_id": "", "sku": "GIFT"}
    deliver(shop, draft(lines=[line(**item, unit_price_fen=5_900, paid_fen=5_900)], total_fen=5_900))
    assert found() == ("in_triage_hold", "abnormal", ["price_off"])
    mapping.set_parts(listing_id=listing.pk, parts=[Part("SERUM"), Part("MASK")], actor="ada")
    assert remap([listing.pk], "ada", 200) == (1, 0)
    assert found() == ("ready", "regular", [])
