"""Opening receivers and asking for new virtual numbers, by the real connector against the sandbox."""

from datetime import UTC, datetime, timedelta

import pytest

from channels_sync.connectors.base import AuthorisationError, ThrottledError
from channels_sync.connectors.causes import Cause
from channels_sync.connectors.exchange import NotOpenedError, QuotaReachedError, Sealed, Shipment
from channels_sync.connectors.wechat.errors import contact_error, wechat_error
from channels_sync.connectors.wechat.pull import ORDER
from channels_sync.connectors.wechat.receivers import AGAIN, DECODE, EXCHANGE
from channels_sync.sandbox import wechat_contacts
from channels_sync.sandbox.wechat_token import WechatError
from channels_sync.sandbox.wechat_view import address_of
from orderhub.core.errors import HubError, TemporaryError
from tests.channels_sync.connectors.wechat.test_writes import paid

HIDDEN = [("name", "receiver"), ("phone", "receiver"), ("detail", "receiver")]


@pytest.fixture
def hiding(side):
    """A shop that masks receivers until they are opened."""
    side.platform.wechat.contacts.hides = True
    return side


def truth(side, number):
    return side.platform.store.get(number).draft


def an_order(side, *, virtual=True):
    """Return a paid order whose buyer hides behind a virtual number, or does not."""
    while True:
        number = paid(side)
        if bool(address_of(truth(side, number))["use_tel_number"]) is virtual:
            return number


def completed(side, number):
    """Ship and complete an order: with it ends its virtual number."""
    side.connector.ship(side.access, Shipment(number, "SF", f"SF{number}"))
    side.platform.live.change(number, "complete")
    return number


def sealed(side, number):
    draft = side.drafts(side.connector.fetch(side.access, [number]))[number]
    return side.connector.sealed_of(number, draft.raw, draft.receiver.oaid)


def opened(side, values):
    return {found.sealed.part: found for found in side.connector.reveal(side.access, values)}


def asked(side):
    return [body["call"] for body in side.told("reveal")][::-1]


def answering(side, path, answer):
    """Let the platform answer one call with just this."""

    def call(_path, _body):
        if isinstance(answer, Exception):
            raise answer
        return answer

    side.platform.wechat._calls[path] = call


def test_one_question_opens_name_address_and_a_virtual_number_that_ends(hiding):
    number = an_order(hiding)
    values = sealed(hiding, number)
    assert [(value.part, value.cipher) for value in values] == HIDDEN
    found, receiver = opened(hiding, values), truth(hiding, number)["receiver"]
    assert (found["name"].text, found["name"].kind) == (receiver["name"], "plain")
    assert found["detail"].text == receiver["town"] + receiver["detail"]
    shown = address_of(truth(hiding, number))["tel_number_ext_info"]
    assert (found["phone"].text, found["phone"].kind) == (shown["virtual_tel_number"], "virtual")
    assert found["phone"].expires_at == datetime.fromtimestamp(shown["virtual_tel_expire_time"], UTC)
    assert found["name"].expires_at is None
    assert asked(hiding) == ["decode"]


def test_a_buyer_without_a_virtual_number_is_opened_with_their_own(hiding):
    number = an_order(hiding, virtual=False)
    phone = opened(hiding, sealed(hiding, number))["phone"]
    assert (phone.text, phone.expires_at) == (truth(hiding, number)["receiver"]["phone"], None)


def test_an_opened_order_shows_its_number_and_counts_no_more(hiding):
    number = an_order(hiding)
    opened(hiding, sealed(hiding, number))
    values = sealed(hiding, number)
    assert [value.part for value in values] == ["name", "detail"]
    assert opened(hiding, values)["name"].text == truth(hiding, number)["receiver"]["name"]
    assert asked(hiding) == ["decode"]


def test_nothing_is_sealed_of_a_shop_that_masks_nothing(side):
    assert sealed(side, an_order(side)) == []


