from django.core.exceptions import PermissionDenied

from orderhub.console.actions import each_row
from orderhub.core.crypto import UnreadableError
from orderhub.core.errors import HubError
from orderhub.models import Shop

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
