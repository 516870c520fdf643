"""The errors that cross a boundary; each says whether trying again can help."""

from orderhub.core.wording import labelled


class HubError(Exception):
    """An expected failure with a sentence for people; `permanent` tells whether a retry is pointless."""

    permanent: bool = True
    cause: str = ""
    """A word by which advice for people is looked up; empty where none is known."""
    concerns_all: bool = False
    """The other side refuses us as a whole (session, clock, call limit), not this one call: whatever waits to be called
    goes on waiting until that is over, and loses none of its tries."""

    def __init__(self, message: str, *, permanent: bool | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        if permanent is not None:
            self.permanent = permanent
        self.retry_after = retry_after
        """Seconds the other side asked us to wait, when it did."""


def words_of(error: BaseException) -> str:
    """Return what may be stored, logged and shown of an error: the sentence of an expected failure, of any other its
    kind alone, since a parser or a database quotes the data that it choked on."""
    return str(error) if isinstance(error, HubError) else type(error).__name__


class TemporaryError(HubError):
    """The outside world failed in a way that may pass: timeout, throttling, 5xx, truncated answer."""

    permanent = False


class FieldError(HubError):
    """One field of one incoming row cannot be used.

    `path` is the place in the row (`lines[0].quantity`), the message is the reason.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(labelled(path, reason) if path else reason)
        self.path = path
        self.reason = reason
