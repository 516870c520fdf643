import re

import pytest
from django.db import connection, transaction
from django.utils import timezone

from orderhub.core.draft import read_draft
from orderhub.core.results import Outcome
from orderhub.models import Buyer
from orderhub.services.batch import BUYER_IDS, KNOWN, DraftRow, meet_buyers, sort_out
from orderhub.services.bulk import listed
from tests.drafts import deliver, draft, later
from tests.factories import make_buyer, make_order, make_shop


def rows(*buyers):
    drafts = [read_draft(draft(f"T{i}", buyer={"id": key, "nickname": f"n-{key}"})) for i, key in enumerate(buyers)]
    return [DraftRow(i, made) for i, made in enumerate(drafts)]


def waits_for_disk():
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        return cursor.fetchone()[0]


def test_each_buyer_has_one_row(db):
    shop = make_shop()
    first = meet_buyers(shop, rows("b", "a", "b"))
    again = meet_buyers(shop, rows("c", "a"))
    assert sorted(first) == ["a", "b"]
    assert again["a"] == first["a"]
    assert list(Buyer.objects.order_by("external_id").values_list("external_id", "nickname")) == [
        ("a", "n-a"), ("b", "n-b"), ("c", "n-c"),
    ]  # fmt: skip


def test_orders_without_a_buyer_ask_nothing(db, django_assert_num_queries):
    shop = make_shop()
    with django_assert_num_queries(0):
        assert meet_buyers(shop, rows("")) == {}


@pytest.mark.django_db(transaction=True)
def test_a_new_buyer_is_there_for_all_at_once():
    shop, before = make_shop(), waits_for_disk()
    meet_buyers(shop, rows("a"))
    with transaction.atomic():
        transaction.set_rollback(True)
    assert (Buyer.objects.count(), waits_for_disk()) == (1, before)


@pytest.mark.django_db(transaction=True)
def test_within_a_transaction_buyers_are_part_of_it():
    shop, before = make_shop(), waits_for_disk()
    with transaction.atomic():
        meet_buyers(shop, rows("a"))
        assert waits_for_disk() == before
        transaction.set_rollback(True)
    assert Buyer.objects.count() == 0


@pytest.mark.usefixtures("rules")
def test_judging_again_never_brings_an_older_version_back(db):
    shop = make_shop()
    deliver(shop, draft("T0"))
    seen = [DraftRow(0, read_draft(draft("T0")))]
    deliver(shop, draft("T0", buyer_remark="请尽快", modified_at=later(5)))
    with transaction.atomic(), connection.cursor() as cursor:
        batch = sort_out(
            cursor, shop=shop, rows=seen, source="hub", actor="hub", now=timezone.now(), inbox_id=None, again=True
        )
    assert [(row.external_no, row.outcome) for row in batch.results] == [("T0", Outcome.STALE)]
    assert batch.all == []


@pytest.mark.parametrize("query", [KNOWN, BUYER_IDS])
def test_a_shop_that_statistics_do_not_know_is_looked_up_by_key(query, db):
    """A new channel fills long before its table is analysed: 10 % of a big pool must change first."""
    shop = make_shop()
    for number in range(60):
        make_order(shop, external_no=f"A{number}", buyer=make_buyer(shop, f"u{number}"))
    newcomer = make_shop(code="newcomer")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        # As good as the right one for a shop of which the statistics say that it has nothing.
        cursor.execute("CREATE INDEX rival ON orderhub_order (shop_id)")
        cursor.execute("CREATE INDEX rival_of_buyers ON orderhub_buyer (shop_id)")
        cursor.execute("ANALYZE orderhub_order, orderhub_buyer")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {query}", [listed(["A1", "A2"]), newcomer.pk])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert re.search(r"Index Cond: .*\(external_(no|id)\)::text = wanted.key", plan), plan