@pytest.mark.parametrize("until", [None, "", "soon", 7, "2020-01-01T00:00:00", "2999-01-01T00:00:00+00:00"])
def test_a_number_without_a_known_end_is_not_asked_for_again(side, until):
    assert side.connector.sealed_of("1", {"virtual_phone_until": until}, "") == []


def test_an_ended_number_is_replaced_once_and_told_with_its_end(side):
    values = sealed(side, completed(side, an_order(side)))
    assert [(value.part, value.cipher) for value in values] == [("phone", "number")]
    first, second = opened(side, values)["phone"], opened(side, values)["phone"]
    assert first.text.startswith("1709")
    assert timedelta(days=29) < first.expires_at - datetime.now(UTC) < timedelta(days=31)
    assert (second.text, second.expires_at) == (first.text, first.expires_at)
    assert asked(side) == ["again"]


def test_the_older_call_is_asked_where_the_settings_say_so(side):
    side.settings["virtual_number_call"] = "virtualtelnumber/get"
    phone = opened(side, sealed(side, completed(side, an_order(side))))["phone"]
    assert timedelta(days=2) < phone.expires_at - datetime.now(UTC) < timedelta(days=4)
    assert asked(side) == ["exchange"]


def test_an_order_that_had_its_further_number_gets_no_other(side, monkeypatch):
    monkeypatch.setattr(wechat_contacts, "LIFE", -1)
    values = sealed(side, completed(side, an_order(side)))
    assert opened(side, values)["phone"].expires_at is None
    with pytest.raises(NotOpenedError, match="虚拟号码次数"):
        side.connector.reveal(side.access, values)


def test_opening_a_receiver_whose_number_has_ended_asks_for_another_too(hiding):
    found = opened(hiding, sealed(hiding, completed(hiding, an_order(hiding))))
    assert found["phone"].text.startswith("1709")
    assert [part.error for part in found.values()] == [None] * 3
    assert asked(hiding) == ["decode", "again"]


def test_what_is_opened_is_told_beside_the_reason_for_the_rest(hiding):
    number = an_order(hiding)
    opened(hiding, sealed(hiding, number))
    hiding.platform.live.change(number, "cancel")
    found = opened(hiding, sealed(hiding, number))
    assert found["phone"].text.startswith("1709")
    assert [type(found[part].error) for part in ("name", "detail")] == [NotOpenedError] * 2


def test_several_orders_are_asked_one_call_each(hiding):
    numbers = [an_order(hiding) for _ in range(3)]
    values = [value for number in numbers for value in sealed(hiding, number)]
    found = hiding.connector.reveal(hiding.access, values)
    assert [opening.sealed for opening in found] == values
    assert [opening.text for opening in found[::3]] == [truth(hiding, number)["receiver"]["name"] for number in numbers]
    assert asked(hiding) == ["decode"] * 3


def test_a_used_up_quota_says_so(hiding):
    values = sealed(hiding, an_order(hiding))
    hiding.platform.wechat.contacts.quota = 0
    with pytest.raises(QuotaReachedError, match="10020123"):
        hiding.connector.reveal(hiding.access, values)


@pytest.mark.parametrize("change", ["", "cancel"])
def test_an_order_in_the_wrong_state_is_not_opened(hiding, change):
    while truth(hiding, number := hiding.platform.live.make(1)[0])["status"] != "unpaid":
        pass
    if change:
        hiding.platform.live.change(number, change)
    with pytest.raises(NotOpenedError):
        hiding.connector.reveal(hiding.access, [Sealed(number, "name", "receiver")])
    assert asked(hiding) == []


def test_a_missing_right_for_this_call_is_no_refused_session(hiding):
    answering(hiding, DECODE, WechatError(48001, "api unauthorized"))
    with pytest.raises(NotOpenedError, match="48001") as refused:
        hiding.connector.reveal(hiding.access, [Sealed("1", "name", "receiver")])
    assert refused.value.cause == Cause.RIGHTS


