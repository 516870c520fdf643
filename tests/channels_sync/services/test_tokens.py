import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import translation

from channels_sync.connectors.base import AuthorisationError, connectors
from channels_sync.connectors.exchange import Shipment
from channels_sync.models import ShopSync, SyncRun, TokenState
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox
from channels_sync.services import tokens
from channels_sync.services.access import shop_access
from channels_sync.services.shipping import Prepared, ShipmentTeller
from channels_sync.services.tokens import Renewal
from orderhub import pulls
from orderhub.core.errors import HubError
from orderhub.models import Lease, Shop
from orderhub.schedules import JOBS
from tests.channels_sync.clock import PlatformClock
from tests.factories import make_shop

SETTINGS = {"look_back_hours": 1, "calls_per_second": 1000}


def soon(**ahead):
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat()


def shop_of(platform, **credentials):
    shop = make_shop(platform, platform=platform, settings=SETTINGS)
    shop.credentials = credentials
    shop.save()
    return shop


def stored(shop):
    return Shop.objects.get(pk=shop.pk).credentials


def state(shop):
    return ShopSync.objects.get(shop=shop)


@pytest.fixture(autouse=True)
def english():
    """The words of the sources."""
    with translation.override("en"):
        yield


@pytest.fixture
def sandbox(settings):
    options = Options(shares={"douyin": 1}, moves=False)
    with Sandbox(options, now=PlatformClock()) as running:
        settings.DOUYIN_GATEWAY_URL = f"{running.url}/douyin"
        settings.JD_OAUTH_URL = f"{running.url}/jd/oauth2"
        settings.JD_GATEWAY_URL = f"{running.url}/jd/routerjson"
        settings.WECHAT_GATEWAY_URL = f"{running.url}/wechat"
        settings.TAOBAO_GATEWAY_URL = f"{running.url}/router/rest"
        yield running


@pytest.fixture
def douyin(db, sandbox):
    return shop_of(
        "douyin", app_key=SANDBOX.douyin_app_key, app_secret=SANDBOX.douyin_secret, access_token=SANDBOX.douyin_token,
        refresh_token=SANDBOX.douyin_refresh_token,
    )  # fmt: skip


@pytest.fixture
def jd(db, sandbox):
    return shop_of(
        "jd", app_key=SANDBOX.jd_app_key, app_secret=SANDBOX.jd_app_secret, access_token=SANDBOX.jd_token,
        refresh_token=SANDBOX.jd_refresh_token, expires_at=soon(hours=20),
    )  # fmt: skip


@pytest.fixture
def taobao(db, sandbox):
    return shop_of("taobao", app_key=SANDBOX.app_key, app_secret=SANDBOX.app_secret, session=SANDBOX.session)


def about_to_end(sandbox, shop):
    """Have the shop hold a token of the platform that ends in half an hour."""
    assert tokens.renew(shop.pk) == Renewal.STORED
    sandbox.douyin.tokens.shorten(1800)
    shop.refresh_from_db()
    shop.credentials = {**shop.credentials, "expires_at": soon(minutes=29)}
    shop.save()
    return shop.credentials["access_token"]


def test_the_job_is_in_the_table():
    assert JOBS["tokens"].run is tokens.keep_fresh


def test_a_session_whose_end_is_not_known_is_asked_for_where_that_costs_nothing(douyin):
    assert tokens.keep_fresh() == {"douyin": "stored"}
    ends = tokens.ends_at(stored(douyin), connectors.get("douyin"))
    assert timedelta(days=6) < ends - datetime.now(UTC) < timedelta(days=8)
    sync = state(douyin)
    assert (sync.token_expires_at, sync.token_state, sync.token_error) == (ends, TokenState.VALID, "")
    assert sync.token_asked_at is None
    assert tokens.keep_fresh() == {}


def test_a_session_is_renewed_before_it_ends(sandbox, douyin):
    old = about_to_end(sandbox, douyin)
    assert tokens.keep_fresh() == {"douyin": "stored"}
    new = stored(douyin)["access_token"]
    assert new != old
    for token in (old, new):
        sandbox.douyin.tokens.check(token)


