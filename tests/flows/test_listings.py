"""What a channel sells becomes own SKUs on the way to the warehouse, also when that is said only afterwards."""

import pytest
from django.db.models import Sum
from django.utils import timezone

from channels_sync.bundles import Part
from channels_sync.models import Listing
from channels_sync.services import mapping
from orderhub.models import Effect, Order, OrderLine, StockLevel
from orderhub.pipeline import drain_outbox
from orderhub.pulls import pull_shop
from orderhub.remapping import remap_changed
from orderhub.selectors.books import differences
from orderhub.services import stock
from triage.services import load_defaults

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(taobao_shop):
    load_defaults()
    rows = [{"sku": sku, "warehouse": "WH01", "on_hand": 5000, "title": sku, "list_price_fen": None} for sku in "AB"]
    stock.import_levels(rows=rows, actor="test")
    return taobao_shop


def sold_most():
    """The code of which most orders came, and its listing."""
    codes = list(OrderLine.objects.values_list("sku", flat=True))
    code = max(sorted(set(codes)), key=codes.count)
    return code, Listing.objects.get(outer_id=code)


def test_items_are_noted_matched_and_followed_up_to_the_warehouse(platform, shop):
    platform.live.make(60)
    assert pull_shop(shop.pk)["new"] == 60
    code, listing = sold_most()
    assert (listing.state, listing.item_id != "", listing.sku_id != "") == ("unmatched", True, True)
    assert Listing.objects.count() == OrderLine.objects.values("sku").distinct().count()
    paid = Order.objects.aggregate(lines=Sum("lines__paid_fen"))["lines"]
    pieces = OrderLine.objects.filter(sku=code).aggregate(pieces=Sum("quantity"))["pieces"]
    mapping.set_parts(listing_id=listing.pk, parts=[Part("A", 1), Part("B", 3)], actor="ada")
    assert remap_changed() == Order.objects.filter(lines__sku="A").count() > 0
    assert not OrderLine.objects.filter(sku=code).exists()
    assert OrderLine.objects.filter(sku="B").aggregate(pieces=Sum("quantity"))["pieces"] == 3 * pieces
    assert Order.objects.aggregate(lines=Sum("lines__paid_fen"))["lines"] == paid
    assert StockLevel.objects.get(sku="B").reserved == 3 * StockLevel.objects.get(sku="A").reserved > 0
    assert differences() == []
    again = pull_shop(shop.pk, force=True)
    assert again["new"] == again["changed"] == 0
    Effect.objects.update(due_at=timezone.now())
    drain_outbox(100)
    assert OrderLine.objects.filter(order__status="wms_accepted", sku__in=["A", "B"]).exists()
    mapping.set_parts(listing_id=listing.pk, parts=[Part("A", 2)], actor="ada")
    remap_changed()
    assert OrderLine.objects.filter(order__status="wms_accepted", sku="B").exists()
    assert not OrderLine.objects.filter(order__status__in=["ready", "in_triage_hold"], sku="B").exists()
    assert differences() == []
