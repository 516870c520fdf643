import re
from datetime import timedelta

import pytest
from django.utils import timezone

from channels_sync.admin.card import sync_card
from channels_sync.models import ShopSync, SyncRun
from channels_sync.services import health
from orderhub.core.errors import HubError
from orderhub.models import Shop
from tests.factories import make_shop, make_user

RUNS, STATES = "/ops/channels_sync/syncrun/", "/ops/channels_sync/shopsync/"


def make_run(shop, **values):
    now = timezone.now()
    times = {"window_start": now - timedelta(minutes=6), "window_end": now, "started_at": now, "finished_at": now}
    return SyncRun.objects.create(shop=shop, **{**times, "state": "done", "pages": 1, "rows": 7, "new": 5, **values})


@pytest.mark.parametrize("rows", [1, 3])
def test_the_lists_need_a_fixed_number_of_queries(log_in, rows, django_assert_num_queries):
    client = log_in("supervisor")
    for _ in range(rows):
        shop = make_shop(platform="taobao")
        ShopSync.objects.create(shop=shop, cursor=timezone.now())
        make_run(shop)
    for path, queries in ((RUNS, 6), (STATES, 6)):
        client.get(path)
        with django_assert_num_queries(queries):
            assert client.get(path).content.decode().count("<tr data-href") == rows, path


def test_runs_show_how_they_ended_and_can_be_narrowed(log_in):
    client = log_in("supervisor")
    first, second = make_shop("a", platform="taobao"), make_shop("b", platform="taobao")
    make_run(first)
    failed = make_run(second, state="failed", error="the platform did not answer")
    body = client.get(f"{RUNS}?view=failed").content.decode()
    assert body.count("<tr data-href") == 1
    assert "the platform did not answer" in body
    assert client.get(f"{RUNS}?shop={first.pk}").content.decode().count("<tr data-href") == 1
    assert client.get(f"{RUNS}{failed.pk}/change/").status_code == 200


def test_nobody_writes_the_log(log_in):
    client = log_in("supervisor")
    run = make_run(make_shop())
    assert client.get(f"{RUNS}add/").status_code == 403
    assert client.post(f"{RUNS}{run.pk}/change/", {"rows": 999}).status_code == 403
    assert client.post(f"{RUNS}{run.pk}/delete/", {"post": "yes"}).status_code == 403
    run.refresh_from_db()
    assert run.rows == 7


@pytest.mark.parametrize(
    ("role", "allowed"), [("supervisor", True), ("auditor", True), ("agent", False), ("risk", False)]
)
def test_who_may_see_it(log_in, role, allowed):
    client = log_in(role)
    make_run(make_shop())
    assert client.get(RUNS).status_code == (200 if allowed else 403)
    assert client.get(STATES).status_code == (200 if allowed else 403)


def test_a_failing_shop_can_be_tried_at_once(log_in):
    client = log_in("supervisor")
    shop = make_shop(platform="taobao")
    sync = ShopSync.objects.create(shop=shop)
    health.record_failure(shop, HubError("no permission"))
    page = {"action": "try_now", "_selected_action": [sync.pk]}
    assert client.post(STATES, page).status_code == 302
    sync.refresh_from_db()
    assert (sync.next_attempt_at, sync.failed_with) == (None, None)


def test_an_auditor_may_not_have_it_tried(log_in):
    client = log_in("auditor")
    shop = make_shop(platform="taobao")
    sync = ShopSync.objects.create(shop=shop)
    health.record_failure(shop, HubError("no permission"))
    client.post(STATES, {"action": "try_now", "_selected_action": [sync.pk]})
    sync.refresh_from_db()
    assert sync.next_attempt_at is not None


def test_the_shop_page_shows_the_state_and_can_still_be_saved(log_in):
    client = log_in("supervisor")
    shop = make_shop("tb", platform="taobao")
    ShopSync.objects.create(shop=shop)
    health.record_failure(shop, HubError("no permission for this method"))
    url = f"/ops/orderhub/shop/{shop.pk}/change/"
    body = client.get(url).content.decode()
    assert "no permission for this method" in body
    hidden = dict(re.findall(r'type="hidden" name="(sync-[^"]+)" value="([^"]*)"', body))
    form = {"name": "New", "merge_window_seconds": 60, "ship_hours": 48, "settings": "{}", "is_active": "on", **hidden}
    assert client.post(url, form).status_code == 302
    shop.refresh_from_db()
    assert shop.name == "New"
    assert ShopSync.objects.get().last_error == "no permission for this method"


def test_the_card_shows_the_worst_shop_first(log_in):
    client = log_in("supervisor")
    good, bad = make_shop("good", platform="taobao"), make_shop("bad", platform="taobao")
    late, idle = make_shop("late", platform="taobao"), make_shop("idle", platform="file")
    now = timezone.now()
    for shop, cursor in ((good, now), (bad, now), (late, now - timedelta(hours=1))):
        ShopSync.objects.create(shop=shop, cursor=cursor, last_success_at=cursor)
    health.record_failure(bad, HubError("no permission"))
    cards = {card.key: card.context for card in client.get("/ops/").context["cards"]}
    assert [row["shop"] for row in cards["sync"]["rows"]] == [shop.name for shop in (bad, late, good, idle)]
    assert "no permission" in client.get("/ops/").content.decode()


def test_the_card_needs_one_query(log_in, django_assert_num_queries, rf):
    request = rf.get("/ops/")
    request.user = make_user("boss", is_superuser=True)
    for _ in range(3):
        ShopSync.objects.create(shop=make_shop(platform="taobao"), cursor=timezone.now())
        with django_assert_num_queries(1):
            sync_card(request)
    assert len(sync_card(request)["rows"]) == Shop.objects.count()


def test_the_card_is_for_people_who_may_see_it(log_in):
    make_shop(platform="taobao")
    assert "sync" not in {card.key for card in log_in("agent").get("/ops/").context["cards"]}


def test_platforms_and_systems_offer_their_credentials(log_in):
    client = log_in("supervisor")
    shop = make_shop("tb", platform="taobao")
    body = client.get(f"/ops/orderhub/shop/{shop.pk}/change/").content.decode()
    for name in ("app_key", "app_secret", "session"):
        assert f'name="credential_{name}"' in body
    assert re.search(r'type="password" name="credential_app_secret"', body)
