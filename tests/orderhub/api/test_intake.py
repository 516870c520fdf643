import threading

import orjson
import pytest
from django.db import OperationalError, connection

from orderhub.core import hooks
from orderhub.core.errors import HubError, TemporaryError
from orderhub.models import IdempotentRequest, InboxItem, Order, ParkedOrder, Reject
from orderhub.services.access import INTAKE_WRITE, ORDERS_READ
from orderhub.services.gate import set_gate
from tests.factories import make_shop
from tests.orderhub.api.conftest import draft, error_of


def test_orders_are_taken_in_and_told_row_by_row(api, shop):
    response = api.post("intake/", {"shop": "mini", "orders": [draft("T1"), draft("T2", total_fen=-1), draft("T3")]})
    assert response.status_code == 200, response.content
    answer = response.json()
    assert answer["state"] == "done"
    assert answer["counts"] == {"new": 2, "changed": 0, "unchanged": 0, "stale": 0, "held": 0, "rejected": 1}
    assert [(row["row"], row["external_no"], row["outcome"]) for row in answer["rows"]] == [
        (0, "T1", "new"), (1, "T2", "rejected"), (2, "T3", "new"),
    ]  # fmt: skip
    assert answer["rows"][1]["field"] == "total_fen"
    assert set(Order.objects.values_list("external_no", flat=True)) == {"T1", "T3"}
    assert Reject.objects.get().external_no == "T2"
    assert orjson.loads(InboxItem.objects.get(pk=answer["inbox_id"]).body)["orders"][0]["external_no"] == "T1"


def test_the_same_orders_again_are_unchanged(api, shop):
    body = {"shop": "mini", "orders": [draft("T1")]}
    api.post("intake/", body)
    assert api.post("intake/", body).json()["counts"]["unchanged"] == 1
    assert Order.objects.count() == 1


def test_unknown_fields_stay_in_the_sealed_delivery_only(api, shop):
    order = draft("T1", id_card="330106199001011234", raw={"phone2": "13700001111"})
    answer = api.post("intake/", {"shop": "mini", "orders": [order]}).json()
    assert (answer["counts"]["new"], Order.objects.get().extra) == (1, None)
    item = InboxItem.objects.get()
    assert orjson.loads(item.body)["orders"][0]["id_card"] == "330106199001011234"
    assert b"330106199001011234" not in bytes(item.packed_body)


def test_before_a_gate_that_is_not_open_rows_are_told_as_held_and_bad_ones_as_rejected(api, shop):
    set_gate(shop_id=shop.pk, state="paused", reason="stock count", actor="boss")
    body = {"shop": "mini", "orders": [draft("T1"), draft("T2", total_fen=-1)]}
    response = api.post("intake/", body, headers={"Idempotency-Key": "k"})
    answer = response.json()
    assert (response.status_code, answer["state"], answer["counts"]["held"]) == (200, "done", 1)
    assert [row["outcome"] for row in answer["rows"]] == ["held", "rejected"]
    assert Order.objects.count() == 0
    again = api.post("intake/", body, headers={"Idempotency-Key": "k"})
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (answer, "true")
    assert api.post("intake/", body).json()["rows"][0]["outcome"] == "held"
    assert ParkedOrder.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ([], [""]),
        ({}, ["shop", "orders"]),
        ({"shop": "mini", "orders": []}, ["orders"]),
        ({"shop": 7, "orders": [{}]}, ["shop"]),
        ({"shop": "mini", "orders": "T1"}, ["orders"]),
    ],
)
def test_a_body_of_another_shape_names_its_fields(api, shop, body, paths):
    error = error_of(api.post("intake/", body), 400, "invalid")
    assert [field["path"] for field in error["fields"]] == paths
    assert InboxItem.objects.count() == 0


def test_more_than_a_thousand_orders_are_refused_whole(api, shop):
    error = error_of(api.post("intake/", {"shop": "mini", "orders": [{}] * 1001}), 413, "too_large")
    assert error["fields"][0]["path"] == "orders"
    assert InboxItem.objects.count() == 0


