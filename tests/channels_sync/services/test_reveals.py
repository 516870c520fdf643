import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.utils import translation

from channels_sync.connectors.wechat import token
from channels_sync.connectors.wechat.receivers import DECODE
from channels_sync.models import PlatformReveal, ShopSync
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox
from channels_sync.sandbox.wechat_token import WechatError
from channels_sync.sandbox.wechat_view import address_of
from channels_sync.services import reveals
from orderhub import pulls
from orderhub.models import Order, Receiver, Reveal
from orderhub.services.reveal import opening_quota, reveal
from tests.channels_sync.clock import PlatformClock
from tests.factories import make_order, make_shop, make_user

RIGHT = "orderhub.reveal_personal_data"


@pytest.fixture(autouse=True)
def english():
    """The words of the sources."""
    with translation.override("en"):
        yield


@pytest.fixture
def platform(settings):
    with Sandbox(Options(shares={"douyin": 1}, moves=False), now=PlatformClock()) as sandbox:
        settings.DOUYIN_GATEWAY_URL = f"{sandbox.url}/douyin"
        yield sandbox


@pytest.fixture
def shop(rules, platform):
    shop = make_shop("dy", platform="douyin", settings={"look_back_hours": 1, "calls_per_second": 1000})
    shop.credentials = {
        "app_key": SANDBOX.douyin_app_key, "app_secret": SANDBOX.douyin_secret, "shop_id": SANDBOX.douyin_shop_id,
        "access_token": SANDBOX.douyin_token,
    }  # fmt: skip
    shop.save()
    return shop


@pytest.fixture
def order(platform, shop):
    platform.live.make(1)
    pulls.pull_shop(shop.pk, force=True)
    return Order.objects.get()


@pytest.fixture
def anna(db):
    return make_user("anna", RIGHT)


def ask(order, user, **options):
    return reveal(order_id=order.pk, user=user, reason="客户来电核对", place="desk", **options)


def truth(platform, order):
    return platform.store.get(order.external_no).draft["receiver"]


def spent():
    return list(PlatformReveal.objects.order_by("pk").values_list("texts", "opened"))


def told(platform):
    return sum(write["body"]["texts"] for write in platform.store.writes("douyin", "reveal"))


def test_what_the_platform_masks_is_opened_with_the_end_of_the_virtual_number(platform, order, anna):
    shown = ask(order, anna)
    assert (shown["name"], shown["detail"]) == (truth(platform, order)["name"], truth(platform, order)["detail"])
    assert "-" in shown["phone"]
    assert shown["virtual_until"] > datetime.now(UTC)
    assert shown["problem"] == ""
    assert spent() == [(3, 3)]
    assert PlatformReveal.objects.values_list("shop__code", "user__username", "order_id").get() == (
        "dy", "anna", order.pk,
    )  # fmt: skip
    assert Reveal.objects.get().reason == "客户来电核对"


def test_one_part_costs_one_text(platform, order, anna):
    shown = ask(order, anna, parts=["phone"])
    assert "-" in shown["phone"]
    assert "*" in shown["name"]
    assert (spent(), told(platform)) == ([(1, 1)], 1)


def test_clear_texts_are_shown_and_not_kept(platform, order, anna):
    ask(order, anna)
    receiver = Receiver.objects.get(order=order)
    assert truth(platform, order)["name"] not in str(receiver.open())
    assert receiver.kind == "masked"
    ask(order, anna)
    assert told(platform) == 6


def test_without_permission_or_reason_the_platform_is_not_asked(platform, order, anna):
    with pytest.raises(PermissionDenied):
        ask(order, make_user("bob"))
    with pytest.raises(Exception, match=r"reason|理由"):
        reveal(order_id=order.pk, user=anna, reason=" ", place="desk")
    assert (spent(), told(platform)) == ([], 0)


def test_the_quota_of_a_shop_is_told_in_words_and_what_is_known_is_shown(platform, shop, order, anna):
    shop.settings = {**shop.settings, "reveals_per_day": 4}
    shop.save()
    ask(order, anna)
    shown = ask(order, make_user("ben", RIGHT))
    assert "3 of this shop's 4 texts a day" in shown["problem"]
    assert "*" in shown["name"]
    assert spent() == [(3, 3)]
    assert "-" in ask(order, anna, parts=["phone"])["phone"]


