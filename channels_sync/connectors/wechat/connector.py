"""The connector of WeChat shops."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from channels_sync.connectors.base import Connector, CredentialField, RawPage, ShopAccess, Window, connectors, mark_last
from channels_sync.connectors.exchange import (
    Memo,
    Opened,
    PushAnswer,
    Pushed,
    PushRequest,
    Sealed,
    Shipment,
    StockWrite,
    WriteResult,
)
from channels_sync.connectors.known import Hidden, How
from channels_sync.connectors.readback import StockItem, StockShown
from channels_sync.connectors.wechat import push, readback, receivers, writes
from channels_sync.connectors.wechat.client import WechatClient
from channels_sync.connectors.wechat.pull import Reader
from channels_sync.connectors.wechat.token import Tokens, credentials_of


class WechatConnector(Connector):
    """Pulls order numbers by modification time and each order by itself; takes pushes that name an order."""

    key = "wechat"
    label = _("WeChat shop")
    pulls = pushes = fetches = rereads = refreshes = True
    writes_stock = reads_stock = ships = writes_memo = reveals = True
    stock_batch = 20
    renews_within = timedelta(minutes=5)
    learns_end = True
    credential_fields = (
        CredentialField("app_id", _("App ID")),
        CredentialField("app_secret", _("App secret"), is_secret=True),
        CredentialField("push_token", _("Token of the message push"), is_secret=True, is_required=False),
        CredentialField(
            "push_key", _("EncodingAESKey of the message push"), is_secret=True, is_required=False,
            help=_("43 characters; without it only unencrypted pushes are taken."),
        ),
    )  # fmt: skip
    hidden_facts = {
        "receiver.phone": Hidden(
            How.VIRTUAL, _("Most orders carry a virtual number that ends some time after the order.")
        ),
        "buyer.ip": Hidden(How.ABSENT, _("The platform tells no buyer's IP address.")),
        "buyer.nickname": Hidden(How.ABSENT, _("The platform tells no nickname.")),
        "presale.deposit": Hidden(How.ABSENT, _("The platform has no presale with a deposit.")),
        "flag": Hidden(How.ABSENT, _("The platform has no coloured flag.")),
    }

    def pull(self, access: ShopAccess, window: Window) -> Iterator[RawPage]:
        """Yield the orders modified in `window` that the pool does not have yet."""
        return mark_last(self._reader(access).changed(window))

    def reread(self, access: ShopAccess, window: Window) -> Iterator[RawPage]:
        """Yield the orders created in `window` in their present version."""
        return mark_last(self._reader(access).created(window))

    def fetch(self, access: ShopAccess, numbers: Sequence[str]) -> Iterator[RawPage]:
        """Yield the present version of single orders."""
        return mark_last(self._reader(access).single(numbers))

    def refresh_token(self, access: ShopAccess) -> dict[str, Any]:
        """Ask for the token of the application; the platform hands everybody the same one while it lives."""
        return credentials_of(*Tokens(settings.WECHAT_GATEWAY_URL.rstrip("/"), access).ask())

    def can_renew(self, credentials: Mapping[str, Any]) -> bool:
        """The application's own secret is all that a token needs."""
        return bool(credentials.get("app_id") and credentials.get("app_secret"))

    def sealed_of(self, external_no: str, extra: Mapping[str, Any], oaid: str) -> list[Sealed]:
        """What came masked is opened together; a virtual number that has ended is asked for by itself."""
        return receivers.sealed_of(external_no, extra, datetime.now(UTC))

    def reveal(self, access: ShopAccess, values: Sequence[Sealed]) -> list[Opened]:
        """Return clear names and addresses, and virtual numbers; `virtual_number_call` names the call for new ones."""
        return receivers.reveal(WechatClient(access, "receivers"), access.settings, values)

    def accept_push(self, access: ShopAccess, request: PushRequest) -> tuple[Sequence[Pushed], PushAnswer]:
        """Verify a message push and return the order that it names."""
        return push.accept(access, request)

    def write_stock(self, access: ShopAccess, rows: Sequence[StockWrite]) -> list[WriteResult]:
        """Set the stock of items; the platform takes one a call, a few run at once."""
        return writes.write_stock(WechatClient(access), rows)

    def read_stock(self, access: ShopAccess, items: Sequence[StockItem]) -> list[StockShown]:
        """Return the ordinary stock of SKUs."""
        return readback.read_stock(WechatClient(access), items)

    def tracking_numbers(self, row: Mapping[str, Any]) -> frozenset[str]:
        """Return the parcels of an order."""
        return readback.tracking_numbers(row)

    def ship(self, access: ShopAccess, shipment: Shipment) -> None:
        """Tell a parcel; one that the platform knows already is not told again."""
        writes.ship(WechatClient(access), shipment)

    def write_memo(self, access: ShopAccess, memo: Memo) -> None:
        """Set the seller's note."""
        writes.write_memo(WechatClient(access), memo)

    @staticmethod
    def _reader(access: ShopAccess) -> Reader:
        return Reader(WechatClient(access), access)


connectors.add(WechatConnector.key, WechatConnector())
