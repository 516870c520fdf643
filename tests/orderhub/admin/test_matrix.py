"""Who gets which page of the console: every address of the pool's pages, for every role. A new address fails here."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.urls import URLResolver, get_resolver
from django.utils import timezone
from django_q.models import Failure, Schedule

from orderhub.models import (
    AgentGroup,
    ApiToken,
    Effect,
    InboxItem,
    JobHeartbeat,
    Reject,
    Reveal,
    ShipRule,
    Sku,
    StockLevel,
    Warehouse,
    WarehouseReport,
)
from tests.factories import START, make_order, make_user

ROLES = ("supervisor", "agent", "risk", "warehouse", "auditor")
FEATURES = ("triage_", "channels_sync_")
"""Addresses of features are covered by tests of their own."""

ALL = "supervisor agent risk warehouse auditor"
READS = "supervisor auditor"
NOBODY = ""

GOLDEN: dict[str, str] = {
    # everybody on the staff
    "index": ALL, "login": ALL, "logout": ALL, "password_change": ALL, "password_change_done": ALL, "jsi18n": ALL,
    "app_list": ALL, "autocomplete": NOBODY, "view_on_site": NOBODY,
    # orders
    "orderhub_order_changelist": ALL, "orderhub_order_change": ALL, "orderhub_order_history": ALL,
    "orderhub_order_search": ALL, "orderhub_order_reveal": "supervisor agent risk warehouse",
    "orderhub_order_release": "supervisor agent risk", "orderhub_order_add": NOBODY, "orderhub_order_delete": NOBODY,
    # intake
    "orderhub_reject_changelist": "supervisor risk auditor", "orderhub_reject_change": "supervisor risk auditor",
    "orderhub_reject_history": "supervisor risk auditor", "orderhub_reject_raw": "supervisor risk",
    "orderhub_reject_add": NOBODY, "orderhub_reject_delete": NOBODY,
    "orderhub_inboxitem_changelist": READS, "orderhub_inboxitem_change": READS, "orderhub_inboxitem_history": READS,
    "orderhub_inboxitem_add": NOBODY, "orderhub_inboxitem_delete": NOBODY,
    "orderhub_gate": READS,
    # outbox and stock
    "orderhub_effect_changelist": "supervisor warehouse auditor",
    "orderhub_effect_change": "supervisor warehouse auditor",
    "orderhub_effect_history": "supervisor warehouse auditor", "orderhub_effect_add": NOBODY,
    "orderhub_effect_delete": NOBODY,
    "orderhub_warehousereport_changelist": "supervisor warehouse auditor",
    "orderhub_warehousereport_change": "supervisor warehouse auditor",
    "orderhub_warehousereport_history": "supervisor warehouse auditor", "orderhub_warehousereport_add": NOBODY,
    "orderhub_warehousereport_delete": NOBODY,
    "orderhub_stocklevel_changelist": "supervisor agent warehouse auditor",
    "orderhub_stocklevel_change": "supervisor agent warehouse auditor",
    "orderhub_stocklevel_history": "supervisor agent warehouse auditor", "orderhub_stocklevel_add": NOBODY,
    "orderhub_stocklevel_delete": NOBODY,
    "orderhub_sku_changelist": "supervisor agent warehouse auditor",
    "orderhub_sku_change": "supervisor agent warehouse auditor",
    "orderhub_sku_history": "supervisor agent warehouse auditor", "orderhub_sku_add": "supervisor",
    "orderhub_sku_delete": NOBODY,
    # shops, warehouses, groups
    "orderhub_shop_changelist": "supervisor risk auditor", "orderhub_shop_change": "supervisor risk auditor",
    "orderhub_shop_history": "supervisor risk auditor", "orderhub_shop_add": "supervisor",
    "orderhub_shop_delete": NOBODY,
    "orderhub_shiprule_changelist": READS, "orderhub_shiprule_change": READS, "orderhub_shiprule_history": READS,
    "orderhub_shiprule_add": "supervisor", "orderhub_shiprule_delete": "supervisor",
    "orderhub_warehouse_changelist": "supervisor warehouse auditor",
    "orderhub_warehouse_change": "supervisor warehouse auditor",
    "orderhub_warehouse_history": "supervisor warehouse auditor", "orderhub_warehouse_add": "supervisor",
    "orderhub_warehouse_delete": NOBODY,
    "orderhub_agentgroup_changelist": READS, "orderhub_agentgroup_change": READS, "orderhub_agentgroup_history": READS,
    "orderhub_agentgroup_add": "supervisor", "orderhub_agentgroup_delete": "supervisor",
    # access and people
    "orderhub_apitoken_changelist": READS, "orderhub_apitoken_change": READS, "orderhub_apitoken_history": READS,
    "orderhub_apitoken_add": "supervisor", "orderhub_apitoken_delete": NOBODY,
    "orderhub_reveal_changelist": READS, "orderhub_reveal_change": READS, "orderhub_reveal_history": READS,
    "orderhub_reveal_add": NOBODY, "orderhub_reveal_delete": NOBODY,
    "admin_logentry_changelist": READS, "admin_logentry_change": READS, "admin_logentry_history": READS,
    "admin_logentry_add": NOBODY, "admin_logentry_delete": NOBODY,
    "auth_user_changelist": READS, "auth_user_change": READS, "auth_user_history": READS, "auth_user_add": "supervisor",
    "auth_user_delete": NOBODY, "auth_user_password_change": "supervisor",
    "auth_group_changelist": READS, "auth_group_change": READS, "auth_group_history": READS, "auth_group_add": NOBODY,
    "auth_group_delete": NOBODY,
    # jobs
    "orderhub_jobheartbeat_changelist": READS, "orderhub_jobheartbeat_change": READS,
    "orderhub_jobheartbeat_history": READS, "orderhub_jobheartbeat_add": NOBODY, "orderhub_jobheartbeat_delete": NOBODY,
    "django_q_schedule_changelist": READS, "django_q_schedule_change": READS, "django_q_schedule_history": READS,
    "django_q_schedule_add": NOBODY, "django_q_schedule_delete": NOBODY,
    "django_q_failure_changelist": READS, "django_q_failure_change": READS, "django_q_failure_history": READS,
    "django_q_failure_add": NOBODY, "django_q_failure_delete": NOBODY,
}  # fmt: skip
POSTS = {"logout", "orderhub_order_search", "orderhub_order_reveal", "orderhub_order_release", "orderhub_reject_raw"}


def addresses() -> dict[str, str]:
    """Return every named address below /ops/ as a pattern of its path."""
    console = next(item for item in get_resolver().url_patterns if str(item.pattern) == "ops/")
    return dict(walk(console, "/ops/"))


def walk(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, str]]:
    for item in resolver.url_patterns:
        path = prefix + str(item.pattern)
        if isinstance(item, URLResolver):
            yield from walk(item, path)
        elif item.name:
            yield item.name, path


# The numbers of a list are for who may see the list.
GOLDEN |= {
    f"{name}_counts": GOLDEN[f"{name}_changelist"]
    for name in (
        "orderhub_order", "orderhub_reject", "orderhub_inboxitem", "orderhub_effect", "orderhub_stocklevel",
        "orderhub_sku", "orderhub_warehousereport", "orderhub_reveal", "admin_logentry", "django_q_failure",
    )
}  # fmt: skip


def test_every_address_is_in_the_table():
    names = {name for name in addresses() if not name.startswith(FEATURES)}
    assert names == set(GOLDEN)


@pytest.fixture
def objects(db) -> dict[str, str]:
    """One object of each kind, by the start of its addresses' names."""
    user = make_user("somebody", is_staff=True)
    order = make_order(channel_claim="paid")
    reject = Reject(shop=order.shop, reason="no")
    reject.raw_row = b"{}"
    reject.save()
    item = InboxItem(shop=order.shop, source="push", delivery_key="k")
    item.body = b"{}"
    item.save()
    house = Warehouse.objects.create(code="w", name="w")
    made = {
        "orderhub_order": order,
        "orderhub_reject": reject,
        "orderhub_inboxitem": item,
        "orderhub_effect": Effect.objects.create(shop=order.shop, kind="sms", key="k", due_at=START, created_at=START),
        "orderhub_stocklevel": StockLevel.objects.create(sku="s", warehouse="w"),
        "orderhub_sku": Sku.objects.create(code="s"),
        "orderhub_shop": order.shop,
        "orderhub_shiprule": ShipRule.objects.create(
            name="r", ship_hours=24, starts_at=START, ends_at=START + timedelta(hours=1)
        ),
        "orderhub_warehouse": house,
        "orderhub_warehousereport": WarehouseReport.objects.create(warehouse=house, delivery_key="k", packed_body=b""),
        "orderhub_agentgroup": AgentGroup.objects.create(name="g"),
        "orderhub_apitoken": ApiToken.objects.create(name="t", digest="d"),
        "orderhub_reveal": Reveal.objects.create(order=order, user=user, reason="r", place="desk"),
        "admin_logentry": LogEntry.objects.create(
            user=user, content_type=ContentType.objects.get_for_model(order), object_id="1", action_flag=CHANGE
        ),
        "auth_user": user,
        "auth_group": Group.objects.create(name="g"),
        "orderhub_jobheartbeat": JobHeartbeat.objects.create(name="j", beat_at=START),
        "django_q_schedule": Schedule.objects.create(name="s", func="f"),
        "django_q_failure": Failure.objects.create(
            id="0" * 32, name="f", func="f", started=timezone.now(), stopped=timezone.now(), success=False
        ),
    }
    return {name: str(thing.pk) for name, thing in made.items()}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_gets_exactly_its_pages(person, objects, role):
    client = person(role)
    wrong = []
    for name, pattern in addresses().items():
        if name.startswith(FEATURES):
            continue
        status = ask(client, name, address(name, pattern, objects))
        may = role in GOLDEN[name].split()
        if (status in {200, 302, 400}) != may:
            wrong.append((name, status))
    assert wrong == []


def address(name: str, pattern: str, objects: dict[str, str]) -> str:
    """Return a real address for a pattern."""
    if name == "app_list":
        return "/ops/orderhub/"
    key = next((value for start, value in objects.items() if name.startswith(f"{start}_")), "1")
    return re.sub(r"<[^>]+>", key, pattern)


def ask(client, name: str, path: str) -> int:
    """Return the status of one request; forms are sent with an innocent body."""
    if name == "logout":
        return 302
    if name in POSTS:
        return client.post(path, {"text": "T1", "reason": "role test"}).status_code
    return client.get(path).status_code


@pytest.mark.django_db
def test_people_who_are_not_staff_see_the_log_in_only(client, objects):
    client.force_login(make_user("customer"))
    for name, pattern in addresses().items():
        if name in {"login", "logout", "jsi18n"} or name.startswith(FEATURES):
            continue
        response = client.get(address(name, pattern, objects))
        assert response.status_code in {302, 405}, name
        if response.status_code == 302:
            assert "/ops/login/" in response["Location"], name