def test_the_quota_of_a_person_holds_for_all_shops(platform, shop, order, anna):
    shop.settings = {**shop.settings, "reveals_per_person": 5}
    shop.save()
    other = make_order(make_shop("tb", platform="taobao"))
    PlatformReveal.objects.create(shop=other.shop, order=other, user=anna, texts=3)
    assert "you had 3 of your 5 texts" in ask(order, anna)["problem"]
    assert ask(order, make_user("ben", RIGHT))["problem"] == ""


def test_a_new_day_starts_anew(platform, shop, order, anna):
    shop.settings = {**shop.settings, "reveals_per_day": 3}
    shop.save()
    ask(order, anna)
    PlatformReveal.objects.update(at=datetime.now(UTC) - timedelta(hours=25))
    assert ask(order, anna)["problem"] == ""


def test_the_platforms_own_quota_is_told_and_gives_the_texts_back(platform, order, anna):
    platform.douyin.writes.quota = 2
    shown = ask(order, anna)
    assert "opens no more contacts today" in shown["problem"]
    assert spent() == [(0, 0)]
    assert opening_quota(order.receiver, anna).shop_left == reveals.TEXTS_A_DAY


@pytest.mark.parametrize(("kind", "texts"), [("http500", 3), ("disconnect", 3), ("truncated", 3), ("throttle", 0)])
def test_a_failure_is_told_and_counted_unless_the_platform_surely_did_not(platform, order, anna, kind, texts):
    platform.faults.add({"kind": kind, "method": "order.batchDecrypt", "times": 9})
    shown = ask(order, anna)
    assert shown["problem"]
    assert "*" in shown["name"]
    assert spent() == [(texts, 0)]


def test_a_session_that_ran_out_is_renewed_on_the_way(platform, order, anna):
    platform.faults.add({"kind": "expired_token", "method": "order.batchDecrypt"})
    assert ask(order, anna)["problem"] == ""
    assert ShopSync.objects.get().token_state == "valid"


def test_an_order_of_a_platform_that_opens_nothing_shows_what_is_known(db, anna):
    order = make_order(make_shop("jd", platform="jd"))
    Receiver.objects.update(kind="masked")
    shown = ask(order, anna)
    assert set(shown) == {"name", "phone", "detail", "postcode"}
    assert opening_quota(order.receiver, anna) is None


def test_a_plain_receiver_costs_nothing(platform, order, anna):
    Receiver.objects.update(kind="plain")
    assert set(ask(order, anna)) == {"name", "phone", "detail", "postcode"}
    assert spent() == []


def test_what_is_left_is_known_before_asking(platform, shop, order, anna):
    shop.settings = {**shop.settings, "reveals_per_day": 10, "reveals_per_person": 4}
    shop.save()
    before = opening_quota(order.receiver, anna)
    assert (before.parts, before.shop_left, before.person_left, before.left) == (("name", "phone", "detail"), 10, 4, 4)
    ask(order, anna)
    assert opening_quota(order.receiver, anna).left == 1
    assert opening_quota(order.receiver, make_user("bob")) is None


def test_nothing_clear_is_logged(platform, order, anna, caplog, capsys):
    shown = ask(order, anna)
    said = caplog.text + capsys.readouterr().out
    assert all(shown[part] not in said for part in ("name", "phone", "detail"))


@pytest.mark.django_db(transaction=True)
def test_two_people_at_once_do_not_both_take_the_last_texts(transactional_db, platform, shop):
    platform.live.make(1)
    pulls.pull_shop(shop.pk, force=True)
    order = Order.objects.get()
    shop.settings = {**shop.settings, "reveals_per_day": 3}
    shop.save()
    people = [make_user(name, RIGHT).pk for name in ("anna", "ben")]
    start, found = threading.Barrier(2), []

    def work(user_id):
        try:
            start.wait(10)
            found.append(reveals.open_at_platform(order.pk, user_id, ("name", "phone", "detail")).problem)
        finally:
            connection.close()

    workers = [threading.Thread(target=work, args=(pk,)) for pk in people]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert sorted(bool(problem) for problem in found) == [False, True]
    assert (spent(), told(platform)) == ([(3, 3)], 3)


