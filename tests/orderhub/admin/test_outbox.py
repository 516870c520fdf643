import pytest

from orderhub.models import Effect
from tests.factories import START, make_order

LIST = "/ops/orderhub/effect/"


def make_effect(order, state, **values):
    return Effect.objects.create(
        shop=order.shop, order=order, kind="wms_push", key=f"k{Effect.objects.count()}", state=state, due_at=START,
        created_at=START, **values,
    )  # fmt: skip


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_needs_a_fixed_number_of_queries(supervisor, rows, django_assert_num_queries):
    order = make_order()
    for _ in range(rows):
        make_effect(order, "pending")
    supervisor.get(LIST)
    with django_assert_num_queries(6):
        assert supervisor.get(LIST).content.decode().count("<tr data-href") == rows


@pytest.mark.parametrize("state", ["pending", "sending", "done", "dead", "cancelled"])
def test_each_state_has_its_view(supervisor, state):
    order = make_order()
    wanted = make_effect(order, state)
    other = make_effect(order, "done" if state == "dead" else "dead")
    body = supervisor.get(f"{LIST}?view={state}").content.decode()
    assert f"{LIST}{wanted.pk}/change/" in body
    assert f"{LIST}{other.pk}/change/" not in body


@pytest.mark.parametrize("role", ["supervisor", "warehouse"])
def test_dead_letters_are_tried_again_and_others_left_alone(person, role):
    order = make_order()
    dead, done = make_effect(order, "dead", attempts=8), make_effect(order, "done", attempts=1)
    person(role).post(LIST, {"action": "retry", "_selected_action": [dead.pk, done.pk]})
    dead.refresh_from_db()
    done.refresh_from_db()
    assert (dead.state, dead.attempts) == ("pending", 0)
    assert (done.state, done.attempts) == ("done", 1)


def test_rows_that_are_no_dead_letters_are_no_success(supervisor):
    done = make_effect(make_order(), "done")
    page = supervisor.post(LIST, {"action": "retry", "_selected_action": [done.pk]}, follow=True)
    assert [message.level_tag for message in page.context["messages"]] == ["warning"]


def test_an_auditor_cannot_retry(person):
    dead = make_effect(make_order(), "dead")
    person("auditor").post(LIST, {"action": "retry", "_selected_action": [dead.pk]})
    dead.refresh_from_db()
    assert dead.state == "dead"


def test_an_error_of_the_other_side_is_escaped(supervisor):
    effect = make_effect(make_order(), "dead", last_error="<script>alert(1)</script>")
    for path in (LIST, f"{LIST}{effect.pk}/change/"):
        assert "<script>alert(1)" not in supervisor.get(path).content.decode()
