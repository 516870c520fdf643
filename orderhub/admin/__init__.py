"""The pool's pages in the console."""

from orderhub.admin import access, dashboard_cards, gate, intake, jobs, order, outbox, people, ship_rule, shop, stock

__all__ = [
    "access", "dashboard_cards", "gate", "intake", "jobs", "order", "outbox", "people", "ship_rule", "shop", "stock",
]  # fmt: skip
