"""Opening receivers by their token, by the real connector against the sandbox."""

from datetime import UTC, datetime, timedelta

import pytest

from channels_sync.connectors.exchange import QuotaReachedError
from channels_sync.connectors.taobao import receivers
from channels_sync.readers import read
from channels_sync.sandbox.masking import oaid
from orderhub.core.errors import HubError, TemporaryError
from tests.channels_sync.connectors.test_taobao_writes import Side


@pytest.fixture
def side(platform):
    return Side(platform)


def truth(side, number):
    return side.platform.store.get(number).draft


def sealed(side, number):
    (page,) = side.connector.fetch(side.access, [number])
    draft = read(page.reader, page.body)[0].draft
    return side.connector.sealed_of(number, draft.raw, draft.receiver.oaid)


def told(side):
    return [body["texts"] for _key, body in side.told("reveal")]


def test_one_question_opens_name_address_and_a_virtual_number_that_ends(side):
    number = side.paid()
    name, phone, detail = side.connector.reveal(side.access, sealed(side, number))
    receiver = truth(side, number)["receiver"]
    assert (name.text, name.kind, detail.text) == (receiver["name"], "plain", receiver["detail"])
    assert (phone.text, phone.kind) == (f"18877771111-{receiver['phone'][-4:]}", "virtual")
    assert timedelta(days=14) < phone.expires_at - datetime.now(UTC) < timedelta(days=16)
    assert name.expires_at is None
    assert told(side) == [1]


def test_many_orders_go_twenty_a_call(side):
    numbers = [number for number in side.platform.live.make(60) if truth(side, number)["status"] == "paid"][:25]
    values = [value for number in numbers for value in sealed(side, number)]
    found = side.connector.reveal(side.access, values)
    assert [opened.text for opened in found if opened.sealed.part == "name"] == [
        truth(side, number)["receiver"]["name"] for number in numbers
    ]
    assert sorted(told(side)) == [5, 20]


def test_a_token_of_another_week_is_replaced_by_the_orders_present_one(side):
    number = side.paid()
    old = sealed(side, number)
    side.platform.live.change(number, "move")
    assert oaid(truth(side, number)) != old[0].cipher
    name, phone, _detail = side.connector.reveal(side.access, old)
    assert name.text == truth(side, number)["receiver"]["name"]
    assert phone.text.endswith("-0000")
    assert told(side) == [1, 1]


def test_a_token_that_never_matches_opens_nothing(side):
    number = side.paid()
    values = [receivers.Sealed(number, "name", "1another")]
    side.platform.top._with_session["taobao.trade.fullinfo.get"] = lambda params: {"trade": {"oaid": "1another"}}
    (name,) = side.connector.reveal(side.access, values)
    assert (name.text, isinstance(name.error, HubError)) == ("", True)


def test_a_used_up_quota_says_so(side):
    number = side.paid()
    values = sealed(side, number)
    side.platform.top.receivers.quota = 0
    with pytest.raises(QuotaReachedError, match="额度"):
        side.connector.reveal(side.access, values)


def test_a_closed_order_is_not_opened(side):
    number = side.paid()
    values = sealed(side, number)
    side.platform.live.change(number, "cancel")
    with pytest.raises(HubError, match="不支持解密"):
        side.connector.reveal(side.access, values)


def test_a_question_that_seems_lost_is_not_asked_twice(side):
    number = side.paid()
    values = sealed(side, number)
    side.fault("answer_lost", method=receivers.METHOD)
    with pytest.raises(TemporaryError):
        side.connector.reveal(side.access, values)
    assert told(side) == [1]


@pytest.mark.parametrize("scene", ["1006", "9999", ""])
def test_a_scene_that_the_platform_does_not_know_becomes_after_sale(side, scene):
    side.settings["reveal_scene"] = scene
    number = side.paid()
    assert side.connector.reveal(side.access, sealed(side, number))[0].text == truth(side, number)["receiver"]["name"]


def test_an_order_without_a_token_has_nothing_to_open(side):
    assert side.connector.sealed_of("1", {}, "") == []


def test_values_are_in_no_representation(side):
    number = side.paid()
    values = sealed(side, number)
    shown = repr(values) + repr(side.connector.reveal(side.access, values))
    assert truth(side, number)["receiver"]["name"] not in shown
    assert values[0].cipher not in shown


@pytest.mark.parametrize("written", ["0001-01-01 00:00:00", "1970-01-01 08:00:00", "", "soon"])
def test_a_date_that_stands_for_none_leaves_a_virtual_number_without_an_end(side, written):
    number = side.paid()
    value = next(value for value in sealed(side, number) if value.part == "phone")
    row = {"tid": number, "mobile": "18877771111-0007", "privacy_protection": True, "secret_no_expire_time": written}
    side.platform.top._with_session[receivers.METHOD] = lambda params: {"receiver_list": {"receiver": [row]}}
    (phone,) = side.connector.reveal(side.access, [value])
    assert (phone.text, phone.kind, phone.expires_at) == ("18877771111-0007", "virtual", None)
