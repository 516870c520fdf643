import json

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry

from orderhub.admin.shop import ShopAdmin
from orderhub.models import AgentGroup, Shop, Warehouse
from tests.factories import make_shop, make_user
from tests.orderhub.admin.answers import shown_form

SHOPS = "/ops/orderhub/shop/"
FORM = {"name": "旗舰店", "merge_window_seconds": 600, "ship_hours": 48, "settings": "{}", "is_active": "on"}


@pytest.fixture(autouse=True)
def without_parts_of_features(monkeypatch):
    """Leave out the inlines that features add."""
    monkeypatch.setattr("orderhub.admin.shop.ShopAdmin.inlines", ())


@pytest.mark.parametrize("rows", [1, 3])
def test_the_lists_need_a_fixed_number_of_queries(supervisor, rows, django_assert_num_queries):
    for number in range(rows):
        house = Warehouse.objects.create(code=f"w{number}", name="w")
        make_shop(warehouse=house)
        group = AgentGroup.objects.create(name=f"g{number}")
        group.agents.add(make_user())
    supervisor.get(SHOPS)
    for path, queries in ((SHOPS, 7), ("/ops/orderhub/warehouse/", 6), ("/ops/orderhub/agentgroup/", 6)):
        with django_assert_num_queries(queries):
            assert supervisor.get(path).content.decode().count("<tr data-href") == rows, path


def test_the_form_of_a_warehouse_names_the_keys_of_its_settings(supervisor):
    body = supervisor.get("/ops/orderhub/warehouse/add/").content.decode()
    for key in ("owner_code", "warehouse_code", "sender", "district", "carrier", "repeat_words", "retry_words"):
        assert key in body, key


class TestCredentials:
    @pytest.fixture
    def shop(self, db):
        shop = make_shop("tb", platform="taobao")
        shop.credentials = {"app_key": "1234", "app_secret": "very-secret", "session": "token-value"}
        shop.save()
        return shop

    def save(self, client, shop, **values):
        response = client.post(f"{SHOPS}{shop.pk}/change/", {**FORM, **values})
        shop.refresh_from_db()
        return response

    def test_they_are_never_shown_back(self, supervisor, shop):
        body = supervisor.get(f"{SHOPS}{shop.pk}/change/").content.decode()
        assert 'name="credential_app_secret"' in body
        for secret in ("very-secret", "token-value"):
            assert secret not in body

    def test_an_empty_field_keeps_what_is_stored(self, supervisor, shop):
        assert self.save(supervisor, shop, credential_app_secret="new-secret").status_code == 302
        assert shop.credentials == {"app_key": "1234", "app_secret": "new-secret", "session": "token-value"}
        assert b"new-secret" not in bytes(shop.sealed_credentials)

    def test_they_can_be_forgotten(self, supervisor, shop):
        self.save(supervisor, shop, forget_credentials="on", credential_app_key="5678")
        assert shop.credentials == {"app_key": "5678"}

    def test_the_change_log_holds_no_secret(self, supervisor, shop):
        self.save(supervisor, shop, credential_app_secret="new-secret")
        logged = "".join(f"{entry.change_message}{entry.object_repr}" for entry in LogEntry.objects.all())
        assert logged
        assert "new-secret" not in logged

    def test_a_refused_form_does_not_send_the_secret_back(self, supervisor, shop):
        response = self.save(supervisor, shop, name="", credential_app_secret="new-secret")
        assert response.status_code == 200
        assert "new-secret" not in response.content.decode()
        assert shop.credentials["app_secret"] == "very-secret"

    def test_who_only_reads_gets_no_fields_for_them(self, person, shop):
        body = person("auditor").get(f"{SHOPS}{shop.pk}/change/").content.decode()
        assert "credential_app_secret" not in body
        assert "very-secret" not in body


def test_a_shop_of_a_platform_without_code_still_opens(supervisor):
    shop = make_shop(platform="gone")
    assert supervisor.get(f"{SHOPS}{shop.pk}/change/").status_code == 200
    assert "gone" in supervisor.get(SHOPS).content.decode()


def test_a_new_shop_chooses_among_the_platforms(supervisor):
    body = supervisor.get(f"{SHOPS}add/").content.decode()
    assert '<option value="taobao"' in body
    supervisor.post(f"{SHOPS}add/", {**FORM, "code": "new", "platform": "taobao"})
    assert Shop.objects.get(code="new").platform == "taobao"
    refused = supervisor.post(f"{SHOPS}add/", {**FORM, "code": "new2", "platform": "nonsense"})
    assert list(refused.context["adminform"].form.errors) == ["platform"]
    assert not Shop.objects.filter(code="new2").exists()


def test_saving_a_shop_keeps_a_session_that_was_renewed_since_its_page_was_read(supervisor, monkeypatch):
    shop = make_shop("tb", platform="taobao")
    shop.credentials = {"app_key": "1234", "session": "old"}
    shop.save()
    clean = ShopAdmin.get_form

    def renewed_meanwhile(admin, request, obj=None, **options):
        if request.method == "POST":
            fresh = Shop.objects.get(pk=obj.pk)
            fresh.credentials = {**fresh.credentials, "session": "new"}
            fresh.save(update_fields=["sealed_credentials"])
        return clean(admin, request, obj, **options)

    monkeypatch.setattr(ShopAdmin, "get_form", renewed_meanwhile)
    supervisor.post(f"{SHOPS}{shop.pk}/change/", {**FORM, "credential_app_key": "5678"})
    shop.refresh_from_db()
    assert shop.credentials == {"app_key": "5678", "session": "new"}


def test_a_shop_that_was_switched_off_meanwhile_is_not_switched_on_by_a_page_shown_before(supervisor):
    shop = make_shop("tb", platform="taobao", name="旗舰店")
    page = f"{SHOPS}{shop.pk}/change/"
    supervisor.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    shown = shown_form(supervisor.get(page))
    Shop.objects.filter(pk=shop.pk).update(is_active=False, settings={"safety": 5})
    refused = supervisor.post(page, {**shown, "name": "旗舰店二"})
    (told,) = refused.context["adminform"].form.non_field_errors()
    assert told.startswith("“旗舰店” was changed by somebody else meanwhile: look at it and save again. ")
    assert told.endswith('Stored now: Name: 旗舰店; Settings: {"safety": 5}; Active: no.')
    shop.refresh_from_db()
    assert (shop.name, shop.is_active, shop.settings) == ("旗舰店", False, {"safety": 5})
    supervisor.post(page, {**shown_form(refused), "is_active": "", "settings": '{"safety": 5}'})
    shop.refresh_from_db()
    assert (shop.name, shop.is_active, shop.settings) == ("旗舰店二", False, {"safety": 5})


def test_a_session_that_was_renewed_meanwhile_is_no_change_of_the_page(supervisor):
    shop = make_shop("tb", platform="taobao")
    page = f"{SHOPS}{shop.pk}/change/"
    shown = shown_form(supervisor.get(page))
    shop.credentials = {"session": "new"}
    shop.save()
    assert supervisor.post(page, {**shown, "name": "旗舰店二"}).status_code == 302
    shop.refresh_from_db()
    assert (shop.name, shop.credentials) == ("旗舰店二", {"session": "new"})
    assert json.loads(LogEntry.objects.get().change_message) == [{"changed": {"fields": ["Name"]}}]
