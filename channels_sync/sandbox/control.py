"""The sandbox's own side door, `/_sandbox/…`: set faults, look at what happened, make things happen. JSON both ways."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from channels_sync.sandbox import catalogue, evolve
from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.faults import KINDS, Faults
from channels_sync.sandbox.live import Live
from channels_sync.sandbox.qimen import Warehouse
from channels_sync.sandbox.replies import Reply, json_reply
from channels_sync.sandbox.shop_push import ShopPush
from channels_sync.sandbox.store import Store, unix
from channels_sync.sandbox.wechat_contacts import WechatContacts

Params = Mapping[str, str]
MOST_ORDERS = 10_000
"""Orders that one `tick` may make."""


class Control:
    """Answers the control endpoints; `push` is None when no hub is given."""

    def __init__(
        self,
        store: Store,
        credentials: Credentials,
        faults: Faults,
        live: Live,
        warehouse: Warehouse,
        push: ShopPush | None,
        contacts: WechatContacts,
    ) -> None:
        self._store, self._credentials, self._faults = store, credentials, faults
        self._live, self._warehouse, self._push, self._contacts = live, warehouse, push, contacts
        self._get: dict[str, Callable[[Params], Reply]] = {
            "state": self._state,
            "faults": self._fault_list,
            "orders": self._orders,
            "labels": self._labels,
            "deliveries": self._deliveries,
            "callbacks": self._callbacks,
            "catalogue": self._catalogue,
            "writes": self._writes,
            "totals": self._totals,
        }
        self._post: dict[str, Callable[[dict[str, Any]], Reply]] = {
            "faults": self._set_fault,
            "tick": self._tick,
            "change": self._change,
            "options": self._options,
            "give_back": self._give_back,
        }

    def answer(self, verb: str, name: str, params: Params, body: str) -> Reply:
        """Return the reply to `verb /_sandbox/<name>`; mistakes are answered with 400 or 404 and a sentence."""
        if verb == "DELETE" and name == "faults":
            self._faults.clear()
            return json_reply({"set": []})
        try:
            if verb == "POST" and name in self._post:
                options = json.loads(body or "{}")
                if not isinstance(options, dict):
                    raise ValueError("a JSON object is expected")
                return self._post[name](options)
            if verb == "GET" and name in self._get:
                return self._get[name](params)
        except (ValueError, KeyError, TypeError) as error:
            return json_reply({"error": str(error)}, 400)
        return json_reply(
            {"error": f"no such endpoint: {verb} {name}", "get": [*self._get], "post": [*self._post]}, 404
        )

    def _state(self, params: Params) -> Reply:
        del params
        state = {
            **self._store.totals(),
            "rate": self._live.rate,
            "repeat_is_success": self._warehouse.repeat_is_success,
            "push_error": self._push.last_error if self._push else None,
            "faults": self._faults.listing(),
        }
        return json_reply(state)

    def _orders(self, params: Params) -> Reply:
        """List orders as the sandbox knows them, plain: `external_no`, or the latest `limit` of `shop`."""
        if params.get("external_no"):
            order = self._store.get(params["external_no"])
            return json_reply({"orders": [order.draft] if order else []})
        orders = self._store.latest(params.get("shop", ""), int(params.get("limit", "50")))
        return json_reply({"orders": [order.draft for order in orders]})

    def _labels(self, params: Params) -> Reply:
        orders = self._store.latest(params.get("shop", ""), int(params.get("limit", "1000000")))
        return _lines([order.label() for order in orders])

    def _deliveries(self, params: Params) -> Reply:
        """List what the warehouse was told; with `code`, one delivery order with its XML."""
        columns = "code, delivery_id, customer, received, times"
        if params.get("code"):
            found = self._store.query("SELECT * FROM deliveries WHERE code = ?", params["code"])
        else:
            limit = int(params.get("limit", "1000"))
            query = f"SELECT {columns} FROM deliveries ORDER BY delivery_id DESC LIMIT ?"  # noqa: S608
            found = self._store.query(query, limit)
        return json_reply({"total": self._store.totals()["deliveries"], "deliveries": [dict(row) for row in found]})

    def _callbacks(self, params: Params) -> Reply:
        """List what the warehouse told the hub and will tell it, latest first; with `code`, of one delivery order."""
        floor = self._warehouse.floor
        calls = floor.calls(params.get("code", ""), int(params.get("limit", "1000"))) if floor else []
        return json_reply({"callbacks": calls})

    def _catalogue(self, params: Params) -> Reply:
        return _lines(list(catalogue.stock_rows(params.get("warehouse") or self._credentials.warehouse_code)))

    def _writes(self, params: Params) -> Reply:
        """List what the platforms were told, latest first, by `platform`, `kind` (stock, shipment, memo) and `key`;
        with `last=1` only the last word on each key."""
        platform, kind, key = (params.get(name, "") for name in ("platform", "kind", "key"))
        limit, last = int(params.get("limit", "1000")), params.get("last") == "1"
        return json_reply({"writes": self._store.writes(platform, kind, key, limit=limit, last=last)})

    def _fault_list(self, params: Params) -> Reply:
        """List the faults that are set, those that came at random, and all kinds."""
        del params
        chaos = self._faults.chaos
        random = chaos.report() if chaos else None
        return json_reply({"set": self._faults.listing(), "random": random, "kinds": KINDS})

    def _totals(self, params: Params) -> Reply:
        """Count and add up the orders that each platform (`shop`) shows by now, by status; `from` and `to` are ISO
        times of creation, both ends belong to it."""
        start, end = (unix(params[name]) if params.get(name) else None for name in ("from", "to"))
        now = int(self._live.now().timestamp())
        return json_reply({"shops": self._store.sums(params.get("shop", ""), now, start, end)})

    def _set_fault(self, options: dict[str, Any]) -> Reply:
        self._faults.add(options)
        return json_reply({"set": self._faults.listing()})

    def _tick(self, options: dict[str, Any]) -> Reply:
        """Make `orders` orders now, or let `seconds` seconds of the usual rate pass."""
        if "seconds" in options:
            return json_reply({"made": self._live.beat(float(options["seconds"]))})
        count = int(options.get("orders", 1))
        if not 1 <= count <= MOST_ORDERS:
            raise ValueError(f"orders must be 1 to {MOST_ORDERS}")
        return json_reply({"external_nos": self._live.make(count)})

    def _change(self, options: dict[str, Any]) -> Reply:
        """Change one order now: `external_no` and `change`; with `quiet` its modification time stays."""
        if options.get("change") not in evolve.CHANGES:
            raise ValueError(f"unknown change {options.get('change')!r}; one of {', '.join(evolve.CHANGES)}")
        number, is_quiet = str(options.get("external_no", "")), options.get("quiet") is True
        order = self._live.change(number, options["change"], is_quiet=is_quiet)
        if order is None:
            return json_reply({"error": "no such order"}, 404)
        return json_reply({"order": order.draft, "label": order.label()})

    def _give_back(self, options: dict[str, Any]) -> Reply:
        """Let the warehouse give one delivery order back now: `code`, `node` (REJECT, CANCELED, CLOSED) and `info`."""
        floor, code = self._warehouse.floor, str(options.get("code", ""))
        node, info = str(options.get("node", "REJECT")), str(options.get("info", ""))
        if floor is None or not floor.give_back(code, node, info):
            return json_reply({"error": "no such delivery order at work"}, 404)
        return json_reply({"callbacks": floor.calls(code)})

    def _options(self, options: dict[str, Any]) -> Reply:
        """Set `rate` (orders per minute), `fault_rate`, `repeat_is_success`, `wechat_hides` (WeChat receivers are
        masked until they are opened) or the pace of the warehouse (`pace`: its names and numbers) while running."""
        if "rate" in options:
            self._live.rate = float(options["rate"])
        if "fault_rate" in options and self._faults.chaos:
            self._faults.chaos.set_rate(float(options["fault_rate"]))
        if "repeat_is_success" in options:
            self._warehouse.repeat_is_success = bool(options["repeat_is_success"])
        if "wechat_hides" in options:
            self._contacts.hides = bool(options["wechat_hides"])
        if self._warehouse.floor and "pace" in options:
            changed = {name: float(value) for name, value in dict(options["pace"]).items()}
            self._warehouse.floor.pace = replace(self._warehouse.floor.pace, **changed)
        return self._state({})


def _lines(rows: list[dict[str, Any]]) -> Reply:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return Reply(text.encode(), "application/x-ndjson;charset=UTF-8")
