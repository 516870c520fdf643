import re
from datetime import timedelta

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone, translation
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from channels_sync.models import Backfill, ShopSync, SyncRun
from channels_sync.services import health
from channels_sync.services.terms import change_terms
from orderhub.core.errors import HubError
from orderhub.models import Gate, GateChange, InboxItem, JobHeartbeat
from orderhub.models.inbox import pack
from orderhub.services.gate import set_gate
from tests.factories import make_shop

SECRETS = {"app_key": "key-1234", "app_secret": "very-secret", "session": "token-value"}
POSTS = {
    "pull": {}, "test": {}, "renew": {}, "backfill": {"start": "2026-11-10T00:00", "end": "2026-11-10T06:00"},
    "backfill_cancel": {"backfill": "1"}, "backfill_retry": {"backfill": "1"},
    "gate": {"state": "paused", "reason": "flood"}, "terms": {"merge_window_seconds": "60", "ship_hours": "48"},
    "credentials": {"credential_session": "new-token"},
}  # fmt: skip


@pytest.fixture
def shop(db):
    shop = make_shop("tb", platform="taobao", name="旗舰店")
    shop.credentials = SECRETS
    shop.save()
    now = timezone.now()
    ShopSync.objects.create(shop=shop, cursor=now, last_success_at=now, token_state="valid")
    return shop


def page(client, shop):
    response = client.get(f"/ops/channels/{shop.code}/")
    assert response.status_code == 200
    return response.content.decode()


def post(client, shop, name, **values):
    return client.post(f"/ops/channels/{shop.code}/{name}/", {**POSTS[name], **values}, follow=True)


def settings_in(body):
    """What a browser sends of the settings on a page when nothing is typed."""
    form = body.split('/terms/"')[1].split("</form>")[0]
    return dict(re.findall(r'name="([^"]+)"(?: value="([^"]*)")?', form))


def said(response):
    return [str(message) for message in response.context["messages"]]


def logged(language):
    """What the change log says of the one change, for a reader of this language."""
    with translation.override(language):
        return LogEntry.objects.get().get_change_message()


@pytest.mark.parametrize("rows", [1, 3])
def test_the_number_of_queries_does_not_grow_with_what_happened(log_in, shop, rows, django_assert_num_queries):
    client = log_in("supervisor")
    now = timezone.now()
    for number in range(rows):
        SyncRun.objects.create(shop=shop, window_start=now, window_end=now, started_at=now)
        InboxItem.objects.create(shop=shop, source="push", delivery_key=str(number), packed_body=pack(b"{}"))
        Backfill.objects.create(shop=shop, start=now, end=now + timedelta(seconds=number), position=now, actor="a")
        set_gate(shop_id=shop.pk, state="paused", reason="no", actor="boss")
    page(client, shop)
    with django_assert_num_queries(27):
        page(client, shop)


@pytest.mark.parametrize(
    ("role", "status"), [("supervisor", 200), ("auditor", 200), ("agent", 403), ("risk", 403), ("warehouse", 403)]
)
def test_who_may_see_it(log_in, shop, role, status):
    assert log_in(role).get(f"/ops/channels/{shop.code}/").status_code == status


@pytest.mark.parametrize("role", ["auditor", "agent", "risk", "warehouse"])
@pytest.mark.parametrize("name", POSTS)
def test_who_may_do_nothing_here(log_in, shop, role, name):
    client = log_in(role)
    assert client.post(f"/ops/channels/{shop.code}/{name}/", POSTS[name]).status_code == 403
    shop.refresh_from_db()
    assert (shop.credentials, shop.merge_window_seconds) == (SECRETS, 600)
    assert not Gate.objects.exists()
    assert not Backfill.objects.exists()
    assert not OrmQ.objects.exists()


def test_an_auditor_finds_no_button_and_no_form_of_credentials(log_in, shop):
    body = page(log_in("auditor"), shop)
    for part in (
        "/pull/",
        "/test/",
        "/renew/",
        "backfill-dialog",
        "gate-dialog",
        "credential_",
        '<button type="submit"',
    ):
        assert part not in body.split("</nav>")[-1].replace('action="/i18n', ""), part


