import pytest
from django.contrib.messages import get_messages
from django.contrib.messages.storage.cookie import CookieStorage
from django.core.exceptions import PermissionDenied
from django.test import RequestFactory
from django.utils.translation import override

from orderhub.console.actions import at_most, each_row
from orderhub.core.crypto import UnreadableError
from orderhub.core.errors import HubError
from orderhub.models import Shop
from tests.factories import make_shop

FAILURES = {
    "a": HubError("not open any more"),
    "b": UnreadableError("sealed"),
    "c": ValueError("13912345678"),
    "d": None,
}


def test_a_row_that_fails_for_whatever_reason_does_not_stop_the_others():
    def do(shop):
        if FAILURES[shop.code]:
            raise FAILURES[shop.code]
        return "done"

    outcomes = each_row([Shop(code=code, name=code) for code in FAILURES], do)
    assert [(outcome.is_ok, outcome.message) for outcome in outcomes] == [
        (False, "not open any more"), (False, "UnreadableError"), (False, "ValueError"), (True, "done"),
    ]  # fmt: skip


def test_what_a_person_may_not_do_is_told_in_words():
    def do(shop):
        raise PermissionDenied

    (outcome,) = each_row([Shop(code="a")], do)
    assert (outcome.is_ok, bool(outcome.message)) == (False, True)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (2, []),
        (3, ["Only 2 rows are taken at once: 1 more stays as it is. Do the same again for it."]),
        (5, ["Only 2 rows are taken at once: 3 more stay as they are. Do the same again for them."]),
    ],
)
def test_so_many_rows_are_worked_on_at_once_and_how_many_stay_is_told(db, monkeypatch, rows, told):
    monkeypatch.setattr("orderhub.console.actions.MOST", 2)
    shops = [make_shop() for _ in range(rows)]
    request = RequestFactory().get("/")
    request._messages = CookieStorage(request)
    with override("en"):
        assert list(at_most(request, Shop.objects.order_by("pk"))) == shops[:2]
    assert [str(message) for message in get_messages(request)] == told