def test_jd_is_renewed_in_the_last_day_only_and_once(jd, settings):
    jd.credentials = {**jd.credentials, "expires_at": soon(hours=25)}
    jd.save()
    assert tokens.keep_fresh() == {}
    jd.credentials = {**jd.credentials, "expires_at": soon(hours=23)}
    jd.save()
    assert tokens.keep_fresh() == {"jd": "stored"}
    assert tokens.keep_fresh() == {}
    assert timedelta(days=29) < state(jd).token_expires_at - datetime.now(UTC) < timedelta(days=31)


def test_jd_is_not_asked_while_the_end_is_not_known(jd):
    jd.credentials = {**jd.credentials, "expires_at": ""}
    jd.save()
    assert tokens.keep_fresh() == {}
    assert stored(jd)["access_token"] == SANDBOX.jd_token


def test_a_typed_session_does_not_inherit_the_end_of_the_one_before(sandbox, douyin):
    tokens.renew(douyin.pk)
    douyin.credentials = {**stored(douyin), "access_token": "typed-by-a-person"}
    assert tokens.ends_at(douyin.credentials, connectors.get("douyin")) is None


def test_wechat_hands_out_the_same_token_while_it_lives(sandbox, db):
    shop = shop_of("wechat", app_id=SANDBOX.wechat_app_id, app_secret=SANDBOX.wechat_secret)
    assert tokens.keep_fresh() == {"wechat": "stored"}
    assert tokens.keep_fresh() == {}
    first = stored(shop)["access_token"]
    assert tokens.renew(shop.pk, refused=first) == Renewal.STORED
    assert stored(shop)["access_token"] == first


def test_a_taobao_shop_without_a_refresh_token_is_left_to_people(taobao):
    taobao.credentials = {**taobao.credentials, "expires_at": soon(minutes=5)}
    taobao.save()
    ShopSync.objects.create(shop=taobao)
    assert tokens.keep_fresh() == {}
    assert timedelta(0) < state(taobao).token_expires_at - datetime.now(UTC) < timedelta(minutes=6)


def test_a_taobao_session_is_renewed_with_a_refresh_token(taobao, sandbox):
    taobao.credentials = {
        **taobao.credentials, "refresh_token": SANDBOX.refresh_token, "expires_at": soon(hours=1),
    }  # fmt: skip
    taobao.save()
    assert tokens.keep_fresh() == {"taobao": "stored"}
    session = stored(taobao)["session"]
    assert session.startswith("sandbox-session-")
    assert session != SANDBOX.session
    access = shop_access(Shop.objects.get(pk=taobao.pk))
    assert list(connectors.get("taobao").events(access)) == []


@pytest.mark.parametrize("fault", ["http500", "timeout", "disconnect", "truncated"])
def test_a_platform_that_fails_is_asked_again_a_little_later(sandbox, douyin, fault):
    sandbox.faults.add({"kind": fault, "method": "token.refresh", "times": 9, "seconds": 0})
    assert tokens.keep_fresh() == {"douyin": "failed"}
    sync = state(douyin)
    assert sync.token_state == TokenState.UNKNOWN
    assert sync.token_error
    assert timedelta(seconds=50) < sync.token_retry_at - datetime.now(UTC) <= timedelta(seconds=60)
    assert stored(douyin)["access_token"] == SANDBOX.douyin_token
    assert tokens.keep_fresh() == {}
    sandbox.faults.clear()
    ShopSync.objects.update(token_retry_at=datetime.now(UTC))
    assert tokens.keep_fresh() == {"douyin": "stored"}