def test_a_body_beyond_the_limit_is_refused(api, shop, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    error_of(api.post("intake/", {"shop": "mini", "orders": [draft(buyer_remark="x" * 2000)]}), 413, "too_large")
    assert InboxItem.objects.count() == 0


def test_malformed_json_is_told_with_its_place(api, shop):
    error = error_of(api.post("intake/", b'{"shop": "mini",\n "orders": [}'), 400, "malformed_json")
    assert "2" in error["message"]
    assert InboxItem.objects.count() == 0


@pytest.mark.parametrize("word", [b"NaN", b"Infinity", b"[" * 100_000])
def test_numbers_and_depths_that_are_not_json_are_refused(api, shop, word):
    error_of(api.post("intake/", b'{"shop": ' + word + b"}"), 400, "malformed_json")


def test_a_lone_surrogate_in_one_remark_costs_nothing(api, shop):
    raw = orjson.dumps({"shop": "mini", "orders": [draft("T1", buyer_remark="SURR"), draft("T2")]})
    response = api.post("intake/", raw.replace(b"SURR", b"a\\ud800b\\u0000c"))
    assert response.json()["counts"]["new"] == 2
    assert Order.objects.get(external_no="T1").buyer_remark == "abc"


def test_other_content_types_are_refused(api, shop):
    error_of(api.post("intake/", b"<a/>", content_type="application/xml"), 415, "unsupported_media_type")
    error_of(api.get("intake/"), 405, "method_not_allowed")


def test_unknown_and_switched_off_shops_are_not_there(api, shop):
    make_shop("closed", is_active=False)
    for code in ["nowhere", "closed", "a\x00b"]:
        error_of(api.post("intake/", {"shop": code, "orders": [draft()]}), 404, "not_found")
    error_of(api.post("intake/", b'{"shop": "a\\ud800b", "orders": [{}]}'), 404, "not_found")
    assert InboxItem.objects.count() == 0


def test_a_token_of_one_shop_does_not_see_another(issue, shop):
    own = make_shop("own")
    api = issue(INTAKE_WRITE, shops=[own])
    error_of(api.post("intake/", {"shop": "mini", "orders": [draft()]}), 404, "not_found")
    assert Order.objects.count() == 0
    assert api.post("intake/", {"shop": "own", "orders": [draft()]}).status_code == 200


def test_a_reading_token_may_not_write(issue, shop):
    api = issue(ORDERS_READ)
    error_of(api.post("intake/", {"shop": "mini", "orders": [draft()]}), 403, "scope_missing")
    assert InboxItem.objects.count() == 0


class Failing:
    """Makes taking in fail, as a lost database or a busy worker would."""

    def __init__(self, error):
        self.error = error
        self.real = hooks.process_inbox._function

    def __enter__(self):
        hooks.process_inbox.fill(self.fail)

    def __exit__(self, *_):
        hooks.process_inbox.fill(self.real)

    def fail(self, _item_id):
        raise self.error


@pytest.mark.parametrize("error", [TemporaryError("busy"), OperationalError("gone")])
def test_what_is_stored_is_accepted_when_taking_in_fails_for_now(api, shop, error):
    body = {"shop": "mini", "orders": [draft("T1")]}
    with Failing(error):
        response = api.post("intake/", body, {"Idempotency-Key": "k1"})
    assert response.status_code == 202
    assert response.json()["state"] == "accepted"
    assert InboxItem.objects.get(pk=response.json()["inbox_id"]).state == "new"
    again = api.post("intake/", body, {"Idempotency-Key": "k1"})
    assert (again.status_code, again.json()["counts"]["new"]) == (200, 1)
    assert again.json()["inbox_id"] == response.json()["inbox_id"]
    assert InboxItem.objects.count() == 1


def test_a_permanent_failure_is_told(api, shop):
    with Failing(HubError("no reader")):
        error_of(api.post("intake/", {"shop": "mini", "orders": [draft()]}), 422, "unprocessable")


def test_a_repeated_key_gets_the_same_answer(api, shop):
    body = {"shop": "mini", "orders": [draft("T1")]}
    first = api.post("intake/", body, {"Idempotency-Key": "k1"})
    second = api.post("intake/", body, {"Idempotency-Key": "k1"})
    assert first.json() == second.json()
    assert first.json()["counts"]["new"] == 1
    assert "Idempotent-Replayed" not in first
    assert second["Idempotent-Replayed"] == "true"
    assert InboxItem.objects.count() == 1


def test_a_key_with_another_body_is_refused(api, shop):
    api.post("intake/", {"shop": "mini", "orders": [draft("T1")]}, {"Idempotency-Key": "k1"})
    response = api.post("intake/", {"shop": "mini", "orders": [draft("T2")]}, {"Idempotency-Key": "k1"})
    error_of(response, 422, "idempotency_conflict")
    assert Order.objects.filter(external_no="T2").count() == 0


def test_a_key_that_was_forgotten_tells_the_same_body_its_answer_and_takes_another_in(api, shop):
    first, other = ({"shop": "mini", "orders": [draft(number)]} for number in ("T1", "T2"))
    answers = []
    for body in (first, first, other):
        IdempotentRequest.objects.all().delete()  # as after seven days; the delivery itself is kept for thirty
        answers.append(api.post("intake/", body, {"Idempotency-Key": "k1"}).json())
    assert answers[1] == answers[0]
    assert [(row["external_no"], row["outcome"]) for row in answers[2]["rows"]] == [("T2", "new")]
    assert set(Order.objects.values_list("external_no", flat=True)) == {"T1", "T2"}
    assert InboxItem.objects.count() == 2


def test_a_body_that_is_corrected_after_a_refusal_is_read_in_its_place(api, shop):
    with Failing(HubError("cannot be read")):
        refused = api.post("intake/", {"shop": "mini", "orders": [draft("T1")]}, {"Idempotency-Key": "k1"})
    error_of(refused, 422, "unprocessable")
    answer = api.post("intake/", {"shop": "mini", "orders": [draft("T2")]}, {"Idempotency-Key": "k1"}).json()
    assert [(row["external_no"], row["outcome"]) for row in answer["rows"]] == [("T2", "new")]
    assert Order.objects.get().external_no == "T2"


def test_keys_of_two_clients_are_apart(issue, shop):
    for number in ("T1", "T2"):
        response = issue().post("intake/", {"shop": "mini", "orders": [draft(number)]}, {"Idempotency-Key": "k1"})
        assert response.json()["counts"]["new"] == 1


def test_a_running_key_is_told_to_wait_and_taken_over_when_its_process_died(api, shop):
    body = {"shop": "mini", "orders": [draft("T1")]}
    api.post("intake/", body, {"Idempotency-Key": "k1"})
    IdempotentRequest.objects.update(status=None, answer=None)
    response = api.post("intake/", body, {"Idempotency-Key": "k1"})
    error_of(response, 409, "in_progress")
    assert response["Retry-After"] == "1"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orderhub_idempotentrequest SET created_at = now() - interval '3 minutes'")
    taken_over = api.post("intake/", body, {"Idempotency-Key": "k1"})
    assert (taken_over.status_code, taken_over.json()["counts"]["new"]) == (200, 1)
    assert Order.objects.count() == 1


@pytest.mark.parametrize("key", ["x" * 101, "a\tb"])
def test_an_absurd_key_is_refused(api, shop, key):
    response = api.post("intake/", {"shop": "mini", "orders": [draft()]}, {"Idempotency-Key": key})
    assert error_of(response, 400, "invalid")["fields"][0]["path"] == "Idempotency-Key"


@pytest.mark.django_db(transaction=True)
def test_two_requests_at_once_with_one_key_take_in_once(issue, shop):
    api = issue()
    body = orjson.dumps({"shop": "mini", "orders": [draft(f"T{i}") for i in range(50)]})
    start, answers = threading.Barrier(2), []

    def push():
        try:
            start.wait()
            answers.append(api.post("intake/", body, {"Idempotency-Key": "k1"}))
        finally:
            connection.close()

    threads = [threading.Thread(target=push) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses in ([200, 200], [200, 409])
    assert [a.json()["counts"]["new"] for a in answers if a.status_code == 200] == [50] * statuses.count(200)
    assert Order.objects.count() == 50
    assert InboxItem.objects.count() == 1
