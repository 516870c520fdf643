import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command

from channels_sync.connectors.base import connectors
from channels_sync.sandbox.catalogue import articles
from channels_sync.sandbox.credentials import Credentials
from channels_sync.warehouses.base import warehouses
from orderhub.management import demo
from orderhub.models import Shop, StockLevel, Warehouse
from orderhub.services import access
from triage.models import CampaignPrice

pytestmark = pytest.mark.django_db


def run(capsys, *words):
    call_command("demo", *words)
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    return dict(lines)


def test_each_role_gets_an_account_whose_password_is_shown_once(capsys):
    passwords = run(capsys)
    assert set(passwords) == {"supervisor", "agent", "risk", "warehouse", "auditor"}
    for name, password in passwords.items():
        user = authenticate(username=name, password=password)
        assert [group.name for group in user.groups.all()] == [name]
        assert not user.is_superuser
    assert run(capsys) == {}
    assert authenticate(username="agent", password=passwords["agent"])


def test_new_passwords_replace_the_old_ones(capsys):
    old, new = run(capsys), run(capsys, "--new-passwords")
    assert authenticate(username="risk", password=old["risk"]) is None
    assert authenticate(username="risk", password=new["risk"])


def test_shops_and_warehouse_have_what_their_connectors_ask_for(capsys):
    run(capsys)
    for shop in Shop.objects.all():
        wanted = {field.name for field in connectors.get(shop.platform).credential_fields if field.is_required}
        assert wanted <= shop.credentials.keys()
    warehouse = Warehouse.objects.get()
    wanted = {field.name for field in warehouses.get(warehouse.adapter).credential_fields if field.is_required}
    assert wanted <= warehouse.credentials.keys() | warehouse.settings.keys()
    shops = {("taobao", "taobao"), ("mini", "own"), ("wechat", "wechat"), ("jd", "jd"), ("douyin", "douyin")}
    assert set(Shop.objects.values_list("code", "platform")) == shops


def test_stock_and_prices_are_those_of_the_catalogue_and_people_may_change_them(capsys):
    run(capsys)
    article = articles()[0]
    keys = Credentials.from_environment()
    level = StockLevel.objects.get(sku=article.sku, warehouse=keys.warehouse_code)
    assert level.on_hand == article.on_hand
    assert CampaignPrice.objects.get(sku=article.sku).price_fen == article.campaign_fen
    StockLevel.objects.filter(pk=level.pk).update(on_hand=5)
    CampaignPrice.objects.update(price_fen=7)
    Shop.objects.filter(code="mini").update(name="Renamed", merge_window_seconds=900)
    run(capsys)
    level.refresh_from_db()
    assert level.on_hand == 5
    assert set(CampaignPrice.objects.values_list("price_fen", flat=True)) == {7}
    assert Shop.objects.get(code="mini").merge_window_seconds == 900


def test_the_sandbox_keeps_its_token_until_it_is_revoked(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("HUB_VAR_DIR", str(tmp_path))
    run(capsys)
    secret = demo.sandbox_token()
    assert demo.sandbox_token() == secret
    client = access.client_of(secret)
    assert (client.scopes, client.shop_ids) == (("intake:write",), (Shop.objects.get(code="mini").pk,))
    access.revoke_token(token_id=client.token_id, actor="test")
    renewed = demo.sandbox_token()
    assert renewed != secret
    assert access.client_of(secret) is None
    assert access.client_of(renewed)
