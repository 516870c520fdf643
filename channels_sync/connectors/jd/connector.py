"""The connector of JD POP shops."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
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
from channels_sync.connectors.exchange import Memo, MemoRules, Shipment, StockWrite, WriteResult
from channels_sync.connectors.jd import readback, tokens, writes
from channels_sync.connectors.jd.client import JdClient
from channels_sync.connectors.jd.pull import Options, Pull, budget_of
from channels_sync.connectors.known import Hidden, How
from channels_sync.connectors.readback import StockItem, StockShown
from channels_sync.connectors.turns import heeding, turn, wait_for


class JdConnector(Connector):
    """Pulls orders and refunds and writes stock, shipments and notes. No public source tells of pushes of JD."""

    key = "jd"
    label = _("JD")
    pulls = fetches = rereads = writes_stock = reads_stock = ships = writes_memo = refreshes = True
    authorises = pays_refunds_unseen = True
    reread_minutes = 240
    renews_within = tokens.RENEW_BEFORE - timedelta(minutes=10)
    stock_batch = writes.STOCK_BATCH
    takes_parts = False
    history = timedelta(days=88)
    credential_fields = (
        CredentialField("app_key", _("App key")),
        CredentialField("app_secret", _("App secret"), is_secret=True),
        CredentialField("access_token", _("Access token"), is_secret=True),
        CredentialField(
            "refresh_token",
            _("Refresh token"),
            is_secret=True,
            is_required=False,
            help=_("Renews the access token in its last day; without it the shop is authorised again by hand."),
        ),
    )
    hidden_facts = {
        "buyer.ip": Hidden(How.ABSENT, _("JD does not tell the buyer's IP address.")),
        "receiver.name": Hidden(How.MASKED, _("JD masks or encrypts the name.")),
        "receiver.phone": Hidden(How.MASKED, _("JD masks or encrypts the phone, or gives a virtual number.")),
        "receiver.detail": Hidden(How.MASKED, _("JD masks or encrypts the address below the district.")),
        "receiver.postcode": Hidden(How.ABSENT, _("JD tells no postcode.")),
        "line.paid": Hidden(
            How.DERIVED,
            _("JD tells what was paid for the order, not for each line: the shares are worked out by value."),
        ),
        "presale.deposit": Hidden(How.ABSENT, _("JD lists a presale only once its balance is paid.")),
    }

    def pull(self, access: ShopAccess, window: Window) -> Iterator[RawPage]:
        """Yield the orders changed in `window`, oldest first, then those of which only a refund changed."""
        return mark_last(_pull(access).changed(window))

    def reread(self, access: ShopAccess, window: Window) -> Iterator[RawPage]:
        """Yield the orders created in `window` in their present version."""
        return mark_last(_pull(access).created(window, datetime.now(UTC)))

    def fetch(self, access: ShopAccess, numbers: Sequence[str]) -> Iterator[RawPage]:
        """Yield the present version of single orders."""
        return mark_last(_pull(access).single(numbers))

    def refresh_token(self, access: ShopAccess) -> dict[str, Any]:
        """Renew the access token; JD takes that only in the token's last day."""
        return dict(tokens.refresh(access))

    def authorise_url(self, access: ShopAccess, redirect_uri: str, state: str) -> str:
        """Return JD's authorisation page."""
        return tokens.authorise_url(access, redirect_uri, state)

    def obtain_token(self, access: ShopAccess, code: str) -> dict[str, Any]:
        """Exchange a code for both tokens."""
        return dict(tokens.obtain(access, code))

    def write_stock(self, access: ShopAccess, rows: Sequence[StockWrite]) -> list[WriteResult]:
        """Set what SKUs show, at most 30 of them; the setting `store` names a store of the shop."""
        store = str(access.settings.get("store") or "")
        with _turn(access) as client:
            return writes.write_stock(client, rows, store=store)

    def read_stock(self, access: ShopAccess, items: Sequence[StockItem]) -> list[StockShown]:
        """Return what SKUs show, one call each; in the store of the setting `store` where it names one."""
        budget, store = budget_of(access, Options.of(access.settings)), str(access.settings.get("store") or "")
        with heeding(budget):
            return readback.read_stock(_client(access), items, store=store, wait=partial(wait_for, budget))

    def tracking_numbers(self, row: Mapping[str, Any]) -> frozenset[str]:
        """Return the parcels of an order."""
        return readback.tracking_numbers(row)

    def ship(self, access: ShopAccess, shipment: Shipment) -> None:
        """Tell JD that an order left, with all its parcels at the last one."""
        carriers = access.settings.get("carriers")
        known = {str(c).upper(): str(n) for c, n in carriers.items()} if isinstance(carriers, dict) else {}
        with _turn(access) as client:
            writes.ship(client, shipment, known)

    def memo_rules(self, shop_settings: Mapping[str, Any]) -> MemoRules:
        """500 characters; a flag goes with a note."""
        return MemoRules(characters=writes.NOTE_LENGTH, flags=writes.COLOURS, flag_needs_remark=True)

    def write_memo(self, access: ShopAccess, memo: Memo) -> None:
        """Set the seller's note and flag."""
        with _turn(access) as client:
            writes.write_memo(client, memo)


@contextmanager
def _turn(access: ShopAccess) -> Iterator[JdClient]:
    """Wait for a turn in the queue of what JD is told; a limit that JD names holds for all workers."""
    with turn(budget_of(access, Options.of(access.settings), writes=True)):
        yield _client(access)


def _client(access: ShopAccess) -> JdClient:
    names = ("app_key", "app_secret", "access_token")
    return JdClient(settings.JD_GATEWAY_URL, *(access.credential(name) for name in names))


def _pull(access: ShopAccess) -> Pull:
    return Pull(_client(access), access, Options.of(access.settings))


connectors.add(JdConnector.key, JdConnector())