@pytest.mark.parametrize("name", POSTS)
def test_nothing_happens_by_a_link_or_from_another_site(log_in, shop, name):
    client = log_in("supervisor")
    assert client.get(f"/ops/channels/{shop.code}/{name}/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert strict.post(f"/ops/channels/{shop.code}/{name}/", POSTS[name]).status_code == 403
    assert not OrmQ.objects.exists()
    assert not Gate.objects.exists()


@pytest.mark.parametrize("name", POSTS)
def test_a_shop_that_is_not_there_is_not_found(log_in, name):
    client = log_in("supervisor")
    assert client.get("/ops/channels/nothing/").status_code == 404
    assert client.post(f"/ops/channels/nothing/{name}/", POSTS[name]).status_code == 404


class TestPulling:
    def test_the_workers_are_asked_whatever_the_shop_waits_for(self, log_in, shop):
        JobHeartbeat.objects.create(name="pull", beat_at=timezone.now())
        health.record_failure(shop, HubError("no permission"))
        response = post(log_in("supervisor"), shop, "pull")
        assert said(response) == ["The pull begins within seconds; the list of runs shows how it goes."]
        task = SignedPackage.loads(OrmQ.objects.get().payload)
        assert (task["args"], task["kwargs"]) == (("orderhub.pulls.pull_shop", shop.pk), {"force": True})
        assert ShopSync.objects.get().next_attempt_at is None

    def test_it_says_when_no_worker_is_there(self, log_in, shop):
        assert "no worker is running" in said(post(log_in("supervisor"), shop, "pull"))[0]

    @pytest.mark.parametrize("values", [{"platform": "own"}, {"is_active": False}, {"platform": "gone"}])
    def test_a_shop_that_is_not_pulled_says_so(self, log_in, shop, values):
        type(shop).objects.filter(pk=shop.pk).update(**values)
        assert len(said(post(log_in("supervisor"), shop, "pull"))) == 1
        assert not OrmQ.objects.exists()


class TestTryingTheConnection:
    def test_it_works(self, log_in, platform, taobao_shop):
        (told,) = said(post(log_in("supervisor"), taobao_shop, "test"))
        assert told.startswith("The connection works: the platform answered in ")

    def test_it_does_not_and_says_what_to_do(self, log_in, platform, taobao_shop):
        taobao_shop.credentials = {**taobao_shop.credentials, "app_secret": "wrong"}
        taobao_shop.save()
        (told,) = said(post(log_in("supervisor"), taobao_shop, "test"))
        assert told.startswith("The platform refuses the application key or its secret. Copy key and secret")


class TestBackFilling:
    @time_machine.travel("2026-11-11T02:00:00+08:00", tick=False)
    def test_a_range_in_local_time(self, log_in, shop):
        client = log_in("supervisor")
        (told,) = said(post(client, shop, "backfill"))
        assert told == "2026-11-10 00:00 to 2026-11-10 06:00 is read again in 12 pieces, beginning within a minute."
        job = Backfill.objects.get()
        assert (job.start.isoformat(), job.end.isoformat()) == (
            "2026-11-09T16:00:00+00:00", "2026-11-09T22:00:00+00:00",
        )  # fmt: skip
        assert job.actor == "the-supervisor"
        post(client, shop, "backfill")
        assert Backfill.objects.count() == 1

    @time_machine.travel("2026-11-11T02:00:00+08:00", tick=False)
    @pytest.mark.parametrize(
        ("values", "error"),
        [
            ({"start": ""}, "This field is required."),
            ({"start": "yesterday"}, "Enter a valid date/time."),
            ({"start": "2026-11-12T00:00", "end": "2026-11-13T00:00"}, "This lies in the future."),
            ({"start": "2026-11-10T06:00"}, "The end must lie after the start."),
            ({"start": "2026-08-01T00:00"}, "At most 92 days at once."),
        ],
    )
    def test_a_range_that_cannot_be_comes_back_with_its_reason(self, log_in, shop, values, error):
        response = post(log_in("supervisor"), shop, "backfill", **values)
        assert response.status_code == 422
        body = response.content.decode()
        assert error in body
        assert 'id="backfill-dialog" aria-labelledby="backfill-title" data-shown' in body
        assert not Backfill.objects.exists()

    def test_it_is_stopped_and_goes_on(self, log_in, shop):
        client = log_in("supervisor")
        now = timezone.now()
        job = Backfill.objects.create(shop=shop, start=now, end=now, position=now, actor="a", state="failed")
        assert "goes on from where it stood" in said(post(client, shop, "backfill_retry", backfill=job.pk))[0]
        assert f'data-open="stop-{job.pk}"' in page(client, shop)
        assert "was stopped" in said(post(client, shop, "backfill_cancel", backfill=job.pk))[0]
        assert "had ended already" in said(post(client, shop, "backfill_cancel", backfill=job.pk))[0]
        job.refresh_from_db()
        assert (job.state, job.closed_by) == ("cancelled", "the-supervisor")

    @pytest.mark.parametrize("number", ["", "x", "9" * 30, "0"])
    def test_one_that_is_not_there_is_not_found(self, log_in, shop, number):
        assert post(log_in("supervisor"), shop, "backfill_cancel", backfill=number).status_code == 404

    def test_one_of_another_shop_is_not_found(self, log_in, shop):
        now = timezone.now()
        other = Backfill.objects.create(shop=make_shop(), start=now, end=now, position=now, actor="a")
        assert post(log_in("supervisor"), shop, "backfill_cancel", backfill=other.pk).status_code == 404
        other.refresh_from_db()
        assert other.state == "waiting"


class TestTheGate:
    @pytest.mark.parametrize(
        ("values", "state", "rate"),
        [
            ({"state": "paused", "rate_per_minute": "60"}, "paused", None),
            ({"state": "trickle", "rate_per_minute": "60"}, "trickle", 60),
            ({"state": "open", "rate_per_minute": ""}, "open", None),
        ],
    )
    def test_it_is_set_with_a_reason(self, log_in, shop, values, state, rate):
        response = post(log_in("supervisor"), shop, "gate", **values)
        assert len(said(response)) == 1
        own = Gate.objects.get()
        assert (own.shop, own.state, own.rate_per_minute, own.reason, own.actor) == (
            shop, state, rate, "flood", "the-supervisor",
        )  # fmt: skip
        assert "flood" in response.content.decode()

    def test_its_history_has_chinese_marks(self, log_in, shop):
        set_gate(shop_id=None, state="trickle", rate_per_minute=60, reason="flood", actor="manage.py:root")
        client = log_in("supervisor")
        client.cookies["django_language"] = "zh-hans"
        body = page(client, shop)
        told = (">限流，每分钟 60 单<", ">（全部店铺）<", ">命令行：root ")
        assert [text for text in told if text not in body] == []

    @pytest.mark.parametrize(
        "values",
        [{"reason": ""}, {"state": "shut"}, {"state": "trickle"}, {"state": "trickle", "rate_per_minute": "0"}],
    )
    def test_what_cannot_be_changes_nothing(self, log_in, shop, values):
        response = post(log_in("supervisor"), shop, "gate", **values)
        assert response.status_code == 422
        assert 'id="gate-dialog" aria-labelledby="gate-title" data-shown' in response.content.decode()
        assert not GateChange.objects.exists()


class TestSettings:
    def test_numbers_are_saved_and_the_change_is_logged(self, log_in, shop):
        response = post(log_in("supervisor"), shop, "terms", stock_buffer="3", stock_share="80")
        assert said(response) == ["The settings were saved."]
        shop.refresh_from_db()
        assert (shop.settings, shop.merge_window_seconds) == ({"stock_buffer": 3, "stock_share": 80}, 60)
        assert logged("zh-hans") == "已修改合单窗口（秒）、安全库存（件） 与 库存占比（%）。"
        assert logged("en") == "Changed Merge window (seconds), Safety buffer (pieces) and Share of the stock (%)."

    def test_a_number_that_cannot_be_comes_back_with_its_reason(self, log_in, shop):
        response = post(log_in("supervisor"), shop, "terms", stock_share="101")
        assert response.status_code == 422
        assert "Ensure this value is less than or equal to 100." in response.content.decode()
        shop.refresh_from_db()
        assert (shop.settings, shop.merge_window_seconds) == ({}, 600)

    def test_what_somebody_else_set_since_the_page_was_shown_stays(self, log_in, shop):
        client = log_in("supervisor")
        sent = settings_in(page(client, shop))
        change_terms(shop_id=shop.pk, values={"stock_buffer": 50, "stock_writes": 0}, actor="boss")
        response = post(client, shop, "terms", **{**sent, "merge_window_seconds": "120"})
        assert said(response) == ["The settings were saved."]
        shop.refresh_from_db()
        assert (shop.settings, shop.merge_window_seconds) == ({"stock_buffer": 50, "stock_writes": 0}, 120)
        assert logged("en") == "Changed Merge window (seconds)."

    def test_a_number_that_somebody_else_changed_as_well_is_refused_once(self, log_in, shop):
        client = log_in("supervisor")
        sent = settings_in(page(client, shop))
        change_terms(shop_id=shop.pk, values={"stock_buffer": 50, "stock_share": 80}, actor="boss")
        refused = post(client, shop, "terms", **{**sent, "stock_buffer": "20", "merge_window_seconds": "120"})
        assert refused.status_code == 422
        body = refused.content.decode()
        assert "“Safety buffer (pieces)” was changed by somebody else meanwhile: look at it and save again." in body
        assert "Stored now: 50." in body
        shop.refresh_from_db()
        assert (shop.settings, shop.merge_window_seconds) == ({"stock_buffer": 50, "stock_share": 80}, 600)
        assert said(post(client, shop, "terms", **settings_in(body))) == ["The settings were saved."]
        shop.refresh_from_db()
        assert (shop.settings, shop.merge_window_seconds) == ({"stock_buffer": 20, "stock_share": 80}, 120)

    def test_the_same_number_from_two_people_is_nothing_to_refuse(self, log_in, shop):
        client = log_in("supervisor")
        sent = settings_in(page(client, shop))
        change_terms(shop_id=shop.pk, values={"stock_buffer": 50}, actor="boss")
        assert said(post(client, shop, "terms", **{**sent, "stock_buffer": "50"})) == ["Nothing was changed."]

    def test_an_emptied_number_is_the_default_again(self, log_in, shop):
        client = log_in("supervisor")
        change_terms(shop_id=shop.pk, values={"stock_buffer": 50, "stock_share": 80}, actor="boss")
        post(client, shop, "terms", **{**settings_in(page(client, shop)), "stock_buffer": ""})
        shop.refresh_from_db()
        assert shop.settings == {"stock_share": 80}

    def test_a_platform_without_stock_asks_for_no_buffer(self, log_in, shop):
        client = log_in("supervisor")
        assert 'name="stock_buffer"' in page(client, shop)
        body = page(client, make_shop("f"))
        assert 'name="merge_window_seconds"' in body
        assert 'name="stock_buffer"' not in body


class TestCredentials:
    def test_the_page_says_when_each_was_set_and_never_which(self, log_in, shop):
        client = log_in("supervisor")
        with time_machine.travel("2026-11-01T08:00:00+08:00", tick=False):
            shop.credentials = {**SECRETS, "session": "token-2"}
            shop.save()
        body = page(client, shop)
        assert "set on 2026-11-01 08:00:00; type to replace" in body
        for secret in (*SECRETS.values(), "token-2"):
            assert secret not in body

    def test_an_empty_field_keeps_what_is_stored(self, log_in, shop):
        response = post(log_in("supervisor"), shop, "credentials")
        assert said(response) == ["The credentials were stored encrypted and are tried within a minute."]
        shop.refresh_from_db()
        assert shop.credentials == {**SECRETS, "session": "new-token"}
        assert logged("en") == "Changed Session (access token)."
        assert "new-token" not in response.content.decode()

    def test_typing_nothing_changes_nothing(self, log_in, shop):
        before = bytes(shop.sealed_credentials)
        assert said(post(log_in("supervisor"), shop, "credentials", credential_session=" "))[0].startswith("Nothing")
        shop.refresh_from_db()
        assert bytes(shop.sealed_credentials) == before
        assert not LogEntry.objects.exists()

    def test_a_refused_form_does_not_send_the_secret_back(self, log_in, shop):
        response = post(log_in("supervisor"), shop, "credentials", credential_session="x" * 4001)
        assert response.status_code == 422
        assert "xxxx" not in response.content.decode()
        shop.refresh_from_db()
        assert shop.credentials == SECRETS

    def test_a_lost_data_key_does_not_break_the_page(self, log_in, shop):
        type(shop).objects.filter(pk=shop.pk).update(sealed_credentials=b"\x01\xff" + b"0" * 40)
        client = log_in("supervisor")
        assert "not stored yet" in page(client, shop)
        post(client, shop, "credentials")
        shop.refresh_from_db()
        assert shop.credentials == {"session": "new-token"}


def test_a_renewal_that_cannot_be_says_what_to_do_instead(log_in, shop):
    assert "authorise the shop again" in said(post(log_in("supervisor"), shop, "renew"))[0]


def test_a_shop_of_a_platform_without_code_still_opens(log_in):
    body = page(log_in("supervisor"), make_shop("old", platform="gone"))
    assert "No connector knows this platform." in body
    assert "◆" in body
