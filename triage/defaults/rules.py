"""The starter rules: the order checks that most ERPs of the field have (reference 4.10)."""

from typing import Any

from triage.predicates import ip

Condition = dict[str, Any]


def leaf(fact: str, op: str, value: Any = None) -> Condition:
    """Return one condition."""
    return {"fact": fact, "op": op} if value is None else {"fact": fact, "op": op, "value": value}


def _address(*problems: str) -> Condition:
    return leaf("address.problems", "has_any", list(problems))


def _rule(
    code: str,
    outcome: str,
    severity: int,
    condition: Condition,
    names: str,
    reasons: str,
    clears: str,
    state: str = "on",
) -> dict[str, Any]:
    name_zh, name_en = names.split(" | ")
    reason_zh, reason_en = reasons.split(" | ")
    clear_zh, clear_en = clears.split(" | ") if clears else ("", "")
    return {
        "code": code, "outcome": outcome, "severity": severity, "condition": condition, "state": state,
        "name_zh": name_zh, "name_en": name_en, "reason_zh": reason_zh, "reason_en": reason_en,
        "clear_zh": clear_zh, "clear_en": clear_en,
    }  # fmt: skip


RULES: tuple[dict[str, Any], ...] = (
    _rule(
        "buyer_denied", "abnormal", 5, leaf("buyer.is_denied", "yes"),
        "黑名单买家 | Buyer on the deny list",
        "买家在黑名单中 | The buyer is on the deny list",
        "从名单移除，或由风控放行 | Take the buyer off the list, or let risk review release the order",
    ),
    _rule(
        "price_off", "abnormal", 4, leaf("price.off_percent", "gt", 30),
        "单价偏离 | Unit price off",
        "{price.sku} 单价 {price.unit}，偏离{price.source} {price.baseline} 达 {price.change} | "
        "{price.sku} costs {price.unit}, {price.change} off the baseline {price.baseline} ({price.source})",
        "单价回到基线 ±30% 以内，或登记活动价 | A unit price within ±30% of the baseline, or a campaign price entered",
    ),
    _rule(
        "price_below_floor", "abnormal", 5, leaf("price.below_floor", "yes"),
        "低于底价 | Under the floor price",
        "{price.sku} 单价 {price.unit}，低于底价 {price.floor} | "
        "{price.sku} costs {price.unit}, under its floor price {price.floor}",
        "改价或由风控确认亏本发货 | Correct the price, or risk review confirms the loss",
    ),
    _rule(
        "ip_cluster", "abnormal", 4,
        {"all": [
            leaf("ip.orders_60m", "ge", ip.ORDERS), leaf("ip.buyers_60m", "ge", ip.BUYERS),
            leaf("ip.is_shared", "no"), leaf("buyer.is_trusted", "no"),
        ]},
        "同一 IP 多单 | Many orders from one IP",
        "同一 IP 在 60 分钟内 {ip.orders_60m} 单、{ip.buyers_60m} 个买家 | "
        "{ip.orders_60m} orders of {ip.buyers_60m} buyers from one IP within 60 minutes",
        "属办公或校园网络时登记为共享网络 | Enter the network as shared if it is an office or campus",
    ),
    _rule(
        "quantity_high", "abnormal", 3,
        {"any": [leaf("amount.most_of_one_sku", "gt", 10), leaf("amount.over_campaign_limit", "yes")]},
        "数量过大 | Large quantity",
        "同一商品 {amount.most_of_one_sku} 件 | {amount.most_of_one_sku} pieces of one article",
        "联系买家确认用途，或由风控放行 | Ask the buyer, or let risk review release the order",
    ),
    _rule(
        "phone_invalid", "to_confirm", 3,
        leaf("phone.state", "is_not", "ok"),
        "电话无效 | Invalid phone",
        "收件电话：{phone.state} | Receiver's phone: {phone.state}",
        "补一个快递能打通的号码 | A number that a courier can reach",
    ),
    _rule(
        "address_vague", "to_confirm", 3, _address("vague_end", "direction", "landmark_only"),
        "地址模糊 | Vague address",
        "地址{address.problems}：{address.ends_with} | Address: {address.problems} {address.ends_with}",
        "补充门牌、楼栋和房号，或驿站名称 | House number, building and room, or a pick-up point",
    ),
    _rule(
        "address_incomplete", "to_confirm", 3,
        _address("missing", "too_short", "no_number", "no_building", "digits_only"),
        "地址不全 | Incomplete address",
        "地址{address.problems} | Address: {address.problems}",
        "补充门牌、楼栋和房号 | House number, building and room",
    ),
    _rule(
        "address_placeholder", "to_confirm", 4, _address("placeholder", "repeated"),
        "占位地址 | Placeholder address",
        "地址{address.problems} | Address: {address.problems}",
        "请买家提供真实地址 | A real address from the buyer",
    ),
    _rule(
        "address_mixed", "to_confirm", 2, _address("phone_inside", "second_address", "odd_characters"),
        "地址混杂 | Mixed address",
        "地址{address.problems} | Address: {address.problems}",
        "只保留一个地址，电话移到电话栏 | One address only, the phone in its own field",
    ),
    _rule(
        "region_conflict", "to_confirm", 3, leaf("region.conflict", "yes"),
        "省市区不符 | Region names contradict",
        "省、市、区对不上或缺城市 | Province, city and district do not belong together, or the city is missing",
        "与买家核对所在省市区 | Check province, city and district with the buyer",
    ),
    _rule(
        "duty_unclear", "to_confirm", 4,
        {"all": [leaf("region.kind", "in", ["hk_mo_tw", "overseas"]), leaf("remark.duty_stated", "no")]},
        "关税责任未说明 | Customs duty unclear",
        "发往{region.kind}，备注未说明关税责任 | Goes to {region.kind}; no remark says who pays customs duty",
        "与买家确认并在备注写明关税由谁承担 | Agree with the buyer who pays and write it into the remark",
    ),
    _rule(
        "duplicate_order", "to_confirm", 3,
        {"all": [leaf("duplicate.is_repeat", "yes"), leaf("buyer.is_trusted", "no")]},
        "疑似重复下单 | Possible duplicate",
        "同一买家 {duplicate.minutes} 分钟前已买 {duplicate.sku} × {duplicate.quantity} | "
        "The same buyer bought {duplicate.sku} × {duplicate.quantity} {duplicate.minutes} minutes before",
        "买家确认两单都要 | The buyer confirms both orders",
    ),
    _rule(
        "amount_high", "to_confirm", 2,
        {"all": [leaf("amount.total", "gt", 500_000), leaf("buyer.is_trusted", "no")]},
        "大额订单 | High amount",
        "订单金额 {amount.total} | Order total {amount.total}",
        "与买家核实 | Check with the buyer", state="off",
    ),
    _rule(
        "remark_change", "to_confirm", 3, leaf("remark.asks_change", "yes"),
        "留言要求改单 | Remark asks for a change",
        "买家留言：{remark.change_words} | The buyer's remark: {remark.change_words}",
        "按留言处理后放行 | Do what the remark asks, then release",
    ),
    _rule(
        "remark_hold", "to_confirm", 2, leaf("remark.wishes", "has", "hold"),
        "买家要求先不发货 | Buyer asks not to ship yet",
        "买家留言要求等通知或改日发货 | The buyer asks to wait with shipping",
        "与买家约定发货日 | Agree on a shipping date",
    ),
    _rule(
        "stock_short", "to_confirm", 3,
        leaf("stock.is_short", "yes"),
        "缺货 | Short of stock",
        "库存不足：{stock.short_skus} | Not enough stock: {stock.short_skus}",
        "补货，或与买家协商换货、预售 | Restock, or agree on a substitute or presale",
    ),
    _rule(
        "sku_unmatched", "to_confirm", 3, leaf("stock.has_unmatched", "yes"),
        "货品未匹配 | Article not matched",
        "没有对应的自有 SKU：{stock.unmatched} | Not matched with an own SKU: {stock.unmatched}",
        "在渠道商品里匹配 SKU，或标记为忽略 | Match the channel item with a SKU, or say that it needs none",
    ),
    _rule(
        "region_sensitive", "to_confirm", 3, leaf("region.sensitive", "yes"),
        "敏感地区 | Sensitive region",
        "收件地在敏感地区名单中 | The place is on the list of sensitive regions",
        "人工确认可以发货 | A person confirms that it may ship",
    ),
    _rule(
        "shipping_stopped", "to_confirm", 4, leaf("region.is_stopped", "yes"),
        "停发地区 | Shipping stopped",
        "{region.stop_place}停发至 {region.stop_until}（{region.stop_courier}）：{region.stop_reason} | "
        "Nothing ships to {region.stop_place} until {region.stop_until} ({region.stop_courier}): {region.stop_reason}",
        "等停发结束后自动放行，或改用其他快递 | Wait until the stop ends, or ship with another courier",
    ),
    _rule(
        "urgent_now", "urgent", 3, leaf("remark.urgency", "ge", 3),
        "特急 | Very urgent",
        "备注加急词：{remark.urgent_words} | Urgent words: {remark.urgent_words}", "",
    ),
    _rule(
        "urgent", "urgent", 2, leaf("remark.urgency", "eq", 2),
        "加急 | Urgent",
        "备注加急词：{remark.urgent_words} | Urgent words: {remark.urgent_words}", "",
    ),
    _rule(
        "urged", "urgent", 2, leaf("order.is_urged", "yes"),
        "平台催发货 | Urged on the platform",
        "买家在平台上点了催发货 | The buyer asked the platform for speed", "",
    ),
    _rule(
        "urgent_hint", "urgent", 1, leaf("remark.urgency", "eq", 1),
        "催发提示 | Asks for speed",
        "备注希望快发：{remark.urgent_words} | Wants it soon: {remark.urgent_words}", "",
    ),
    _rule(
        "buyer_returns", "abnormal", 3, leaf("buyer.returns_90d", "ge", 3),
        "多次拒收退货 | Many returns",
        "买家 90 天内拒收或退货 {buyer.returns_90d} 单 | "
        "The buyer refused or returned {buyer.returns_90d} orders in 90 days",
        "由风控放行 | Risk review releases the order", state="shadow",
    ),
    _rule(
        "buyer_trusted", "tag", 1, leaf("buyer.is_trusted", "yes"),
        "白名单买家 | Trusted buyer", "买家在白名单中 | The buyer is on the allow list", "",
    ),
    _rule(
        "region_remote", "tag", 1, leaf("region.kind", "is", "remote"),
        "偏远地区 | Remote region", "收件地为偏远地区 | Goes to a remote region", "",
    ),
    _rule(
        "forwarding", "tag", 1, leaf("address.forwarding", "yes"),
        "转运仓 | Forwarding warehouse", "地址为转运或集运仓 | The address is a forwarder's", "",
    ),
    _rule(
        "ship_wishes", "tag", 1, leaf("remark.wishes", "has_any", ["later", "together", "apart", "delivery"]),
        "发货与派送要求 | Shipping wishes", "买家要求：{remark.wishes} | The buyer wishes: {remark.wishes}", "",
    ),
)  # fmt: skip
