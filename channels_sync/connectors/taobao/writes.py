"""What the hub tells a Taobao shop: stock, shipments, memo and flag (protocol reference 1.9 and 1.10)."""

import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from channels_sync.connectors.base import AuthorisationError, ThrottledError
from channels_sync.connectors.exchange import WRITE_SECONDS, Memo, Shipment, StockWrite, WriteResult
from channels_sync.connectors.taobao.client import RefusedError, TopClient
from channels_sync.connectors.taobao.mapping import CLOSED, is_cash
from channels_sync.connectors.taobao.readback import lines_of
from orderhub.core.errors import HubError, TemporaryError

SKU_STOCK = "taobao.skus.quantity.update"
ITEM_STOCK = "taobao.item.quantity.update"
SHIP = "taobao.logistics.offline.send"
SHIP_COLLECT = "taobao.logistics.online.send"
"""The call for cash on delivery, which the other one does not take; the parameters are the same."""
MEMO = "taobao.trade.memo.update"
FULL = "taobao.trade.fullinfo.get"
SKUS_PER_CALL = 20
MEMO_BYTES = 1000
FULL_UPDATE = "1"
"""`type`: the quantity is absolute. A difference sent twice would count twice."""
FLAGS = {"grey": "0", "none": "0", "red": "1", "yellow": "2", "green": "3", "blue": "4", "purple": "5"}
"""Orange and cyan are not known here: the flag is left as it is."""
COLOURS = ("red", "yellow", "green", "blue", "purple")
_StockCall = tuple[str, dict[str, str], list[int]]
"""Method, parameters, and the places of the rows that it writes."""


def write_stock(client: TopClient, rows: Sequence[StockWrite]) -> list[WriteResult]:
    """Set the stock of items; SKUs of one item share a call. One result for each row, in the given order.

    The platform refuses a call for one bad SKU, so what it refuses is written one by one and only that SKU fails. After
    a refused session or a call limit no further call is made: all that is left gets that error.
    """
    errors: dict[int, HubError | None] = {}
    by_item: dict[str, list[tuple[int, StockWrite]]] = defaultdict(list)
    for place, row in enumerate(rows):
        by_item[row.item_id].append((place, row))
    calls = deque(call for item_id, group in by_item.items() if item_id for call in _stock_calls(item_id, group))
    errors |= {place: HubError(_("The channel item has no item id.")) for place, _row in by_item.get("", ())}
    stop_at = time.monotonic() + WRITE_SECONDS
    stop: HubError | None = None
    while calls:
        method, params, places = calls.popleft()
        if stop is None and time.monotonic() > stop_at:
            stop = TemporaryError(_("The platform answers too slowly."))
        error = stop or _refused(client, method, params)
        if isinstance(error, AuthorisationError | ThrottledError):
            stop = error
        if isinstance(error, RefusedError) and len(places) > 1:
            calls.extend(_sku_call(rows[place].item_id, [(place, rows[place])]) for place in places)
        errors |= dict.fromkeys(places, error)
    return [WriteResult(row.key, errors[place]) for place, row in enumerate(rows)]


def ship(client: TopClient, shipment: Shipment, carriers: Mapping[str, str]) -> None:
    """Tell a parcel. What is told already is not told again: the trade is read before, and after an unclear answer.

    The platform keeps one tracking number for each line: pieces of a line that left in an earlier parcel of this order
    need no word. `carriers` maps common carrier codes to the platform's `company_code` where they differ.
    """
    trade = _trade(client, shipment)
    left = _untold(trade, shipment)
    method = SHIP_COLLECT if is_cash(trade) else SHIP
    while left:
        try:
            client.call(method, _parcel(shipment, left, carriers), tries=1)
        except ThrottledError:
            # Nothing was carried out, and asking would take one more turn under the ban.
            raise
        except (TemporaryError, RefusedError):
            # Another parcel of the order may have been told at the same moment.
            before, left = left, _untold(_trade(client, shipment), shipment)
            if left == before:
                raise
        else:
            return


def _parcel(shipment: Shipment, lines: Sequence[str], carriers: Mapping[str, str]) -> dict[str, str]:
    params = {
        "tid": shipment.external_no,
        "company_code": carriers.get(shipment.carrier, shipment.carrier),
        "out_sid": shipment.tracking_no,
    }
    return params | {"is_split": "1", "sub_tid": ",".join(lines)} if shipment.lines else params


def write_memo(client: TopClient, memo: Memo) -> None:
    """Set memo and flag; a memo beyond the platform's 1,000 bytes is cut, an empty one takes the old one away."""
    params = {"tid": memo.external_no, "memo": cut(memo.remark, MEMO_BYTES), "flag": FLAGS.get(memo.flag, "")}
    if not memo.remark:
        params["reset"] = "true"
    client.call(MEMO, params)


def cut(text: str, most: int) -> str:
    """Return a text of at most `most` bytes of UTF-8, never half a character."""
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")


def _stock_calls(item_id: str, group: Sequence[tuple[int, StockWrite]]) -> list[_StockCall]:
    with_sku = [pair for pair in group if pair[1].sku_id]
    starts = range(0, len(with_sku), SKUS_PER_CALL)
    calls = [_sku_call(item_id, with_sku[start : start + SKUS_PER_CALL]) for start in starts]
    for place, row in group:
        if not row.sku_id:
            params = {"num_iid": item_id, "type": FULL_UPDATE, "quantity": str(max(row.quantity, 0))}
            calls.append((ITEM_STOCK, params, [place]))
    return calls


def _sku_call(item_id: str, part: Sequence[tuple[int, StockWrite]]) -> _StockCall:
    pairs = ";".join(f"{row.sku_id}:{max(row.quantity, 0)}" for _place, row in part)
    params = {"num_iid": item_id, "type": FULL_UPDATE, "skuid_quantities": pairs}
    return SKU_STOCK, params, [place for place, _row in part]


def _refused(client: TopClient, method: str, params: Mapping[str, str]) -> HubError | None:
    try:
        client.call(method, params)
    except HubError as error:
        return error
    return None


def _trade(client: TopClient, shipment: Shipment) -> Mapping[str, Any]:
    content = client.call(FULL, {"fields": "tid,type,status,orders", "tid": shipment.external_no})
    trade = content.get("trade")
    return trade if isinstance(trade, dict) else {}


def _untold(trade: Mapping[str, Any], shipment: Shipment) -> list[str]:
    """Return the lines of the parcel on which the platform has no tracking number of the order's parcels yet.

    A line that was given back gets none any more, so that waiting for its number would make every second try fail.
    A parcel of nothing else is asked about all the same: whether it may leave is for the platform to say.
    """
    rows = {str(row.get("oid_str") or row.get("oid")): row for row in lines_of(trade)}
    ours = {shipment.tracking_no, *(number for _carrier, number in shipment.earlier)}
    wanted = [line.line_no for line in shipment.lines] or list(rows) or [shipment.external_no]
    left = [number for number in wanted if str(rows.get(number, {}).get("invoice_no") or "") not in ours]
    alive = [number for number in left if rows.get(number, {}).get("status") not in CLOSED]
    return alive if alive or len(left) < len(wanted) else left
