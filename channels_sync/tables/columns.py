"""Which column of a table holds what: header names that are known, or a mapping file."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orderhub.core.errors import HubError

ORDER_FIELDS = {
    "external_no": "订单号 订单编号 主订单编号 主订单号 平台订单号 交易号 order_no order_id order_number tid",
    "status": "订单状态 状态 交易状态 order_status",
    "created_at": "订单创建时间 下单时间 创建时间 拍下时间 created order_time created_time",
    "paid_at": "付款时间 订单付款时间 支付时间 paid_time pay_time",
    "modified_at": "修改时间 更新时间 最后修改时间 modified updated_at",
    "ship_by": "最晚发货时间 承诺发货时间 应发货时间 发货截止时间 ship_before latest_ship_time",
    "buyer_id": "买家id 买家编号 客户编号 会员编号 customer_id buyer_open_uid",
    "buyer_nickname": "买家昵称 买家会员名 买家旺旺 买家 昵称 会员名 buyer buyer_nick nickname",
    "buyer_ip": "买家ip 下单ip ip",
    "receiver_name": "收货人 收货人姓名 收件人 收件人姓名 姓名 name receiver consignee",
    "phone": "联系手机 手机 手机号 手机号码 收货人手机 收货人手机号 收件人手机 联系电话 收货人电话 电话 mobile "
    "receiver_phone",
    "country": "国家 国家地区",
    "province": "省 省份 收货省份 收货人省份",
    "city": "市 城市 收货城市 收货人城市",
    "district": "区 县 区县 区域 收货区县 收货人区县 county area",
    "town": "街道 乡镇 镇街 street",
    "address": "收货地址 收件地址 详细地址 收货人地址 收货详细地址 地址 detail receiver_address",
    "postcode": "邮编 邮政编码 zip zipcode postal_code",
    "total": "订单金额 订单总价 订单总金额 商品总价 商品总金额 总金额 总价 买家应付货款 total_fee order_total",
    "discount": "优惠金额 订单优惠 优惠 折扣金额 discount_fee",
    "freight": "运费 邮费 快递费 买家应付邮费 post_fee shipping_fee",
    "paid": "实付金额 实付款 实际支付金额 买家实际支付金额 实收金额 payment paid_amount",
    "buyer_remark": "买家留言 买家备注 留言 buyer_message buyer_note",
    "seller_remark": "卖家备注 商家备注 客服备注 订单备注 备注 seller_memo remark",
    "flag": "旗标 旗帜 旗子 备注旗帜 seller_flag",
    "presale": "预售 预售状态",
    "channel_hold": "平台冻结",
}
LINE_FIELDS = {
    "line_no": "子订单编号 子订单号 明细编号 行号 oid line",
    "sku": "商家编码 sku编码 规格编码 商品编码 货品编码 货号 sku_id sku_code item_code",
    "title": "商品名称 宝贝标题 商品标题 宝贝名称 标题 货品名称 product item_name product_name",
    "quantity": "数量 购买数量 商品数量 宝贝数量 件数 qty count num",
    "unit_price": "单价 商品单价 价格 商品价格 price",
    "line_paid": "商品实付 明细实付 子订单实付 实付小计 小计 line_total",
    "refund": "退款状态 售后状态 refund_status",
    "item_id": "商品id 宝贝id 商品链接id 平台商品id num_iid product_id",
    "channel_sku_id": "规格id 平台规格id 平台sku_id",
    "spec": "规格 商品规格 商品属性 销售属性 规格名称 sku_properties_name variant",
}
"""By field: further header names, besides the field's own. Spaces, brackets and case do not count."""
MONEY = ("total", "discount", "freight", "paid", "unit_price", "line_paid")
REQUIRED = ("external_no", "created_at", "quantity")
_UNIT = re.compile(r"[(（]\s*(?:元|yuan)\s*[)）]", re.IGNORECASE)
_NOISE = re.compile(r"[\s_\-()（）【】\[\]:：*\"'.]+")