def test_a_withdrawn_authorisation_is_told_and_not_asked_for_again(sandbox, douyin):
    sandbox.douyin.tokens.is_revoked = True
    assert tokens.keep_fresh() == {"douyin": "refused"}
    sync = state(douyin)
    assert sync.token_state == TokenState.REFUSED
    assert "authorise the shop again" in sync.token_error
    asked = sync.token_asked_at
    assert asked is None
    assert tokens.keep_fresh() == {}
    assert not tokens.renewed_after_refusal(Shop.objects.get(pk=douyin.pk))
    sandbox.douyin.tokens.is_revoked = False
    douyin.credentials = {**stored(douyin), "authorization_code": SANDBOX.douyin_code, "refresh_token": ""}
    douyin.save()
    assert tokens.keep_fresh() == {"douyin": "stored"}
    assert state(douyin).token_error == ""


def test_an_answer_to_what_is_no_longer_stored_is_thrown_away(sandbox, douyin, monkeypatch):
    connector = connectors.get("douyin")
    ask = connector.refresh_token

    def slowly(access):
        found = ask(access)
        other = Shop.objects.get(pk=douyin.pk)
        other.credentials = {**other.credentials, "access_token": "of-a-person", "refresh_token": "of-a-person"}
        other.save()
        return found

    monkeypatch.setattr(connector, "refresh_token", slowly)
    assert tokens.renew(douyin.pk) == Renewal.CURRENT
    assert stored(douyin)["access_token"] == "of-a-person"


def test_another_value_that_a_person_types_meanwhile_is_kept(sandbox, douyin, monkeypatch):
    connector = connectors.get("douyin")
    ask = connector.refresh_token

    def slowly(access):
        found = ask(access)
        other = Shop.objects.get(pk=douyin.pk)
        other.credentials = {**other.credentials, "shop_id": "4463798"}
        other.save()
        return found

    monkeypatch.setattr(connector, "refresh_token", slowly)
    assert tokens.renew(douyin.pk) == Renewal.STORED
    assert stored(douyin)["shop_id"] == "4463798"
    assert stored(douyin)["access_token"] != SANDBOX.douyin_token


def test_a_worker_that_dies_before_it_stores_leaves_a_note_and_the_next_one_tries(sandbox, douyin, monkeypatch):
    about_to_end(sandbox, douyin)
    connector = connectors.get("douyin")
    ask = connector.refresh_token

    def killed(access):
        ask(access)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(connector, "refresh_token", killed)
        with pytest.raises(KeyboardInterrupt):
            tokens.keep_fresh()
    assert state(douyin).token_asked_at is not None
    assert tokens.keep_fresh() == {"douyin": "stored"}
    assert state(douyin).token_asked_at is None


def test_where_the_lost_answer_used_the_refresh_token_up_people_read_just_that(sandbox, douyin, monkeypatch):
    sandbox.douyin.tokens.rotates = True
    about_to_end(sandbox, douyin)
    douyin.credentials = {**stored(douyin), "shop_id": ""}
    douyin.save()
    old = stored(douyin)["access_token"]
    connector = connectors.get("douyin")
    ask = connector.refresh_token

    def killed(access):
        ask(access)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(connector, "refresh_token", killed)
        with pytest.raises(KeyboardInterrupt):
            tokens.keep_fresh()
    assert tokens.keep_fresh() == {"douyin": "refused"}
    assert "takes a refresh token only once" in state(douyin).token_error
    sandbox.douyin.tokens.check(old)
    assert tokens.keep_fresh() == {}


def test_a_rotated_refresh_token_is_stored_with_its_session(sandbox, douyin):
    sandbox.douyin.tokens.rotates = True
    about_to_end(sandbox, douyin)
    before = stored(douyin)["refresh_token"]
    assert tokens.keep_fresh() == {"douyin": "stored"}
    assert stored(douyin)["refresh_token"] != before
    ended(sandbox, douyin)
    assert tokens.keep_fresh() == {"douyin": "stored"}


def ended(sandbox, shop):
    sandbox.douyin.tokens.shorten(-1)
    shop.refresh_from_db()
    shop.credentials = {**shop.credentials, "expires_at": soon(seconds=-1)}
    shop.save()


def test_a_pull_that_is_refused_renews_once_and_goes_on(sandbox, douyin, rules):
    tokens.renew(douyin.pk)
    made = sandbox.live.make(3)
    sandbox.douyin.tokens.shorten(-1)
    counts = pulls.pull_shop(douyin.pk)
    assert counts["new"] == len(made)
    assert state(douyin).error_kind == ""
    assert SyncRun.objects.get().state == "done"


