"""The connector of Taobao and Tmall shops."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from channels_sync.connectors.base import (
    Connector,
    CredentialField,
    RawPage,
    ShopAccess,
    Window,
    connectors,
    mark_last,
)
from channels_sync.connectors.exchange import (
    Memo,
    MemoRules,
    Opened,
    Pushed,
    Sealed,
    Shipment,
    StockWrite,
    WriteResult,
)
from channels_sync.connectors.known import Hidden, How
from channels_sync.connectors.taobao import events, readback, receivers, tokens, writes
from channels_sync.connectors.taobao.client import TopClient
from channels_sync.connectors.taobao.pull import Options, Pull, budget_of
from orderhub.core.opening import PARTS


class TaobaoConnector(Connector):
    """Pulls orders by modification time and takes the messages that the platform keeps for the shop; receivers come
    masked, with an OAID token."""

    key = "taobao"
    label = _("Taobao / Tmall")
    pulls = fetches = rereads = keeps_events = writes_stock = ships = writes_memo = True
    refreshes = authorises = reveals = True
    session_field = "session"
    account_field = tokens.USER
    history = timedelta(days=88)
    renews_within = timedelta(hours=12)
    one_number_a_line = True
    stock_batch = writes.SKUS_PER_CALL
    lasting_tokens = False
    hidden_facts = {
        "receiver.name": Hidden(How.MASKED, _("The platform shows the first character only.")),
        "receiver.phone": Hidden(How.MASKED, _("The platform shows the last four digits only.")),
        "receiver.detail": Hidden(How.MASKED, _("The platform masks the address below the district.")),
        "buyer.ip": Hidden(How.ABSENT, _("The platform tells no buyer's IP address.")),
        "buyer.nickname": Hidden(How.MASKED, _("The platform masks the nickname; it identifies nobody.")),
    }
    credential_fields = (
        CredentialField("app_key", _("App key")),
        CredentialField("app_secret", _("App secret"), is_secret=True),
        CredentialField("session", _("Session (access token)"), is_secret=True),
        CredentialField(
            "refresh_token",
            _("Refresh token"),
            is_secret=True,
            is_required=False,
            help=_("Only for applications of the service market; others are authorised again by a person."),
        ),
    )

    def pull(self, access: ShopAccess, window: Window) -> Iterator[RawPage]:
        """Yield the orders modified in `window`, oldest pages first."""
        return mark_last(Pull(_client(access), access, window, Options.of(access.settings)).pages())

    def reread(self, access: ShopAccess, window: Window) -> Iterator[RawPage]:
        """Yield the orders created in `window` in their present version; every change of one moves its modification
        time, so this is for comparing both sides."""
        pull = Pull(_client(access), access, window, Options.of(access.settings), by_creation=True)
        return mark_last(pull.pages())

    def tracking_numbers(self, row: Mapping[str, Any]) -> frozenset[str]:
        """Return the parcels of a trade."""
        return readback.tracking_numbers(row)

    def fetch(self, access: ShopAccess, numbers: Sequence[str]) -> Iterator[RawPage]:
        """Yield the present version of single orders."""
        now = datetime.now(UTC)
        return mark_last(Pull(_client(access), access, Window(now, now), Options.of(access.settings)).single(numbers))

    def refresh_token(self, access: ShopAccess) -> dict[str, Any]:
        """Renew the session; the platform takes that from applications of the service market only."""
        return tokens.refresh(access)

    def authorise_url(self, access: ShopAccess, redirect_uri: str, state: str) -> str:
        """Return the page on which the seller lets the application in."""
        return tokens.authorise_url(access, redirect_uri, state)

    def obtain_token(self, access: ShopAccess, code: str) -> dict[str, Any]:
        """Exchange a code for a session."""
        return tokens.obtain(access, code)

    def sealed_of(self, external_no: str, extra: Mapping[str, Any], oaid: str) -> list[Sealed]:
        """The receiver's token opens all parts at once."""
        return [Sealed(external_no, part, oaid) for part in PARTS] if oaid else []

    def reveal(self, access: ShopAccess, values: Sequence[Sealed]) -> list[Opened]:
        """Return clear names and addresses, and virtual numbers; the setting `reveal_scene` is the reason told."""
        return receivers.reveal(_client(access, "receivers"), access.settings, values)

    def events(self, access: ShopAccess) -> Sequence[Pushed]:
        """Return the messages that wait for the shop."""
        user_id = str(access.credentials.get(tokens.USER) or "")
        return events.waiting(_client(access, "events"), access.settings, user_id)

    def confirm(self, access: ShopAccess, delivery_keys: Sequence[str]) -> None:
        """Have stored messages not sent again."""
        events.confirm(_client(access, "events"), access.settings, delivery_keys)

    def write_stock(self, access: ShopAccess, rows: Sequence[StockWrite]) -> list[WriteResult]:
        """Set the stock of items; those of one item go in one call."""
        return writes.write_stock(_client(access, "stock"), rows)

    def ship(self, access: ShopAccess, shipment: Shipment) -> None:
        """Tell a parcel; one that the platform knows already is not told again."""
        carriers = access.settings.get("carrier_codes")
        writes.ship(_client(access, "writes"), shipment, carriers if isinstance(carriers, dict) else {})

    def memo_rules(self, shop_settings: Mapping[str, Any]) -> MemoRules:
        """1,000 bytes and five colours."""
        return MemoRules(octets=writes.MEMO_BYTES, flags=writes.COLOURS)

    def write_memo(self, access: ShopAccess, memo: Memo) -> None:
        """Set the seller's memo and flag."""
        writes.write_memo(_client(access, "writes"), memo)


def _client(access: ShopAccess, part: str = "") -> TopClient:
    """Return a client whose calls wait in the queue of `part`; a pull, without one, takes its turns itself."""
    return TopClient(
        settings.TAOBAO_GATEWAY_URL,
        access.credential("app_key"),
        access.credential("app_secret"),
        access.credential("session"),
        sign_method=str(access.settings.get("sign_method", "md5")),
        budget=budget_of(access, Options.of(access.settings), part) if part else None,
    )


connectors.add(TaobaoConnector.key, TaobaoConnector())
