"""What a hub without real shops shows: accounts, shops and stock that fit the platform sandbox. Repeatable."""

import os
import secrets
from datetime import timedelta
from pathlib import Path

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone

from channels_sync.sandbox.catalogue import stock_rows
from channels_sync.sandbox.credentials import Credentials
from orderhub.core.local import var_dir
from orderhub.models import AgentGroup, ApiToken, Shop, StockLevel, Warehouse
from orderhub.services import access, stock
from orderhub.services.roles import sync_roles
from triage.models import CampaignPrice
from triage.services import set_campaign_prices

ACTOR = "demo"
ROLES = ("supervisor", "agent", "risk", "warehouse", "auditor")
"""One account each, named like the role."""
TAOBAO_SHOP, MINI_SHOP, WECHAT_SHOP, JD_SHOP, DOUYIN_SHOP = "taobao", "mini", "wechat", "jd", "douyin"
CAMPAIGN_BEFORE, CAMPAIGN_AFTER = timedelta(days=1), timedelta(days=60)
MERGE_WINDOW = timedelta(seconds=20)
"""Short, so that a regular order reaches the warehouse while one looks on."""


@transaction.atomic
def make_shops(keys: Credentials) -> None:
    """Make the warehouse and the shops of the sandbox where they are missing."""
    warehouse, _ = Warehouse.objects.get_or_create(
        code=keys.warehouse_code,
        defaults={"name": "禾木杭州仓", "adapter": "qimen", "settings": warehouse_settings(keys)},
    )
    if not warehouse.credentials:
        warehouse.credentials = {
            "app_key": keys.qimen_app_key,
            "app_secret": keys.qimen_secret,
            "customer_id": keys.customer_id,
        }
        warehouse.save(update_fields=["sealed_credentials"])
    common = {"warehouse": warehouse, "merge_window_seconds": int(MERGE_WINDOW.total_seconds())}
    group, _ = AgentGroup.objects.get_or_create(name="大促客服组")
    for code, platform, name, credentials in shops_of(keys):
        shop, _ = Shop.objects.get_or_create(code=code, defaults={"name": name, "platform": platform, **common})
        if shop.platform != platform:
            # Set up before the platform of own shops got a name of its own.
            shop.platform = platform
            shop.save(update_fields=["platform"])
        if credentials and not shop.credentials:
            shop.credentials = credentials
            shop.save(update_fields=["sealed_credentials"])
        group.shops.add(shop)


def shops_of(keys: Credentials) -> list[tuple[str, str, str, dict[str, str]]]:
    """Return code, platform, name and credentials of the sandbox's shops; the own shop pushes with a token instead."""
    taobao = {"app_key": keys.app_key, "app_secret": keys.app_secret, "session": keys.session}
    wechat = {
        "app_id": keys.wechat_app_id,
        "app_secret": keys.wechat_secret,
        "push_token": keys.wechat_push_token,
        "push_key": keys.wechat_push_key,
    }
    jd = {
        "app_key": keys.jd_app_key,
        "app_secret": keys.jd_app_secret,
        "access_token": keys.jd_token,
        "refresh_token": keys.jd_refresh_token,
    }
    douyin = {
        "app_key": keys.douyin_app_key,
        "app_secret": keys.douyin_secret,
        "shop_id": keys.douyin_shop_id,
        "access_token": keys.douyin_token,
        "refresh_token": keys.douyin_refresh_token,
    }
    return [
        (TAOBAO_SHOP, "taobao", keys.seller_nick, taobao),
        (MINI_SHOP, "own", keys.mini_shop_nick, {}),
        (WECHAT_SHOP, "wechat", keys.wechat_shop_nick, wechat),
        (JD_SHOP, "jd", keys.jd_shop_name, jd),
        (DOUYIN_SHOP, "douyin", keys.douyin_shop_name, douyin),
    ]


def warehouse_settings(keys: Credentials) -> dict[str, object]:
    """Return what the warehouse must know of the sender."""
    return {
        "customer_id": keys.customer_id,
        "owner_code": keys.owner_code,
        "warehouse_code": keys.warehouse_code,
        "carrier": "YTO",
        "sender": {
            "name": "禾木发货组",
            "mobile": "057100000000",
            "province": "浙江省",
            "city": "杭州市",
            "district": "余杭区",
            "detail": "仓前街道示例路 1 号",
        },
    }


def load_stock(keys: Credentials) -> int:
    """Count the sandbox's articles into the warehouse, unless it holds them already; returns how many were new."""
    rows = [stock.read_level(row) for row in stock_rows(keys.warehouse_code)]
    known = set(StockLevel.objects.filter(warehouse=keys.warehouse_code).values_list("sku", flat=True))
    return stock.import_levels(rows=[row for row in rows if row["sku"] not in known], actor=ACTOR)


def load_prices(keys: Credentials) -> int:
    """Enter the sandbox's campaign prices, unless a campaign is running or to come; returns how many."""
    now = timezone.now()
    if CampaignPrice.objects.filter(ends_at__gt=now).exists():
        return 0
    campaign = {"starts_at": now - CAMPAIGN_BEFORE, "ends_at": now + CAMPAIGN_AFTER}
    rows = [
        {"sku": row["sku"], "price_fen": row["campaign_price_fen"], **campaign}
        for row in stock_rows(keys.warehouse_code)
    ]
    return set_campaign_prices(rows=rows, actor=ACTOR)


@transaction.atomic
def make_accounts(*, renew: bool = False) -> dict[str, str]:
    """Make the account of each role and return the passwords of those made now (with `renew`: of all)."""
    sync_roles()
    passwords: dict[str, str] = {}
    for role in ROLES:
        user, is_new = get_user_model().objects.get_or_create(
            username=role, defaults={"is_staff": True, "last_name": role}
        )
        if is_new or renew:
            passwords[role] = secrets.token_urlsafe(9)
            user.set_password(passwords[role])
            user.save(update_fields=["password"])
        user.groups.set(Group.objects.filter(name=role))
    agents = get_user_model().objects.filter(username="agent")
    for group in AgentGroup.objects.filter(name="大促客服组"):
        group.agents.add(*agents)
    return passwords


def sandbox_token() -> str:
    """Return the secret with which the sandbox's mini-program shop pushes; kept beside the other local secrets."""
    path = var_dir() / "sandbox-token"
    secret = path.read_text(encoding="utf-8") if path.exists() else ""
    if secret and access.client_of(secret):
        return secret
    ApiToken.objects.filter(name="sandbox").delete()
    shop = Shop.objects.get(code=MINI_SHOP)
    _, secret = access.issue_token(name="sandbox", scopes=[access.INTAKE_WRITE], actor=ACTOR, shops=[shop])
    write_secret(path, secret)
    return secret


def write_secret(path: Path, secret: str) -> None:
    """Write a file that only its owner may read."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(secret)
