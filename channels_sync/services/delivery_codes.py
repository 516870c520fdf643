"""The numbers by which warehouses know orders: `<shop code>-<order number>`, and `-R1`, `-R2` … after each give-back.

A warehouse takes a number once: what it refused or cancelled it does not take again under the same one, it answers
that it has it already. So a delivery order that came back is followed by one with a number of its own.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db import connection

from orderhub.models import Warehouse
from orderhub.services.bulk import records

_AGAIN = re.compile(r"^(.+)-R([1-9]\d{0,3})$")


@dataclass(slots=True, frozen=True)
class DeliveryOrder:
    """One order as one of its delivery orders; `given_back` counts those that came back before this one."""

    order_id: int
    given_back: int


def delivery_order_code(shop_code: str, external_no: str, given_back: int = 0) -> str:
    """Return the number by which the warehouse knows an order, the same at every try until it gives the order back."""
    code = f"{shop_code}-{external_no}"
    return f"{code}-R{given_back}" if given_back else code


def find_orders(codes: Iterable[tuple[Warehouse, str]]) -> dict[tuple[int, str], DeliveryOrder]:
    """Return the delivery orders by (warehouse id, code), in one query; unknown codes are left out.

    Shop code and number may hold hyphens and look like the end of a repeat: each way to read a code is looked up, and
    one that has two meanings counts as unknown. An order is its warehouse's when its shop sends there now, or when the
    order itself was on its way there, answered or not.
    """
    wanted = {(house.pk, house.code, code) for house, code in codes}
    readings = [
        {"house": house, "house_code": house_code, "code": code, "shop": shop, "number": number, "given_back": count}
        for house, house_code, code in sorted(wanted)
        for shop, number, count in _readings(code)
    ]
    if not readings:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT r.house, r.code, min(o.id), min(r.given_back)
            FROM json_to_recordset(%s::json)
                AS r(house bigint, house_code text, code text, shop text, number text, given_back int)
            JOIN orderhub_shop s ON s.code = r.shop
            JOIN orderhub_order o ON o.shop_id = s.id AND o.external_no = r.number AND o.given_back >= r.given_back
            WHERE s.warehouse_id = r.house OR EXISTS (
                SELECT FROM orderhub_timelineentry t
                WHERE t.order_id = o.id AND t.kind IN ('wms_push', 'status') AND t.data ->> 'warehouse' = r.house_code)
            GROUP BY r.house, r.code HAVING count(*) = 1
            """,
            [records(readings)],
        )
        return {
            (house, code): DeliveryOrder(order_id, given_back)
            for house, code, order_id, given_back in cursor.fetchall()
        }


def _readings(code: str) -> Iterator[tuple[str, str, int]]:
    """Yield the ways to read a code: shop code, order number, how often it was given back."""
    again = _AGAIN.match(code)
    for text, count in [(code, 0), *([(again[1], int(again[2]))] if again else [])]:
        for place, letter in enumerate(text):
            if letter == "-":
                yield text[:place], text[place + 1 :], count
