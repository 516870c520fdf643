"""What a log line may hold of an error."""

import sys

from orderhub.core.errors import HubError, words_of
from orderhub.core.logging import drop_personal, trace


def _raised(error: Exception, cause: Exception | None = None) -> str:
    try:
        raise error from cause
    except type(error):
        kind, raised, frames = sys.exc_info()
        assert kind is not None
        assert raised is not None
        return trace((kind, raised, frames))


def test_the_words_of_an_unforeseen_error_are_not_told() -> None:
    assert words_of(ValueError("13800000000 is no number")) == "ValueError"
    assert words_of(HubError("the gateway refuses the session")) == "the gateway refuses the session"


def test_a_traceback_names_the_place_and_the_kind_only() -> None:
    told = _raised(HubError("the row cannot be read"), ValueError("13800000000 is no number"))
    first, last = told.split("\n\nfollowed by\n\n")
    assert first == "ValueError"
    assert last.endswith("HubError: the row cannot be read")
    assert "test_logging.py" in last
    assert "13800000000" not in told


def test_a_slip_of_the_caller_is_dropped() -> None:
    assert drop_personal(None, "", {"phone": "13800000000", "rows": 2}) == {"phone": "[dropped]", "rows": 2}