def test_a_pull_that_stays_refused_ends_and_is_not_repeated(sandbox, douyin, rules):
    tokens.renew(douyin.pk)
    sandbox.douyin.tokens.is_revoked = True
    pulls.pull_shop(douyin.pk)
    sync = state(douyin)
    assert (sync.error_kind, sync.token_state) == ("authorisation", TokenState.REFUSED)
    assert pulls.pull_shop(douyin.pk) is None
    assert SyncRun.objects.count() == 1


def test_a_call_that_is_refused_is_made_again_with_a_new_session(sandbox, douyin):
    (number,) = sandbox.live.make(1)
    tokens.renew(douyin.pk)
    sandbox.douyin.tokens.shorten(-1)
    connector = connectors.get("douyin")
    douyin.refresh_from_db()
    pages = tokens.calling(douyin, lambda access: list(connector.fetch(access, [number])))
    assert [page.rows for page in pages] == [1]


def test_a_call_that_is_refused_twice_is_told_in_the_shops_state(sandbox, douyin):
    tokens.renew(douyin.pk)
    douyin.refresh_from_db()
    calls = []

    def call(access):
        calls.append(access.credential("access_token"))
        raise AuthorisationError("no")

    with pytest.raises(AuthorisationError):
        tokens.calling(douyin, call)
    assert len(calls) == 2
    assert (state(douyin).token_state, state(douyin).token_error) == (TokenState.REFUSED, "no")


def test_a_code_is_exchanged_for_a_session(jd):
    ends = tokens.obtain(shop_id=jd.pk, code=f" {SANDBOX.jd_code} ", actor="boss")
    assert timedelta(days=29) < ends - datetime.now(UTC) < timedelta(days=31)
    assert stored(jd)["access_token"].startswith("sandbox-jd-")
    assert state(jd).token_expires_at == ends


@pytest.mark.parametrize("platform", ["jd", "taobao", "douyin"])
def test_a_wrong_code_changes_nothing(platform, request):
    shop = request.getfixturevalue(platform)
    before = stored(shop)
    with pytest.raises(HubError):
        tokens.obtain(shop_id=shop.pk, code="wrong", actor="boss")
    assert stored(shop) == before


@pytest.mark.parametrize(("platform", "code"), [("taobao", "authorization_code"), ("douyin", "douyin_code")])
def test_other_platforms_exchange_codes_too(platform, code, request):
    shop = request.getfixturevalue(platform)
    before = stored(shop)
    assert tokens.obtain(shop_id=shop.pk, code=getattr(SANDBOX, code), actor="boss") is not None
    field = connectors.get(platform).session_field
    assert stored(shop)[field] != before[field]


@pytest.mark.parametrize(
    ("platform", "code", "field"),
    [("taobao", "authorization_code", "taobao_user_id"), ("douyin", "douyin_code", "shop_id")],
)
def test_the_session_of_another_account_is_refused(platform, code, field, request):
    shop = request.getfixturevalue(platform)
    shop.credentials = before = {**shop.credentials, field: "4711"}
    shop.save()
    with pytest.raises(HubError, match=r"this shop is 4711: nothing was changed"):
        tokens.obtain(shop_id=shop.pk, code=getattr(SANDBOX, code), actor="boss")
    assert stored(shop) == before


def test_a_platform_without_codes_says_so(db, sandbox):
    shop = shop_of("wechat", app_id="x")
    with pytest.raises(HubError, match="no session for a code"):
        tokens.obtain(shop_id=shop.pk, code="c", actor="boss")


def test_while_somebody_renews_a_code_waits(jd):
    Lease.objects.create(name=f"token:{jd.pk}", token="5d3c6a0e-0000-4000-8000-000000000000", until=soon(minutes=1))
    with pytest.raises(HubError, match="try again"):
        tokens.obtain(shop_id=jd.pk, code=SANDBOX.jd_code, actor="boss")
    assert tokens.renew(jd.pk) == Renewal.BUSY
    assert stored(jd)["access_token"] == SANDBOX.jd_token