@dataclass(slots=True, frozen=True)
class ColumnMapping:
    """A mapping file: `columns` {field: header}, `values` {field: {cell: word}}, `constants` {field: text}."""

    columns: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class Columns:
    """Where each field stands in a row."""

    order: Mapping[str, int]
    line: Mapping[str, int]
    values: Mapping[str, Mapping[str, str]]
    constants: Mapping[str, str]
    unused: Sequence[str] = ()
    """Headers of the columns that no field is read from."""

    def order_cells(self, row: Sequence[str]) -> dict[str, str]:
        """Return the filled order fields of one row."""
        return self._cells(self.order, row, ORDER_FIELDS)

    def line_cells(self, row: Sequence[str]) -> dict[str, str]:
        """Return the filled line fields of one row."""
        return self._cells(self.line, row, LINE_FIELDS)

    def _cells(self, places: Mapping[str, int], row: Sequence[str], known: Mapping[str, str]) -> dict[str, str]:
        found = {name: text for name, text in self.constants.items() if name.removesuffix("_fen") in known}
        for name, place in places.items():
            cell = row[place].strip() if place < len(row) else ""
            if cell:
                found[name] = self.values.get(name, {}).get(cell, cell)
        return found


def read_mapping(path: Path) -> ColumnMapping:
    """Return the mapping of a JSON file. Raises HubError that names what is wrong with it."""
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise HubError(f"the mapping file cannot be read: {error}") from error
    parts = ("columns", "values", "constants")
    if not isinstance(value, dict) or not set(value) <= set(parts):
        raise HubError(f"a mapping file is an object with {', '.join(parts)}")
    for part in parts:
        _check_fields(value.get(part, {}), part)
    if not all(isinstance(words, dict) for words in value.get("values", {}).values()):
        raise HubError("mapping: values must be objects of cell and word")
    return ColumnMapping(*({str(k): v for k, v in value.get(part, {}).items()} for part in parts))


def find_columns(header: Sequence[str], mapping: ColumnMapping) -> Columns:
    """Return the columns of a table. Raises HubError that names the fields without one."""
    places = {plain_header(name): place for place, name in reversed(list(enumerate(header)))}
    found: dict[str, int] = {}
    for name in (*ORDER_FIELDS, *LINE_FIELDS):
        for variant in (name, f"{name}_fen") if name in MONEY else (name,):
            place = _place(variant, mapping, places)
            if place is not None:
                found[variant] = place
    missing = [name for name in REQUIRED if name not in found and name not in mapping.constants]
    if missing:
        columns = ", ".join(name for name in header if name)[:300]
        raise HubError(f"no column for {', '.join(missing)}; the file has: {columns}")
    order = {name: place for name, place in found.items() if name.removesuffix("_fen") in ORDER_FIELDS}
    line = {name: place for name, place in found.items() if name not in order}
    unused = tuple(name for place, name in enumerate(header) if name and place not in found.values())
    return Columns(order, line, mapping.values, {k: str(v) for k, v in mapping.constants.items()}, unused)


def _place(name: str, mapping: ColumnMapping, places: Mapping[str, int]) -> int | None:
    wanted = mapping.columns.get(name)
    if wanted is not None:
        place = places.get(plain_header(wanted))
        if place is None:
            raise HubError(f"mapping: the file has no column {wanted!r} (for {name})")
        return place
    base = name.removesuffix("_fen")
    synonyms = (ORDER_FIELDS.get(base) or LINE_FIELDS.get(base) or "").split() if base == name else []
    return next((places[plain] for word in (name, *synonyms) if (plain := plain_header(word)) in places), None)


def plain_header(name: str) -> str:
    """Return a column's name without case, spaces, brackets and unit, as synonyms are written."""
    return _NOISE.sub("", _UNIT.sub("", str(name).replace("\ufeff", ""))).casefold()


def _check_fields(part: Any, where: str) -> None:
    if not isinstance(part, dict):
        raise HubError(f"mapping: {where} must be an object")
    known = {*ORDER_FIELDS, *LINE_FIELDS, *(f"{name}_fen" for name in MONEY)}
    unknown = sorted(set(part) - known)
    if unknown:
        raise HubError(f"mapping: unknown field {unknown[0]!r}; known are {', '.join(sorted(known))}")
