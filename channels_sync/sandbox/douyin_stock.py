"""The stock methods of the Douyin gateway (protocol reference 4.6)."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from channels_sync.sandbox import catalogue
from channels_sync.sandbox.douyin_errors import DouyinError, business, parameter
from channels_sync.sandbox.douyin_view import sku_id
from channels_sync.sandbox.store import Store

Params = Mapping[str, Any]
Answer = dict[str, Any]
_TRUE = (True, "true", "True")


class Stock:
    """Keeps what can be sold of each SKU. Pieces of unpaid orders are held and not part of the number it shows."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._by_number = {str(sku_id(article)): article for article in catalogue.articles()}

    def read(self, params: Params) -> Answer:
        """Answer `sku.stockNum`."""
        article = self._article(params)
        return {
            "sku_id": sku_id(article), "code": article.sku, "sku_type": 0, "stock_num": self._shown(article),
            "prehold_stock_num": self._held(article.sku), "prom_stock_num": 0,
        }  # fmt: skip

    def write(self, params: Params) -> Answer:
        """Answer `sku.syncStock`: absolute, or a difference with an idempotency key."""
        article = self._article(params)
        with self._store.transaction():
            self._once(params)
            self._set(article, self._wanted(article, params))
        return {}

    def write_many(self, params: Params) -> Answer:
        """Answer `sku.syncStockBatch`: SKUs of one product, all of them or none."""
        rows = params.get("sku_sync_list")
        if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
            raise DouyinError(40002, "isv.missing-parameter:2010004", "参数缺失")
        articles = [self._article(row) for row in rows]
        if {str(article.item_id) for article in articles} != {str(params.get("product_id"))}:
            raise parameter(2010013, "查询商品信息失败，请检查参数后重试")
        with self._store.transaction():
            self._once(params)
            wanted = [self._wanted(article, {**params, **row}) for article, row in zip(articles, rows, strict=True)]
            for article, quantity in zip(articles, wanted, strict=True):
                self._set(article, quantity)
        return {}

    def _once(self, params: Params) -> None:
        """Raise DouyinError for a difference whose key was used; absolute numbers need none."""
        if params.get("incremental") not in _TRUE:
            return
        key = str(params.get("idempotent_id") or "")
        if not key:
            raise DouyinError(40002, "isv.missing-parameter:2010004", "idempotent_id 不能为空")
        if self._store.fact(f"douyin_idempotent/{key}"):
            raise DouyinError(40003, "isv.idempotent-id-existed", "幂等ID重复")
        self._store.set_fact(f"douyin_idempotent/{key}", "1")

    def _wanted(self, article: catalogue.Article, params: Params) -> int:
        try:
            number = int(str(params.get("stock_num")))
        except ValueError as error:
            raise parameter(2010013, "库存值错误") from error
        quantity = self._shown(article) + number if params.get("incremental") in _TRUE else number
        if quantity < 0:
            raise business(2010012, "更新库存数失败: 库存不足")
        return quantity

    def _set(self, article: catalogue.Article, quantity: int) -> None:
        self._store.set_fact(f"douyin_stock/{article.sku}", str(quantity + self._held(article.sku)))
        body = {"sku_id": sku_id(article), "stock_num": quantity}
        self._store.add_write("douyin", "stock", article.sku, int(self._now().timestamp()), body)

    def _shown(self, article: catalogue.Article) -> int:
        sellable = int(self._store.fact(f"douyin_stock/{article.sku}", str(article.on_hand)))
        return max(sellable - self._held(article.sku), 0)

    def _held(self, sku: str) -> int:
        rows = self._store.query("SELECT draft FROM orders WHERE shop = 'douyin' AND status = 'unpaid'")
        lines = (line for row in rows for line in json.loads(row["draft"])["lines"])
        return sum(line["quantity"] for line in lines if line["sku"] == sku)

    def _article(self, params: Params) -> catalogue.Article:
        number, code = str(params.get("sku_id") or ""), str(params.get("code") or "")
        article = self._by_number.get(number) if number else catalogue.by_sku().get(code)
        if article is None:
            raise parameter(5, f"sku_id: {number or code}, 找不到对应的sku")
        return article
