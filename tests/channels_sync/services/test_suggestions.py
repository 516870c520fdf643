import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from channels_sync.models import Listing
from channels_sync.services import mapping, remap
from channels_sync.services.suggestions import accept, suggest, text_of
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
    return make_shop("tb", platform="taobao")


@pytest.fixture(autouse=True)
def skus():
    titles = {"SERUM-30": "玻尿酸精华液 30ml", "SERUM-50": "玻尿酸精华液 50ml", "MASK-10": "补水面膜 10片装"}
    Sku.objects.bulk_create(Sku(code=code, title=title, list_price_fen=5000) for code, title in titles.items())


def suggested(listing):
    suggest()
    return [(text_of(row), row["score"], row["reason"]) for row in Listing.objects.get(pk=listing.pk).suggestions]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("serum_30", ("SERUM-30", 95, "like_code")), ("TB-SERUM-30-26", ("SERUM-30", 80, "code_within")),
        ("SERUM-30*2+mask_10", ("SERUM-30*2+MASK-10", 97, "formula")),
    ],
)  # fmt: skip
def test_codes_go_before_titles(shop, code, found):
    assert suggested(make_listing(shop, outer_id=code, title="补水面膜"))[0] == found


def test_titles_and_variants_are_compared(shop):
    first, second, *_rest = suggested(make_listing(shop, outer_id="", title="【包邮】玻尿酸精华液", spec="容量:50ml"))
    assert (first[0], first[2], second[0]) == ("SERUM-50", "title", "SERUM-30")
    assert 79 >= first[1] > second[1] >= 35


def test_what_the_same_code_is_elsewhere_comes_first(shop):
    make_listing(make_shop("jd"), ("MASK-10", 3), outer_id="SERUM.30")
    assert suggested(make_listing(shop, outer_id="SERUM.30"))[:2] == [
        ("MASK-10*3", 98, "same_code"), ("SERUM-30", 95, "like_code"),
    ]  # fmt: skip


def test_one_code_told_in_two_ways_elsewhere_is_no_suggestion(shop):
    make_listing(make_shop("jd"), ("MASK-10", 3), outer_id="X9")
    make_listing(make_shop("dy"), ("MASK-10", 1), outer_id="X9")
    assert suggested(make_listing(shop, outer_id="X9")) == []


def test_the_same_title_and_variant_elsewhere(shop):
    make_listing(make_shop("jd"), ("MASK-10", 2), outer_id="A", title="双十一礼盒", spec="红")
    assert suggested(make_listing(shop, outer_id="B", title="双十一礼盒", spec="红"))[0] == (
        "MASK-10*2",
        85,
        "same_title",
    )
    assert suggested(make_listing(shop, outer_id="C", title="双十一礼盒", spec="蓝")) == []


def test_nothing_alike_gives_nothing(shop):
    listing = make_listing(shop, outer_id="ZZZ", title="运费补差")
    assert suggested(listing) == []
    assert Listing.objects.get(pk=listing.pk).suggested_at is not None
    assert suggest() == 0


@pytest.mark.parametrize("count", [1, 30])
def test_suggestions_are_worked_out_set_wise(shop, count):
    for number in range(count):
        make_listing(shop, item_id=str(number), outer_id=f"SERUM_{number}", title="面膜")
    with CaptureQueriesContext(connection) as queries:
        assert suggest() == count
    assert len(queries) == 4


def test_a_suggestion_is_accepted_with_the_values_of_its_parts(shop):
    listing = make_listing(shop, outer_id="SERUM-30*2+MASK-10")
    suggest()
    assert accept(listing_ids=[listing.pk], actor="ada") == {}
    listing.refresh_from_db()
    assert (listing.state, listing.suggestions, listing.remap_until is not None) == ("matched", [], True)
    assert [(p.sku, p.quantity, p.value_fen) for p in listing.parts.all()] == [
        ("SERUM-30", 2, 5000), ("MASK-10", 1, 5000),
    ]  # fmt: skip


def test_only_the_suggestion_that_was_seen_is_accepted(shop):
    listing = make_listing(shop, outer_id="serum_30")
    suggest()
    assert accept(listing_ids=[listing.pk], actor="ada", expected="MASK-10") == {
        listing.pk: "The suggestions have changed; look again."
    }
    assert Listing.objects.get(pk=listing.pk).state == "unmatched"


def test_many_are_accepted_at_once_and_each_problem_is_told(shop):
    good = make_listing(shop, item_id="1", outer_id="serum_30")
    none = make_listing(shop, item_id="2", outer_id="zzz")
    done = make_listing(shop, ("SERUM-50", 1), item_id="3", outer_id="other")
    gone = make_listing(shop, item_id="4", outer_id="mask_10")
    suggest()
    Sku.objects.filter(code="MASK-10").delete()
    problems = accept(listing_ids=[good.pk, none.pk, done.pk, gone.pk, 10**9], actor="ada")
    assert problems == {
        none.pk: "There is no suggestion.", done.pk: "It is matched or ignored by now.",
        gone.pk: "The suggested SKU is gone.", 10**9: "The channel item is gone.",
    }  # fmt: skip
    assert [p.sku for p in Listing.objects.get(pk=good.pk).parts.all()] == ["SERUM-30"]
    assert [p.sku for p in Listing.objects.get(pk=done.pk).parts.all()] == ["SERUM-50"]


def test_a_code_that_becomes_an_own_sku_is_matched(shop):
    listing = make_listing(shop, outer_id="NEW-1")
    by_id = make_listing(shop, item_id="5", sku_id="77", outer_id="")
    set_aside = make_listing(shop, item_id="6", outer_id="NEW-1", state="ignored")
    Sku.objects.bulk_create([Sku(code="NEW-1"), Sku(code="77")])
    assert (mapping.match_known(), mapping.match_known()) == (2, 0)
    assert [p.sku for p in Listing.objects.get(pk=listing.pk).parts.all()] == ["NEW-1"]
    assert [p.sku for p in Listing.objects.get(pk=by_id.pk).parts.all()] == ["77"]
    assert Listing.objects.get(pk=set_aside.pk).state == "ignored"
    assert Listing.objects.get(pk=listing.pk).mapped_at is None
    assert remap.due()[0] == [listing.pk, by_id.pk]
