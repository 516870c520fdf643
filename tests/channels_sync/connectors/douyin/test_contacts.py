from datetime import UTC, datetime, timedelta

import pytest

from channels_sync import readers
from channels_sync.connectors.douyin.errors import RefusedError
from channels_sync.connectors.exchange import QuotaReachedError, Sealed
from orderhub.core.errors import TemporaryError


def sealed(shop, number):
    (page,) = shop.connector.fetch(shop.access, [number])
    draft = readers.read(page.reader, page.body)[0].draft
    return [Sealed(number, part, cipher) for part, cipher in draft.raw["sealed"].items()]


def test_masked_texts_cost_nothing(shop):
    number = shop.make()
    opened = {found.sealed.part: found for found in shop.connector.mask(shop.access, sealed(shop, number))}
    receiver = shop.draft(number)["receiver"]
    assert opened["phone"].text == f"*******{receiver['phone'][-4:]}"
    assert opened["name"].text[0] == receiver["name"][0]
    assert {found.kind for found in opened.values()} == {"masked"}
    assert shop.writes("reveal") == []


def test_clear_texts_and_a_virtual_number_that_expires(shop):
    number = shop.make()
    opened = {found.sealed.part: found for found in shop.connector.reveal(shop.access, sealed(shop, number))}
    receiver = shop.draft(number)["receiver"]
    assert (opened["name"].text, opened["name"].kind) == (receiver["name"], "plain")
    assert (opened["detail"].text, opened["detail"].expires_at) == (receiver["detail"], None)
    assert (opened["phone"].text, opened["phone"].kind) == (f"18400913965-{receiver['phone'][-4:]}", "virtual")
    assert opened["phone"].expires_at > datetime.now(UTC) + timedelta(hours=71)
    assert shop.writes("reveal") == [{"texts": 3}]


def test_many_texts_go_fifty_a_call(shop, platform):
    made = platform.live.make(20)
    values = [value for number in made for value in sealed(shop, number)]
    opened = shop.connector.reveal(shop.access, values)
    assert [found.sealed for found in opened] == values
    assert not [found.error for found in opened if found.error]
    assert shop.writes("reveal") == [{"texts": 10}, {"texts": 50}]


def test_a_text_of_another_order_is_not_opened_and_the_others_are(shop):
    first, second = shop.make(), shop.make()
    name, *others = sealed(shop, first)
    opened = shop.connector.reveal(shop.access, [Sealed(second, name.part, name.cipher), *others])
    assert type(opened[0].error) is RefusedError
    assert opened[0].text == ""
    assert [found.error for found in opened[1:]] == [None, None]


def test_a_used_up_quota_says_so(shop, platform):
    number = shop.make()
    platform.douyin.writes.quota = 2
    with pytest.raises(QuotaReachedError, match="额度"):
        shop.connector.reveal(shop.access, sealed(shop, number))
    assert shop.writes("reveal") == []
    assert len(shop.connector.mask(shop.access, sealed(shop, number))) == 3


def test_a_platform_that_is_away_is_temporary(shop):
    values = sealed(shop, shop.make())
    shop.fault("http500", "order.batchDecrypt", times=99)
    with pytest.raises(TemporaryError):
        shop.connector.reveal(shop.access, values)


@pytest.mark.parametrize(("method", "calls"), [("order.batchDecrypt", 1), ("order.batchSensitive", 3)])
def test_what_the_quota_counts_is_not_repeated_on_the_spot(shop, platform, method, calls):
    values = sealed(shop, shop.make())
    shop.fault("http500", method, times=99)
    with pytest.raises(TemporaryError):
        (shop.connector.reveal if calls == 1 else shop.connector.mask)(shop.access, values)
    assert [fault["fired"] for fault in platform.faults.listing()] == [calls]


def test_texts_never_show_in_logs(shop):
    number = shop.make()
    values = sealed(shop, number)
    opened = shop.connector.reveal(shop.access, values)
    shown = repr(values) + repr(opened)
    assert not [value for value in values if value.cipher in shown]
    assert not [found for found in opened if found.text in shown]
