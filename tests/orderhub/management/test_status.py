import json
from datetime import UTC, datetime

import pytest
from django.core.management import call_command

from orderhub.models import Effect, InboxItem, Reject, StockLevel
from orderhub.services import jobs
from tests.factories import make_order, make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def hub():
    shop = make_shop("taobao-1", platform="taobao")
    make_order(shop, status="ready", lane="regular")
    make_order(shop, status="ready", lane="regular", is_urgent=True)
    held = make_order(shop, status="in_triage_hold", lane="abnormal")
    make_order(shop, status="unpaid")
    now = datetime.now(UTC)
    Effect.objects.create(shop=shop, order=held, kind="risk_case", key="r", due_at=now, created_at=now)
    Effect.objects.create(shop=shop, order=held, kind="sms", key="s", due_at=now, created_at=now, state="dead")
    InboxItem.objects.create(shop=shop, source="push", delivery_key="a", packed_body=b"", state="done")
    Reject.objects.create(shop=shop, reason="no", packed_row=b"")
    with jobs.beat("pull", 60):
        pass


def run(capsys, *words):
    call_command("status", *words)
    return capsys.readouterr().out


def test_json_has_every_count(hub, capsys):
    status = json.loads(run(capsys, "--json"))
    assert status["orders"] == 4
    assert status["by_status"] == {"ready": 2, "in_triage_hold": 1, "unpaid": 1}
    assert status["by_lane"] == {"regular": 2, "abnormal": 1, "none": 1}
    assert status["urgent"] == 1
    assert status["rejects"] == {"open": 1}
    assert status["inbox"] == {"done": 1}
    assert status["outbox"] == {"risk_case": {"pending": 1}, "sms": {"dead": 1}}
    assert status["shops"] == [
        {"code": "taobao-1", "platform": "taobao", "state": "late", "lag_seconds": None, "error": ""}
    ]
    assert [(job["name"], job["is_ok"]) for job in status["jobs"]] == [("pull", True)]
    assert [difference["what"] for difference in status["differences"]] == ["warehouse push of a ready order"] * 2


def test_the_screen_shows_the_same(hub, capsys):
    text = run(capsys)
    for line in (
        "Orders   4   urgent 1",
        "  status  ready 2 · in_triage_hold 1 · unpaid 1",
        "  lane    regular 2 · abnormal 1 · none 1",
        "Rejects  open 1",
        "  risk_case            pending 1  (this version only keeps them)",
        "  sms                  dead 1  (this version only keeps them)",
        "  taobao-1             late     lag —",
    ):
        assert line in text.splitlines()


def test_an_empty_hub_has_a_status(capsys):
    text = run(capsys)
    assert "Orders   0   urgent 0" in text
    assert text.splitlines()[-1] == "Books    agree"
    assert json.loads(run(capsys, "--json"))["jobs"] == []


def test_books_that_disagree_are_shown(hub, capsys):
    StockLevel.objects.create(sku="A", warehouse="HZ", on_hand=9, reserved=3)
    assert "  reserved stock: A @ HZ: booked 3, found 0" in run(capsys).splitlines()


def test_the_number_of_queries_does_not_grow(hub, django_assert_num_queries, capsys):
    make_shop("taobao-2", platform="taobao")
    with django_assert_num_queries(8):
        run(capsys, "--json")
