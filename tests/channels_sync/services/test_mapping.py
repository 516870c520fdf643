import pytest
from django.utils import translation

from channels_sync.bundles import Part
from channels_sync.models import Listing
from channels_sync.services import mapping
from orderhub.core.errors import FieldError, HubError
from orderhub.models import Sku
from tests.channels_sync.services.test_listings import make_listing
from tests.factories import make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english():
    """The words of the sources."""
    with translation.override("en"):
        yield


@pytest.fixture
def shop():
    Sku.objects.bulk_create([Sku(code="A", list_price_fen=900), Sku(code="B"), Sku(code="SET-1")])
    return make_shop("tb", platform="taobao")


def parts_of(listing):
    return [(part.sku, part.quantity, part.value_fen) for part in Listing.objects.get(pk=listing.pk).parts.all()]


def test_parts_are_told_once(shop):
    listing = make_listing(shop)
    parts = [Part("A", 2), Part("B", 1, 300)]
    assert mapping.set_parts(listing_id=listing.pk, parts=parts, actor="ada") is True
    assert parts_of(listing) == [("A", 2, 900), ("B", 1, 300)]
    changed = Listing.objects.get(pk=listing.pk)
    assert (changed.state, changed.mapped_at is not None) == ("matched", True)
    assert mapping.set_parts(listing_id=listing.pk, parts=parts, actor="ada") is False
    assert Listing.objects.get(pk=listing.pk).mapped_at == changed.mapped_at


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([], "at least one SKU"), ([Part("A"), Part("A", 2)], "A appears twice"),
        ([Part("A", 0)], "A: 1 to 1000 pieces"),
        ([Part("A", 1001)], "A: 1 to 1000 pieces"), ([Part("NOPE"), Part("A")], "there is no SKU NOPE"),
        ([Part(f"S{n}") for n in range(51)], "at most 50 SKUs"),
    ],
)  # fmt: skip
def test_impossible_parts_are_refused_and_nothing_changes(shop, parts, reason):
    listing = make_listing(shop, ("A", 1))
    with pytest.raises(FieldError, match=reason) as caught:
        mapping.set_parts(listing_id=listing.pk, parts=parts, actor="ada")
    assert caught.value.path == "parts"
    assert parts_of(listing) == [("A", 1, None)]


def test_an_item_that_is_gone_is_told(shop):
    with pytest.raises(HubError, match="gone"):
        mapping.set_parts(listing_id=10**9, parts=[Part("A")], actor="ada")


def test_items_with_a_code_follow_it_unless_somebody_said_otherwise(shop):
    code = make_listing(shop, item_id="", sku_id="")
    unmatched, plain, own = (
        make_listing(shop, item_id="1"), make_listing(shop, ("SET-1", 1), item_id="2"),
        make_listing(shop, ("B", 7), item_id="3"),
    )  # fmt: skip
    ignored = make_listing(shop, item_id="4", state="ignored")
    elsewhere = make_listing(make_shop("jd"), item_id="5")
    mapping.set_parts(listing_id=code.pk, parts=[Part("A", 2)], actor="ada")
    assert [parts_of(item) for item in (unmatched, plain, own)] == [[("A", 2, 900)], [("A", 2, 900)], [("B", 7, None)]]
    assert (parts_of(ignored), parts_of(elsewhere)) == ([], [])
    mapping.set_parts(listing_id=code.pk, parts=[Part("B", 1)], actor="ada")
    assert [parts_of(item) for item in (unmatched, plain, own)] == [
        [("B", 1, None)],
        [("B", 1, None)],
        [("B", 7, None)],
    ]


def test_an_item_that_was_put_aside_is_told_its_stock_anew(shop):
    """Somebody may have changed it on the platform, as the console says."""
    listing = make_listing(shop, ("A", 1), shown=5)
    mapping.set_parts(listing_id=listing.pk, parts=[Part("B", 1)], actor="ada")
    assert Listing.objects.get().shown == 5
    mapping.ignore(listing_ids=[listing.pk], actor="ada")
    assert Listing.objects.get().shown == 5
    mapping.set_parts(listing_id=listing.pk, parts=[Part("A", 1)], actor="ada")
    assert Listing.objects.get().shown is None


def test_ignored_and_reopened_items_have_no_parts(shop):
    first, second = make_listing(shop, ("A", 1), item_id="1"), make_listing(shop, item_id="2", state="ignored")
    assert mapping.ignore(listing_ids=[first.pk, second.pk], actor="ada") == 1
    assert (Listing.objects.get(pk=first.pk).state, parts_of(first)) == ("ignored", [])
    assert mapping.reopen(listing_ids=[first.pk, second.pk], actor="ada") == 2
    assert set(Listing.objects.values_list("state", flat=True)) == {"unmatched"}
    assert mapping.match_known() == 0
