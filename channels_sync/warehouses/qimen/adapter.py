"""The adapter of warehouses behind Qimen.

A warehouse decides by `flag` alone; its codes are its own. What "I have this order already" and "try again later" look
like is therefore configurable: settings `repeat_words` and `retry_words` of the warehouse. Without the first, a refusal
has to name the order as what is there twice (`repeats.py`).
"""

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import tostring

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_sync.connectors.base import CredentialField
from channels_sync.connectors.exchange import PushAnswer as ReportAnswer
from channels_sync.connectors.exchange import PushRequest
from channels_sync.warehouses.base import (
    PushAnswer,
    PushOrder,
    Report,
    Reported,
    WarehouseAccess,
    WarehouseAdapter,
    WarehouseRefusedError,
    warehouses,
)
from channels_sync.warehouses.qimen import reports
from channels_sync.warehouses.qimen.client import call, text_of
from channels_sync.warehouses.qimen.orders import CREATE, document
from channels_sync.warehouses.qimen.repeats import Twice, what_is_there_twice
from orderhub.core.errors import HubError, TemporaryError

RETRY_WORDS = ("系统繁忙", "稍后", "超时", "timeout", "timed out", "try again")


class QimenAdapter(WarehouseAdapter):
    """Pushes delivery orders through the Qimen gateway, and understands what warehouses call back."""

    key = "qimen"
    reports = True
    label = gettext_lazy("Qimen")
    credential_fields = (
        CredentialField("app_key", gettext_lazy("App key")),
        CredentialField("app_secret", gettext_lazy("App secret"), is_secret=True),
        CredentialField("customer_id", gettext_lazy("Customer id")),
    )

    def create_order(self, access: WarehouseAccess, order: PushOrder) -> PushAnswer:
        """Send `deliveryorder.create`; a warehouse that has the order already counts as success."""
        root = call(access, CREATE, tostring(document(access, order), encoding="utf-8", xml_declaration=True))
        if text_of(root, "flag") == "success":
            return PushAnswer(
                text_of(root, "deliveryOrderId"), text_of(root, "warehouseCode"), text_of(root, "message")
            )
        code, message = text_of(root, "code"), text_of(root, "message")
        said = f"{code} {message}"
        twice = _twice(access, said, order.code)
        if twice is Twice.ORDER:
            return PushAnswer(message=message, is_repeat=True)
        text = _("The warehouse refused the order: %(message)s (%(code)s)") % {"message": message, "code": code}
        if _has_word(said, _words(access, "retry_words", RETRY_WORDS)):
            raise TemporaryError(text)
        if twice is Twice.UNNAMED:
            # No word that it does not have the order: after tries without an answer a person has to ask there.
            raise HubError(text)
        raise WarehouseRefusedError(text)

    def accept_report(self, access: WarehouseAccess, request: PushRequest) -> Sequence[Reported]:
        """Verify a callback and return what it tells, one by one where it tells of several articles."""
        return reports.accepted(access, request)

    def read_report(self, method: str, body: bytes) -> Report:
        """Return what a stored callback says."""
        return reports.read(method, body)

    def answer_report(self, error: HubError | None = None) -> ReportAnswer:
        """Answer in Qimen's form: it looks at `flag`, and comes again after a failure."""
        return reports.answer(error)


warehouses.add(QimenAdapter.key, QimenAdapter())


def _twice(access: WarehouseAccess, said: str, order_code: str) -> Twice:
    words = access.settings.get("repeat_words")
    if not isinstance(words, list):
        return what_is_there_twice(said, order_code)
    return Twice.ORDER if _has_word(said, map(str, words)) else Twice.NO


def _words(access: WarehouseAccess, name: str, default: Iterable[str]) -> list[str]:
    words = access.settings.get(name)
    return [str(word) for word in words] if isinstance(words, list) else list(default)


def _has_word(text: str, words: Iterable[str]) -> bool:
    folded = text.casefold()
    return any(word and word.casefold() in folded for word in words)
