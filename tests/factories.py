"""Rows for tests, made one at a time with believable invented values; every value can be given."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import orjson
from django.contrib.auth.models import Permission, User

from orderhub.core.contacts import canonical_phone, contact_kind, mask_detail, mask_name, mask_phone, phone_tail
from orderhub.core.crypto import blind, name_grams, seal
from orderhub.models import Buyer, Order, OrderLine, Parcel, Receiver, Shop

START = datetime(2026, 11, 11, 0, 0, tzinfo=UTC)
_numbers = count(1)


def make_shop(code: str = "", **values: Any) -> Shop:
    """Make a shop; without a code it gets a fresh one."""
    code = code or f"shop-{next(_numbers)}"
    return Shop.objects.create(code=code, **{"name": f"Shop {code}", "platform": "file", **values})


def make_buyer(shop: Shop, external_id: str = "", nickname: str = "") -> Buyer:
    """Make a buyer of `shop`."""
    external_id = external_id or f"u-{next(_numbers)}"
    return Buyer.objects.create(shop=shop, external_id=external_id, nickname=nickname or f"nick-{external_id}")


def make_order(
    shop: Shop | None = None,
    *,
    name: str = "李雷",
    phone: str = "13912345678",
    detail: str = "文三路 90 号 3 幢 501 室",
    lines: int = 1,
    **values: Any,
) -> Order:
    """Make an order with its receiver and `lines` lines."""
    number = next(_numbers)
    shop = shop or make_shop()
    made = START + timedelta(seconds=number)
    defaults: dict[str, Any] = {
        "external_no": f"T{20261111000000 + number}",
        "status": "paid",
        "created_at": made,
        "paid_at": made,
        "modified_at": made,
        "received_at": made,
        "total_fen": 12900 * lines,
        "paid_fen": 12900 * lines,
        "item_count": lines,
        "content_hash": number,
    }
    order = Order.objects.create(shop=shop, **{**defaults, **values})
    make_receiver(order, name=name, phone=phone, detail=detail)
    for line in range(1, lines + 1):
        OrderLine.objects.create(
            shop=shop, order=order, line_no=str(line), sku=f"SKU-{line}", title=f"精华液 {line} 号", quantity=1,
            unit_price_fen=12900, paid_fen=12900,
        )  # fmt: skip
    return order


def make_receiver(order: Order, *, name: str, phone: str, detail: str) -> Receiver:
    """Give an order its receiver: sealed, masked and indexed as the pool does it."""
    clear = {"name": name, "phone": phone, "detail": detail, "postcode": "", "ip": ""}
    tail = phone_tail(phone)
    return Receiver.objects.create(
        order=order,
        shop=order.shop,
        kind=contact_kind(phone),
        name_masked=mask_name(name),
        phone_masked=mask_phone(phone),
        detail_masked=mask_detail(detail),
        province="浙江省",
        city="杭州市",
        district="西湖区",
        sealed=seal(orjson.dumps(clear), b"receiver"),
        phone_index=blind(b"phone", canonical_phone(phone)),
        tail_index=blind(b"tail", tail) if tail else None,
        name_grams=name_grams(name),
    )


def make_parcel(order: Order, tracking_no: str = "", **values: Any) -> Parcel:
    """Make a parcel that `order` travels in."""
    parcel = Parcel.objects.create(
        shop=order.shop, tracking_no=tracking_no or f"SF{next(_numbers):012d}", **{"carrier": "SF", **values}
    )
    parcel.orders.add(order)
    return parcel


def make_user(username: str = "", *permissions: str, **values: Any) -> User:
    """Make a person with permissions given as `app.codename`; the password is the user name + `-password`."""
    username = username or f"user{next(_numbers)}"
    user = User.objects.create_user(username, password=f"{username}-password", **values)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user