def test_a_limit_of_this_call_stops_no_other(hiding):
    answering(hiding, DECODE, WechatError(45009, "reach max api daily quota limit"))
    with pytest.raises(QuotaReachedError):
        hiding.connector.reveal(hiding.access, [Sealed("1", "name", "receiver")])
    assert hiding.queues == [f"wechat:{hiding.credentials['app_id']}:receivers"]
    assert hiding.budget.blocked


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (10020123, QuotaReachedError), (45009, QuotaReachedError), (10020198, ThrottledError), (45011, ThrottledError),
        (10020124, NotOpenedError), (10020503, NotOpenedError), (10020248, NotOpenedError), (10020501, NotOpenedError),
        (10020502, NotOpenedError), (10020506, NotOpenedError), (6060453, NotOpenedError), (6060455, NotOpenedError),
        (48001, NotOpenedError), (50002, NotOpenedError), (40013, AuthorisationError), (100003, TemporaryError),
        (-1, TemporaryError), (61004, HubError),
    ],
)  # fmt: skip
def test_what_each_refusal_means_to_who_asked(code, kind):
    error = wechat_error(code, "why", datetime(2026, 11, 11, 4, tzinfo=UTC))
    assert type(contact_error(error)) is kind


@pytest.mark.parametrize(
    "kind", ["http500", "disconnect", "truncated", "remote_error", "expired_token", "throttle", "answer_lost"]
)
def test_a_passing_fault_is_asked_again_and_counts_once(hiding, kind):
    number = an_order(hiding)
    values = sealed(hiding, number)
    hiding.fault(kind, method=DECODE)
    assert opened(hiding, values)["name"].text == truth(hiding, number)["receiver"]["name"]
    assert asked(hiding) == ["decode"]


def test_a_platform_that_is_away_is_temporary(hiding):
    values = sealed(hiding, an_order(hiding))
    hiding.fault("http500", method=DECODE, times=99)
    with pytest.raises(TemporaryError):
        hiding.connector.reveal(hiding.access, values)


def test_a_number_whose_answer_was_lost_is_shown_by_the_next_look(side):
    values = sealed(side, completed(side, an_order(side)))
    side.fault("answer_lost", method=AGAIN)
    with pytest.raises(TemporaryError):
        side.connector.reveal(side.access, values)
    assert opened(side, values)["phone"].text.startswith("1709")
    assert asked(side) == ["again"]


def test_no_number_is_asked_for_while_the_order_cannot_be_read(side):
    values = sealed(side, completed(side, an_order(side)))
    side.fault("http500", method=ORDER, times=99)
    with pytest.raises(TemporaryError):
        side.connector.reveal(side.access, values)
    assert asked(side) == []


@pytest.mark.parametrize(
    ("answer", "phone"),
    [
        ({"virtual_number_info": {"virtual_number": 13040205676}}, ("13040205676", None)),
        (
            {"virtual_number_info": {"virtual_number": "1", "extension": "2", "expiration": 1999999999000}},
            ("1-2", None),
        ),
        ({"address_info": {"virtual_order_tel_number": "13912345678"}}, ("13912345678", None)),
    ],
)
def test_odd_answers_are_read_as_far_as_they_go(hiding, answer, phone):
    answering(hiding, DECODE, answer)
    (found,) = hiding.connector.reveal(hiding.access, [Sealed("1", "phone", "receiver")])
    assert (found.text, found.expires_at) == phone


@pytest.mark.parametrize("answer", [{}, {"address_info": None}, {"address_info": {"tel_number": "139****5678"}}])
@pytest.mark.parametrize(("path", "cipher"), [(DECODE, "receiver"), (EXCHANGE, "number")])
def test_an_answer_without_a_text_is_an_error_that_counts(side, answer, path, cipher):
    side.settings["virtual_number_call"] = "virtualtelnumber/get"
    answering(side, path, answer)
    answering(side, ORDER, {})
    with pytest.raises(HubError) as refused:
        side.connector.reveal(side.access, [Sealed("1", "phone", cipher)])
    assert type(refused.value) is HubError


def test_values_are_in_no_representation(hiding):
    number = an_order(hiding)
    found = hiding.connector.reveal(hiding.access, sealed(hiding, number))
    shown = repr(found)
    assert not [opening.text for opening in found if opening.text in shown]
