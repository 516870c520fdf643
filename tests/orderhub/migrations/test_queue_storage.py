"""How the tables that work passes through are stored, and what reads of them may cost."""

import pytest
from django.db import connection

from tests.plans import plan_of

QUEUES = ["orderhub_effect", "orderhub_inboxitem", "orderhub_parkedorder", "orderhub_warehousereport"]
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("table", QUEUES)
def test_dead_rows_of_a_queue_are_cleared_soon_also_from_its_indexes_and_payloads(table):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.reloptions, t.reloptions FROM pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid"
            " WHERE c.relname = %s",
            [table],
        )
        own, payloads = cursor.fetchone()
    assert sorted(own) == [
        "autovacuum_analyze_scale_factor=0.02", "autovacuum_vacuum_scale_factor=0.01", "vacuum_index_cleanup=on",
    ]  # fmt: skip
    assert payloads == ["autovacuum_vacuum_scale_factor=0.01"]


def test_dead_lines_of_waiting_orders_are_cleared_as_soon():
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname = 'orderhub_parkedline'")
        assert sorted(cursor.fetchone()[0]) == [
            "autovacuum_analyze_scale_factor=0.02", "autovacuum_vacuum_scale_factor=0.01", "vacuum_index_cleanup=on",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "index"), [("orderhub_inboxitem", "inbox_dead"), ("orderhub_warehousereport", "report_dead")]
)
def test_what_was_set_aside_is_counted_without_reading_the_rest(table, index):
    week = "received_at > now() - interval '7 days'"
    plan = plan_of(f"SELECT count(*), min(received_at) FROM {table} WHERE state = 'dead' AND {week}")
    assert index in plan
