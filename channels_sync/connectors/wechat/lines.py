"""The lines of an order and their refunds."""

from collections.abc import Iterable
from typing import Any

from channels_sync.connectors.wechat.values import Node, count, fen, node, nodes, text, whole
from orderhub.core.errors import FieldError

AFTERSALES_KEY = "hub_aftersales"
"""Put into an order: the details of its after-sales."""
AFTERSALES = {
    "USER_CANCELD": "none",
    "RETURN_CLOSED": "none",
    "MERCHANT_EXCHANGE_SUCCESS": "none",
    "MERCHANT_PROCESSING": "asked",
    "USER_WAIT_CONFIRM": "asked",
    "USER_WAIT_CONFIRM_UPDATE": "asked",
    "USER_WAIT_HANDLE_MERCHANT_AFTER_SALE": "asked",
    "MERCHANT_REJECT_RESHIP": "asked",
    "MERCHANT_REJECT_REFUND": "refused",
    "MERCHANT_REJECT_RETURN": "refused",
    "MERCHANT_REJECT_EXCHANGE": "refused",
    "MERCHANT_REFUND_RETRY_FAIL": "refused",
    "MERCHANT_FAIL": "refused",
    "USER_WAIT_RETURN": "agreed",
    "MERCHANT_WAIT_RECEIPT": "agreed",
    "MERCHANT_OVERDUE_REFUND": "agreed",
    "PLATFORM_REFUNDING": "agreed",
    "PLATFORM_REFUND_FAIL": "agreed",
    "WAIT_PACKAGE_INTERCEPT": "agreed",
    "MERCHANT_REFUND_SUCCESS": "done",
    "MERCHANT_RETURN_SUCCESS": "done",
}
"""State of an after-sale (`USER_CANCELD` is the platform's spelling). A word that is not here counts as asked."""
_RANK = {"none": 0, "refused": 1, "done": 2, "agreed": 3, "asked": 4}


def order_lines(order: Node, detail: Node) -> list[tuple[dict[str, Any], int]]:
    """Return each line with what its pieces cost before any discount, in fen."""
    rows = detail.get("product_infos")
    if not isinstance(rows, list) or not rows:
        raise FieldError("order_detail.product_infos", "the order has no lines")
    sales = nodes(order, AFTERSALES_KEY)
    found = [_line(row, f"order_detail.product_infos[{place}]", sales) for place, row in enumerate(rows)]
    lines = [line for line, _listed in found]
    for line, key in zip(lines, line_keys(rows), strict=True):
        line["line_no"] = key
    in_dispute = count(node(order, "aftersale_detail"), "on_aftersale_order_cnt")
    if in_dispute and not any(line["refund"] in {"asked", "agreed"} for line in lines):
        for line in lines:
            line["refund"] = "asked"
    return found


def _line(row: Any, path: str, sales: Iterable[Node]) -> tuple[dict[str, Any], int]:
    if not isinstance(row, dict):
        raise FieldError(path, "a line must be an object")
    quantity = whole(row, "sku_cnt" if "sku_cnt" in row else "count", path)
    price = fen(row, "sale_price", path)
    if price is None:
        raise FieldError(f"{path}.sale_price", "required")
    listed = price * quantity
    sums = [fen(row, name, path) for name in ("real_price", "change_price", "estimate_price")]
    paid = 0 if row.get("is_free_gift") else next((fen for fen in sums if fen is not None), listed)
    refund, gone, refunded = _refund(row, sales, quantity)
    if refund == "done" and gone < quantity and not 0 < paid <= refunded:
        # Of the line a part was given back, pieces or money: the rest goes its way.
        refund = "none"
    if 0 < gone < quantity and refund != "done":
        quantity, paid = quantity - gone, max(paid - refunded, 0)
    sku = next((str(row[name]) for name in ("sku_code", "out_sku_id", "sku_id", "product_id") if row.get(name)), "")
    line = {
        "sku": sku,
        "title": text(row, "title")[:500],
        "quantity": quantity,
        "unit_price_fen": price,
        "paid_fen": paid,
        "refund": refund,
        "item_id": text(row, "product_id"),
        "sku_id": text(row, "sku_id"),
        "spec": _spec(row),
    }
    return line, listed


def _spec(row: Node) -> str:
    values = (text(attribute, "attr_value") for attribute in nodes(row, "sku_attrs"))
    return " ".join(filter(None, values))[:500]


def line_keys(rows: Iterable[Node]) -> list[str]:
    """Return each line's number: product and SKU, with which shipments are told. A gift of the same SKU and what else
    is equal are set apart."""
    keys, seen = [], dict[str, int]()
    for row in rows:
        key = f"{text(row, 'product_id')}:{text(row, 'sku_id')}{':gift' if row.get('is_free_gift') else ''}"
        seen[key] = seen.get(key, 0) + 1
        keys.append(f"{key}:{seen[key]}" if seen[key] > 1 else key)
    return keys


def _refund(row: Node, sales: Iterable[Node], quantity: int) -> tuple[str, int, int]:
    """Return the refund word of a line, the pieces whose after-sale ended, and the money given back for them (fen)."""
    words, refunded = ["none"], 0
    for sale in sales:
        product = node(sale, "product_info")
        if any(text(product, name) != text(row, name) for name in ("product_id", "sku_id")):
            continue
        word = AFTERSALES.get(text(sale, "status"), "asked")
        words.append(word)
        if word == "done":
            refunded += count(node(sale, "refund_info"), "amount")
    gone = count(row, "finish_aftersale_sku_cnt")
    if count(row, "on_aftersale_sku_cnt") and not {"asked", "agreed"} & set(words):
        words.append("asked")
    if gone >= quantity and len(words) == 1:
        words.append("done")
    return max(words, key=_RANK.__getitem__), gone, refunded
