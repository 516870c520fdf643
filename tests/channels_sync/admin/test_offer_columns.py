"""What channel items show, on their list and page."""

from datetime import timedelta

import pytest
from django.utils import timezone

from channels_sync.models import Listing, ListingPart
from orderhub.models import StockLevel
from tests.factories import make_shop

LIST = "/ops/channels_sync/listing/"


@pytest.fixture
def listing(db):
    row = Listing.objects.create(
        shop=make_shop("tb", platform="taobao"), item_id="1", sku_id="11", outer_id="A", state="matched", shown=9,
        shown_at=timezone.now(),
    )  # fmt: skip
    ListingPart.objects.create(listing=row, sku="A")
    StockLevel.objects.create(sku="A", warehouse="WH01", on_hand=7)
    return row


def act(client, listing, action):
    return client.post(f"{LIST}?view=matched", {"action": action, "_selected_action": [listing.pk]}, follow=True)


def test_the_list_says_what_is_shown_and_what_should_be(log_in, listing):
    client = log_in("supervisor")
    text = client.get(f"{LIST}?view=matched").content.decode()
    assert '<span class="num">9</span> <span class="dim num">→ 7</span>' in text
    Listing.objects.update(shown=7)
    text = client.get(f"{LIST}?view=matched").content.decode()
    assert '<span class="num">7</span>' in text
    assert "→" not in text.split("<table")[1].split("</table>")[0]


def test_a_refused_item_has_a_view_a_reason_and_a_way_out(log_in, listing):
    client = log_in("supervisor")
    assert "Every channel took the stock" in client.get(f"{LIST}?view=failing").content.decode()
    Listing.objects.update(stock_error="商品不存在", stock_retry_at=timezone.now() + timedelta(hours=1))
    assert "商品不存在" in client.get(f"{LIST}?view=failing").content.decode()
    page = client.get(f"{LIST}{listing.pk}/change/").content.decode()
    assert "商品不存在" in page
    assert "tried again" in page
    client.cookies["django_language"] = "zh-hans"
    assert "库存回传错误" in client.get(f"{LIST}{listing.pk}/change/").content.decode()
    client.cookies["django_language"] = "en"
    act(client, listing, "try_stock")
    listing.refresh_from_db()
    assert listing.stock_retry_at is None


def test_an_item_with_a_newer_code_says_so(log_in, listing):
    Listing.objects.filter(pk=listing.pk).update(stock_error="商品不存在")
    Listing.objects.create(shop=listing.shop, item_id="1", sku_id="11", outer_id="B")
    client = log_in("supervisor")
    assert "newer code" in client.get(f"{LIST}?view=matched").content.decode()
    assert "商品不存在" not in client.get(f"{LIST}?view=failing").content.decode()


def test_an_item_is_told_again(log_in, listing):
    act(log_in("supervisor"), listing, "tell_stock")
    listing.refresh_from_db()
    assert listing.shown is None


@pytest.mark.parametrize("action", ["try_stock", "tell_stock"])
def test_an_auditor_changes_nothing(log_in, listing, action):
    Listing.objects.update(stock_error="x", stock_retry_at=timezone.now())
    act(log_in("auditor"), listing, action)
    listing.refresh_from_db()
    assert (listing.shown, listing.stock_retry_at is None) == (9, False)
