"""Lines and sums of a JD order, in fen.

An item carries JD's price and no amount paid. What a single item was reduced by stands in `couponDetailList` under its
SKU (type 30); every other reduction is the order's, and JD's order service does not tell its share per item. The shares
here are by value, the dearest line takes what rounding leaves, and they add up to what was paid.
"""

from typing import Any

from channels_sync.connectors.fields import Fields, fen, rows, text, whole
from orderhub.core.errors import FieldError
from orderhub.core.money import MAX_FEN, by_value

SINGLE_ITEM = "30"
"""The only type of reduction that names its SKU."""
PAID_FIELDS = ("actualPay", "shouldPay", "orderPayment")
"""What was paid, the first that is there: `actualPay` may lag, `orderPayment` is not kept up since 2024-10."""


def read_lines(order: Fields) -> list[dict[str, Any]]:
    """Return the lines of an order, `total_fen` beside the fields of a draft's line. Raises FieldError."""
    items = rows(order, "itemInfoList")
    if not items:
        raise FieldError("itemInfoList", "the order has no lines")
    reductions = _reductions(order)
    lines: list[dict[str, Any]] = []
    times: dict[str, int] = {}
    for place, item in enumerate(items):
        line = _line(item, f"itemInfoList[{place}]", reductions)
        number = line["line_no"]
        times[number] = times.get(number, 0) + 1
        # A gift may be the very article that was bought: the same SKU on two lines.
        if times[number] > 1:
            line["line_no"] = f"{number}-{times[number]}"
        lines.append(line)
    return lines


def order_amounts(order: Fields, lines: list[dict[str, Any]], *, is_paid: bool) -> tuple[dict[str, int], str]:
    """Return the sums of an order and the field that says what was paid; sets `paid_fen` of the lines.

    Takes `total_fen` out of the lines. Raises FieldError.
    """
    totals = [line.pop("total_fen") for line in lines]
    total = sum(totals)
    freight = fen(order, "freightPrice") or 0
    source = next((name for name in PAID_FIELDS if text(order, name)), "") if is_paid else ""
    paid = (fen(order, source) or 0) if source else 0
    for line, part in zip(lines, by_value(totals, min(max(paid - freight, 0), total)), strict=True):
        line["paid_fen"] = part
    single = sum(_reductions(order).values())
    discount = max((fen(order, "sellerDiscount") or 0) - single, 0)
    return {"total_fen": total, "discount_fen": discount, "freight_fen": freight, "paid_fen": paid}, source


def _line(item: Any, path: str, reductions: dict[str, int]) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise FieldError(path, "a line must be an object")
    quantity = whole(item, "itemTotal", path)
    price = fen(item, "jdPrice", path)
    if price is None:
        raise FieldError(f"{path}.jdPrice", "required")
    number = text(item, "skuId")
    if not number:
        raise FieldError(f"{path}.skuId", "required")
    taken = min(reductions.get(number, 0), price * quantity)
    if taken:
        reductions[number] -= taken
    total = price * quantity - taken
    if total > MAX_FEN:
        raise FieldError(f"{path}.jdPrice", "price and number of pieces give no believable amount")
    return {
        "line_no": number,
        "sku": text(item, "outerSkuId") or number,
        "title": text(item, "skuName")[:500],
        "quantity": quantity,
        "unit_price_fen": (total + quantity // 2) // quantity,
        "paid_fen": 0,
        "refund": "none",
        "item_id": text(item, "wareId"),
        "sku_id": number,
        "total_fen": total,
    }


def _reductions(order: Fields) -> dict[str, int]:
    """Return what each SKU was reduced by. Raises FieldError."""
    found: dict[str, int] = {}
    for place, row in enumerate(rows(order, "couponDetailList")):
        if isinstance(row, dict) and text(row, "couponType").partition("-")[0] == SINGLE_ITEM and text(row, "skuId"):
            amount = fen(row, "couponPrice", f"couponDetailList[{place}]") or 0
            found[text(row, "skuId")] = found.get(text(row, "skuId"), 0) + amount
    return found
