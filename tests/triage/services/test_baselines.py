from datetime import timedelta

import pytest
from django.utils import timezone

from orderhub.core.errors import FieldError
from orderhub.models import OrderLine
from tests.factories import make_order, make_shop
from tests.triage.judge import bundle
from triage.models import CampaignPrice, SkuBaseline
from triage.services import refresh_baselines, set_campaign_prices

HOUR = timedelta(hours=1)


def sell(shop, price, count=1, *, ago=HOUR, sku="A", **values):
    """Store orders of one line each, placed some time ago."""
    for _n in range(count):
        now = timezone.now()
        order = make_order(shop, lines=0, created_at=now - ago, received_at=now, **{"lane": "regular", **values})
        OrderLine.objects.create(shop=shop, order=order, line_no="1", sku=sku, quantity=1, unit_price_fen=price)


def sell_bundle(shop, price, *parts, **values):
    """Store an order of one bundle, placed an hour ago."""
    sold, now = bundle(price, *parts, **values), timezone.now()
    order = make_order(shop, lines=0, created_at=now - HOUR, received_at=now, lane="regular", extra=sold["raw"])
    for part in sold["lines"]:
        OrderLine.objects.create(
            shop=shop, order=order, line_no=part.line_no, sku=part.sku, quantity=part.quantity,
            unit_price_fen=part.unit_price_fen,
        )  # fmt: skip
    return order


def baselines():
    return {(row.sku, row.sample, row.mean_fen, row.median_fen) for row in SkuBaseline.objects.all()}


def test_the_mean_is_by_shop_and_sku(shop):
    other = make_shop("other")
    sell(shop, 100, 2)
    sell(shop, 130)
    sell(shop, 500, sku="B")
    sell(other, 90)
    assert refresh_baselines() == 3
    assert baselines() == {("A", 3, 110, 100), ("B", 1, 500, 500), ("A", 1, 90, 90)}


def test_the_anomalies_do_not_move_it(shop):
    sell(shop, 1_000, 8)
    sell(shop, 1)
    sell(shop, 10_000)
    sell(shop, 2_000, 30, lane="abnormal")
    refresh_baselines()
    assert baselines() == {("A", 8, 1_000, 1_000)}


def test_a_bundle_counts_whole_and_its_parts_do_not(shop):
    order = sell_bundle(shop, 100, ("A", 1), ("B", 4), quantity=2)
    OrderLine.objects.create(shop=shop, order=order, line_no="2.1", sku="A", quantity=1, unit_price_fen=90)
    sell_bundle(shop, 120, ("A", 1), ("B", 4))
    sell_bundle(shop, 150, ("A", 2), code="A")
    sell_bundle(shop, 0, ("C", 2), code="FREE")
    sell(shop, 80)
    refresh_baselines()
    assert baselines() == {("SET-1", 2, 110, 100), ("A*2", 1, 150, 150), ("A", 2, 85, 80)}


@pytest.mark.parametrize("status", ["unpaid", "cancelled", "refunded", "refunding"])
def test_what_was_not_sold_does_not_count(shop, status):
    sell(shop, 100, status=status)
    sell(shop, 0)
    sell(shop, 100, sku="")
    assert refresh_baselines() == 0


def test_only_the_last_day_counts(shop):
    sell(shop, 900, 5, ago=26 * HOUR)
    sell(shop, 100)
    refresh_baselines()
    assert baselines() == {("A", 1, 100, 100)}


def test_old_baselines_go(shop):
    sell(shop, 100)
    refresh_baselines()
    OrderLine.objects.all().delete()
    assert refresh_baselines() == 0
    assert not SkuBaseline.objects.exists()


def campaign(shop=None, *, start=-2, end=2, price=50, **values):
    now = timezone.now()
    return CampaignPrice.objects.create(
        shop=shop, sku="A", price_fen=price, starts_at=now + start * HOUR, ends_at=now + end * HOUR, **values
    )


def test_a_running_campaign_begins_the_count_anew(shop):
    running = campaign()
    sell(shop, 100, 5, ago=3 * HOUR)
    sell(shop, 50, 2)
    refresh_baselines()
    row = SkuBaseline.objects.get()
    assert (row.sample, row.mean_fen, row.campaign_id) == (2, 50, running.pk)


def test_an_ended_campaign_begins_the_count_anew(shop):
    campaign(start=-5, end=-2)
    sell(shop, 50, 5, ago=3 * HOUR)
    sell(shop, 100, 2)
    refresh_baselines()
    row = SkuBaseline.objects.get()
    assert (row.sample, row.mean_fen, row.campaign_id) == (2, 100, None)


def row(**changes):
    now = timezone.now()
    return {"sku": "A", "price_fen": 100, "starts_at": now, "ends_at": now + HOUR, **changes}


def test_campaign_prices_are_replaced_by_sku_shop_and_start(shop):
    first = row()
    assert set_campaign_prices(rows=[first, {**first, "shop": "mini"}], actor="li") == 2
    assert set_campaign_prices(rows=[{**first, "price_fen": 90}], actor="wang") == 1
    found = set(CampaignPrice.objects.values_list("shop__code", "price_fen", "set_by"))
    assert found == {(None, 90, "wang"), ("mini", 100, "li")}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"sku": " "}, "rows[1].sku"),
        ({"price_fen": 0}, "rows[1].price_fen"),
        ({"price_fen": 9.5}, "rows[1].price_fen"),
        ({"starts_at": "today"}, "rows[1].starts_at"),
        ({"ends_at": timezone.now() - HOUR}, "rows[1].ends_at"),
        ({"shop": "nowhere"}, "rows[1].shop"),
        ({"max_quantity": 0}, "rows[1].max_quantity"),
    ],
)
def test_a_bad_campaign_price_is_named_and_nothing_is_written(db, changes, path):
    with pytest.raises(FieldError) as caught:
        set_campaign_prices(rows=[row(), row(**changes)], actor="li")
    assert caught.value.path == path
    assert not CampaignPrice.objects.exists()