@pytest.fixture
def taobao_order(rules, settings):
    """A masked order with a receiver token."""
    with Sandbox(Options(taobao_share=1.0, moves=False), now=PlatformClock()) as sandbox:
        settings.TAOBAO_GATEWAY_URL = f"{sandbox.url}/router/rest"
        shop = make_shop("tb", platform="taobao", settings={"look_back_hours": 1, "calls_per_second": 1000})
        shop.credentials = {"app_key": SANDBOX.app_key, "app_secret": SANDBOX.app_secret, "session": SANDBOX.session}
        shop.save()
        sandbox.live.make(8)
        pulls.pull_shop(shop.pk, force=True)
        yield sandbox, Order.objects.filter(status__in=["ready", "in_triage_hold"]).first()


def test_a_token_that_opens_everything_counts_once(taobao_order, anna):
    sandbox, order = taobao_order
    assert opening_quota(order.receiver, anna).cost == 1
    shown = ask(order, anna)
    assert shown["name"] == truth(sandbox, order)["name"]
    assert shown["virtual_until"] > datetime.now(UTC)
    assert spent() == [(1, 3)]


@pytest.fixture
def wechat(rules, settings):
    """A WeChat shop that masks receivers until they are opened, with one order, to be shipped, behind a number."""
    token._slots.clear()
    with Sandbox(Options(shares={"wechat": 1}, moves=False), now=PlatformClock()) as sandbox:
        settings.WECHAT_GATEWAY_URL = f"{sandbox.url}/wechat"
        sandbox.wechat.contacts.hides = True
        shop = make_shop("wx", platform="wechat", settings={"look_back_hours": 1, "calls_per_second": 1000})
        shop.credentials = {"app_id": SANDBOX.wechat_app_id, "app_secret": SANDBOX.wechat_secret}
        shop.save()
        sandbox.live.make(40)
        pulls.pull_shop(shop.pk, force=True)
        yield sandbox


def behind_a_number(sandbox):
    """Return a paid order of the pool whose buyer has a virtual number."""
    orders = Order.objects.filter(channel_status="20", lines__refund="none").order_by("pk")
    return next(o for o in orders if address_of(sandbox.store.get(o.external_no).draft)["use_tel_number"])


def refusing(sandbox, code):
    """Let the platform refuse to open anything with this number."""

    def call(_path, _body):
        raise WechatError(code, "no")

    sandbox.wechat._calls[DECODE] = call


def test_one_question_opens_a_whole_receiver_of_a_wechat_shop(wechat, anna):
    order = behind_a_number(wechat)
    before = opening_quota(order.receiver, anna)
    assert (before.parts, before.cost) == (("name", "phone", "detail"), 1)
    shown = ask(order, anna)
    assert shown["name"] == truth(wechat, order)["name"]
    assert shown["virtual_until"] > datetime.now(UTC)
    assert (spent(), len(wechat.store.writes("wechat", "reveal"))) == ([(1, 3)], 1)


def test_a_working_virtual_number_is_shown_as_it_came_and_an_ended_one_is_replaced(wechat, anna):
    wechat.wechat.contacts.hides = False
    order = behind_a_number(wechat)
    pulls.pull_shop(order.shop_id, force=True)
    order.refresh_from_db()
    assert Receiver.objects.get(order=order).kind == "virtual"
    assert opening_quota(Receiver.objects.get(order=order), anna) is None
    assert "virtual_until" not in ask(order, anna)
    wechat.live.change(order.external_no, "cancel")
    pulls.pull_shop(order.shop_id, force=True)
    assert opening_quota(Receiver.objects.get(order=order), anna).parts == ("phone",)
    shown = ask(order, anna)
    assert shown["phone"].startswith("1709")
    assert shown["virtual_until"] > datetime.now(UTC) + timedelta(days=29)
    assert spent() == [(1, 1)]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (48001, "ask for the right in the shop's back office"), (10020123, "the shop's quota is used up"),
        (10020503, "cancelled or past their after-sales"), (10020198, "one after the other"),
    ],
)  # fmt: skip
def test_a_refusal_of_wechat_is_told_gives_the_text_back_and_leaves_the_shop_alone(wechat, anna, code, words):
    order = behind_a_number(wechat)
    refusing(wechat, code)
    shown = ask(order, anna)
    assert words in shown["problem"]
    assert "*" in shown["name"]
    assert spent() == [(0, 0)]
    assert ShopSync.objects.get().token_state != "refused"
    pulls.pull_shop(order.shop_id, force=True)
    assert ShopSync.objects.get().last_error == ""