def test_nothing_secret_is_logged(sandbox, douyin, caplog, capsys):
    about_to_end(sandbox, douyin)
    tokens.keep_fresh()
    sandbox.douyin.tokens.is_revoked = True
    tokens.renew(douyin.pk, refused=stored(douyin)["access_token"])
    said = caplog.text + capsys.readouterr().out + state(douyin).token_error
    for name in ("access_token", "refresh_token", "app_secret"):
        assert stored(douyin)[name] not in said


def test_unreadable_credentials_do_not_stop_the_others(douyin, jd):
    Shop.objects.filter(pk=douyin.pk).update(sealed_credentials=b"\x01\x03old" + bytes(40))
    assert tokens.keep_fresh() == {"jd": "stored"}


def test_the_queries_of_a_quiet_look_do_not_grow_with_the_shops(sandbox, db, django_assert_num_queries):
    for number in range(3):
        shop = make_shop(f"s{number}", platform="jd")
        shop.credentials = {"access_token": "x", "refresh_token": "y"}
        shop.save()
    with django_assert_num_queries(1):
        assert tokens.keep_fresh() == {}


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_ask_once_and_both_have_the_new_session(transactional_db, sandbox):
    shop = shop_of(
        "jd", app_key=SANDBOX.jd_app_key, app_secret=SANDBOX.jd_app_secret, access_token="run-out",
        refresh_token=SANDBOX.jd_refresh_token,
    )  # fmt: skip
    start, seen, failures = threading.Barrier(2), [], []

    def work():
        try:
            mine = Shop.objects.get(pk=shop.pk)
            start.wait(10)
            assert tokens.renewed_after_refusal(mine)
            seen.append(mine.credentials["access_token"])
        except Exception as error:  # noqa: BLE001  (told to the test)
            failures.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert failures == []
    assert len(seen) == 2
    assert seen[0] == seen[1] == stored(shop)["access_token"] != "run-out"
    assert state(shop).token_error == ""


def test_a_person_may_renew_a_session_at_any_time_where_the_platform_lets_them(sandbox, douyin):
    tokens.renew_now(shop_id=douyin.pk, actor="boss")
    first = stored(douyin)
    tokens.renew_now(shop_id=douyin.pk, actor="boss")
    assert stored(douyin)["access_token"] == first["access_token"]


def test_a_person_reads_from_when_on_a_session_is_renewed(jd):
    jd.credentials = {**jd.credentials, "expires_at": soon(days=9)}
    jd.save()
    with pytest.raises(HubError, match="only towards its end"):
        tokens.renew_now(shop_id=jd.pk, actor="boss")
    assert stored(jd)["access_token"] == SANDBOX.jd_token


def test_a_person_reads_why_a_session_was_not_renewed(sandbox, douyin, taobao):
    sandbox.douyin.tokens.is_revoked = True
    with pytest.raises(HubError, match="authorise the shop again"):
        tokens.renew_now(shop_id=douyin.pk, actor="boss")
    with pytest.raises(HubError, match="Nothing is stored"):
        tokens.renew_now(shop_id=taobao.pk, actor="boss")


def test_a_parcel_is_told_with_a_renewed_session(sandbox, douyin):
    number = next(
        number for number in sandbox.live.make(30)
        if sandbox.store.get(number).draft["status"] == "paid" and not sandbox.store.get(number).draft["channel_hold"]
        and all(line["refund"] == "none" for line in sandbox.store.get(number).draft["lines"])
    )  # fmt: skip
    sandbox.faults.add({"kind": "expired_token", "method": "order.logisticsAdd"})
    ShipmentTeller().send(Prepared(douyin, Shipment(number, "YTO", "YT1234567890123")))
    assert [write["key"] for write in sandbox.store.writes("douyin", "shipment")] == [number]
    assert state(douyin).token_state == TokenState.VALID
