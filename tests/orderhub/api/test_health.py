from datetime import timedelta
from ipaddress import ip_network

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from orderhub.models import Effect, JobHeartbeat, Warehouse, WarehouseReport
from orderhub.selectors import health
from orderhub.services.access import METRICS_READ, ORDERS_READ
from orderhub.services.jobs import beat
from tests.factories import START, make_order

pytestmark = pytest.mark.django_db


def get(path, **extra):
    return Client().get(path, **extra)


def age(name, seconds):
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orderhub_jobheartbeat SET beat_at = now() - make_interval(secs => %s) WHERE name = %s",
            [seconds, name],
        )


def test_healthz_asks_no_database(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert get("/healthz").content == b"ok"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
@pytest.mark.parametrize("host", ["127.0.0.1:8000", "10.0.0.7:8000", "web"])
def test_probes_are_answered_whatever_they_call_the_machine(settings, path, host):
    settings.ALLOWED_HOSTS = ["hub.example.com"]
    with beat("drain_outbox", 60):
        pass
    assert get(path, HTTP_HOST=host).status_code == 200
    assert get("/desk/login/", HTTP_HOST=host).status_code == 400


def test_production_answers_a_probe_without_https(settings):
    settings.SECURE_SSL_REDIRECT = True
    assert get("/healthz").status_code == 200
    assert get("/desk/login/").status_code == 301


def test_ready_when_every_part_works():
    with beat("drain_outbox", 60):
        pass
    response = get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "ready", "parts": {"database": "ok", "migrations": "ok", "workers": "ok"}}


def test_not_ready_before_any_job_has_reported():
    response = get("/readyz")
    assert (response.status_code, response.json()["parts"]["workers"]) == (503, "no job has reported yet")


def test_not_ready_when_a_job_is_silent_and_only_trusted_callers_learn_which(issue):
    with beat("drain_outbox", 60):
        pass
    age("drain_outbox", 179)
    assert get("/readyz").status_code == 200
    age("drain_outbox", 181)
    response = get("/readyz")
    assert (response.status_code, response.json()["parts"]["workers"]) == (503, "drain_outbox")
    assert get("/readyz", REMOTE_ADDR="203.0.113.9").json()["parts"]["workers"] == "failed"
    trusted = {"Authorization": f"Token {issue(METRICS_READ).secret}"}
    assert get("/readyz", REMOTE_ADDR="203.0.113.9", headers=trusted).json()["parts"]["workers"] == "drain_outbox"


def test_not_ready_with_a_migration_missing():
    health._migrated.clear()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
    response = get("/readyz")
    health._migrated.clear()
    assert (response.status_code, response.json()["parts"]["migrations"]) == (503, "sessions.0001_initial")


def samples(response):
    assert response.status_code == 200
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }


def test_metrics_tell_orders_queues_and_jobs():
    order = make_order(lane="to_confirm", worst_lane="abnormal", is_urgent=True)
    make_order(lane="regular")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orderhub_order SET received_at = now()")
    Effect.objects.create(shop=order.shop, order=order, kind="memo", key="k1", due_at=START, created_at=START)
    house = Warehouse.objects.create(code="WH01", name="W")
    for key, state in (("a", "dead"), ("b", "new"), ("c", "done")):
        WarehouseReport.objects.create(warehouse=house, delivery_key=key, method="m", packed_body=b"", state=state)
    JobHeartbeat.objects.create(name="drain_outbox", beat_at=START, took_ms=250, is_ok=False)
    told = samples(get("/metrics"))
    orders = {labels[0][1] + ">" + labels[-1][1]: n for (name, *labels), n in told.items() if name == "hub_orders_24h"}
    assert orders == {"to_confirm>abnormal": 1, "regular>regular": 1}
    assert told["hub_queue_items", ("queue", "outbox"), ("state", "pending")] == 1
    assert told["hub_queue_items", ("queue", "outbox"), ("state", "dead")] == 0
    assert told["hub_queue_items", ("queue", "reports"), ("state", "dead")] == 1
    assert told["hub_queue_items", ("queue", "reports"), ("state", "new")] == 1
    assert told["hub_queue_oldest_seconds", ("queue", "outbox"), ("state", "pending")] > 0
    assert told["hub_job_ok", ("job", "drain_outbox")] == 0
    assert told["hub_job_took_seconds", ("job", "drain_outbox")] == 0.25


def test_the_age_of_an_effect_counts_from_when_it_was_due_or_died():
    """The row that tells a shop's channel its stock is used again for ever."""
    now, order = timezone.now(), make_order()
    for state, due, died in (("pending", 10, None), ("sending", 20, None), ("dead", 500, now - timedelta(seconds=40))):
        due_at = now - timedelta(seconds=due)
        Effect.objects.create(
            shop=order.shop, kind="stock", key=state, state=state, due_at=due_at, finished_at=died, created_at=START
        )
    told = samples(get("/metrics"))
    states = ("pending", "sending", "dead")
    ages = [told["hub_queue_oldest_seconds", ("queue", "outbox"), ("state", state)] for state in states]
    assert ages == pytest.approx([10, 20, 40], abs=5)


def test_effects_that_nothing_carries_out_or_that_are_not_due_yet_are_no_queue():
    """An SMS that this version only writes down would hide an outage behind an age that grows for ever."""
    now, order = timezone.now(), make_order()
    for kind, due in (("sms", 900), ("popup", 800), ("warehouse_heads_up", 700), ("wms_push", -600), ("memo", 30)):
        due_at = now - timedelta(seconds=due)
        Effect.objects.create(shop=order.shop, order=order, kind=kind, key=kind, due_at=due_at, created_at=START)
    told = samples(get("/metrics"))
    assert told["hub_queue_items", ("queue", "outbox"), ("state", "pending")] == 1
    age = told["hub_queue_oldest_seconds", ("queue", "outbox"), ("state", "pending")]
    assert age == pytest.approx(30, abs=5)


@pytest.mark.parametrize("rows", [1, 3])
def test_metrics_queries_are_constant(rows, django_assert_max_num_queries):
    for _ in range(rows):
        make_order()
    with django_assert_max_num_queries(12):
        get("/metrics")


def test_metrics_are_for_this_machine_and_tokens_only(issue):
    far = {"REMOTE_ADDR": "203.0.113.9"}
    assert get("/metrics", **far).status_code == 403
    assert get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 403
    wrong, right = issue(ORDERS_READ).secret, issue(METRICS_READ).secret
    assert get("/metrics", headers={"Authorization": f"Token {wrong}"}, **far).status_code == 403
    assert get("/metrics", headers={"Authorization": f"Token {right}"}, **far).status_code == 200
    assert Client().post("/metrics").status_code == 405


def test_behind_a_proxy_on_this_machine_nobody_is_trusted_without_a_token(issue, settings):
    settings.HUB_PROXIES = [ip_network("127.0.0.1")]
    assert get("/metrics").status_code == 403
    response = get("/readyz")
    assert (response.status_code, response.json()["parts"]["workers"]) == (503, "failed")
    token = {"Authorization": f"Token {issue(METRICS_READ).secret}"}
    assert get("/metrics", headers=token).status_code == 200
    assert get("/readyz", headers=token).json()["parts"]["workers"] == "no job has reported yet"
