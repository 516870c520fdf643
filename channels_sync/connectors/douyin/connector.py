"""The connector of Douyin shops."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _

from channels_sync.connectors.base import Connector, CredentialField, RawPage, ShopAccess, Window, connectors, mark_last
from channels_sync.connectors.douyin import contacts, push, readback, token, write
from channels_sync.connectors.douyin.client import Gateway
from channels_sync.connectors.douyin.pull import Pull
from channels_sync.connectors.exchange import (
    Memo,
    MemoRules,
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


class DouyinConnector(Connector):
    """Pulls and is pushed to; receivers come as masked texts beside cipher texts; writes stock, parcels and remarks."""

    key = "douyin"
    label = _("Douyin shop")
    pulls = pushes = fetches = writes_stock = ships = writes_memo = refreshes = reveals = rereads = True
    reads_stock = True
    stock_batch = 20
    authorises = learns_end = masks = True
    account_field = "shop_id"
    history = timedelta(days=89)
    renews_within = timedelta(minutes=50)
    reread_minutes = 10
    credential_fields = (
        CredentialField("app_key", _("App key")),
        CredentialField("app_secret", _("App secret"), is_secret=True),
        CredentialField("shop_id", _("Shop number"), is_required=False,
                        help=_("Tells this shop's pushes apart; the shop's own application gets its token by it.")),
        CredentialField("authorization_code", _("Authorisation code"), is_secret=True, is_required=False,
                        help=_("For an application of a third party: valid for ten minutes, used once.")),
        CredentialField("access_token", _("Access token"), is_secret=True, is_required=False),
        CredentialField("refresh_token", _("Refresh token"), is_secret=True, is_required=False),
    )  # fmt: skip
    hidden_facts = {
        "buyer.ip": Hidden(How.ABSENT, _("The platform passes on no IP address.")),
        "buyer.nickname": Hidden(
            How.ABSENT, _("The platform passes on no nickname, only an id of the buyer for this application.")
        ),
        "receiver.name": Hidden(
            How.MASKED, _("Masked by the platform; can be revealed for one order, against the platform's quota.")
        ),
        "receiver.phone": Hidden(
            How.MASKED,
            _("Masked by the platform; reveals a virtual number that expires, against the platform's quota."),
        ),
        "receiver.detail": Hidden(
            How.MASKED, _("Masked by the platform; can be revealed for one order, against the platform's quota.")
        ),
        "receiver.postcode": Hidden(How.ABSENT, _("The platform has no postcode.")),
    }

    def pull(self, access: ShopAccess, window: Window) -> Iterator[RawPage]:
        """Yield the orders whose state or refund changed in `window`, oldest first."""
        return mark_last(Pull(Gateway(access)).changed(window))

    def reread(self, access: ShopAccess, window: Window) -> Iterator[RawPage]:
        """Yield the orders created in `window`: brings remarks, flags and addresses that no state change goes with."""
        return mark_last(Pull(Gateway(access)).created(window))

    def fetch(self, access: ShopAccess, numbers: Sequence[str]) -> Iterator[RawPage]:
        """Yield single orders of any age."""
        return mark_last(Pull(Gateway(access)).single(numbers))

    def refresh_token(self, access: ShopAccess) -> dict[str, Any]:
        """Return new tokens; more than an hour before its end the platform returns the present ones."""
        return token.new_token(access)

    def can_renew(self, credentials: Mapping[str, Any]) -> bool:
        """A refresh token, an unused code, or for the shop's own application its number."""
        return any(credentials.get(name) for name in ("refresh_token", "authorization_code", "shop_id"))

    def authorise_url(self, access: ShopAccess, redirect_uri: str, state: str) -> str:
        """Return the authorisation page; the platform knows the address that it comes back to by its service."""
        return token.authorise_url(access, state)

    def obtain_token(self, access: ShopAccess, code: str) -> dict[str, Any]:
        """Exchange a code for both tokens."""
        return token.obtain(access, code)

    def mask(self, access: ShopAccess, values: Sequence[Sealed]) -> list[Opened]:
        """Return masked texts, 50 a call."""
        return contacts.mask(Gateway(access), values)

    def reveal(self, access: ShopAccess, values: Sequence[Sealed]) -> list[Opened]:
        """Return clear texts and virtual numbers, 50 a call; each counts against the daily quota."""
        return contacts.reveal(Gateway(access), values)

    def accept_push(self, access: ShopAccess, request: PushRequest) -> tuple[Sequence[Pushed], PushAnswer]:
        """Verify `event-sign` and return the events that name orders."""
        return push.accept_push(access, request)

    def write_stock(self, access: ShopAccess, rows: Sequence[StockWrite]) -> list[WriteResult]:
        """Set absolute quantities less what the platform holds for unpaid orders and campaigns."""
        return write.write_stock(Gateway(access), rows)

    def read_stock(self, access: ShopAccess, items: Sequence[StockItem]) -> list[StockShown]:
        """Return what can be sold of SKUs, with what the platform holds."""
        return readback.read_stock(Gateway(access), items)

    def tracking_numbers(self, row: Mapping[str, Any]) -> frozenset[str]:
        """Return the parcels of an order."""
        return readback.tracking_numbers(row)

    def ship(self, access: ShopAccess, shipment: Shipment) -> None:
        """Tell of one parcel, of the whole order or of some lines."""
        write.ship(Gateway(access), shipment)

    def memo_rules(self, shop_settings: Mapping[str, Any]) -> MemoRules:
        """60 characters, or what the setting `remark_length` says, and five stars."""
        return MemoRules(characters=write.longest_remark(shop_settings), flags=write.COLOURS)

    def write_memo(self, access: ShopAccess, memo: Memo) -> None:
        """Replace remark and flag."""
        write.write_memo(Gateway(access), memo)


connectors.add(DouyinConnector.key, DouyinConnector())
