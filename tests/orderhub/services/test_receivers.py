import pytest

from orderhub.core.draft import ReceiverDraft, read_draft
from orderhub.models import Receiver, TimelineEntry
from orderhub.services.receivers import COLUMNS, has_moved, receiver_rows
from tests.drafts import deliver, draft, later
from tests.factories import make_shop

PLAIN = {"name": "李雷", "phone": "13912345678", "city": "杭州市", "detail": "文三路 90 号"}
MASKED = {"name": "李*", "phone": "*******5678", "city": "杭州市", "detail": "文三路***", "oaid": "a"}


def stored(told):
    """Return a receiver as the pool holds it, sealed."""
    made = read_draft(draft(receiver=told))
    (row,) = receiver_rows([(1, 1, made)])
    return Receiver(**dict(zip(COLUMNS, row, strict=True)))


@pytest.mark.parametrize(("was", "now", "moved"), [
    (PLAIN, PLAIN, False), (PLAIN, PLAIN | {"phone": "139 1234 5678"}, False), (PLAIN, PLAIN | {"name": "韩梅"}, True),
    (PLAIN, PLAIN | {"phone": "13912345679"}, True), (PLAIN, PLAIN | {"detail": ""}, True),
    (PLAIN, PLAIN | {"city": "宁波市"}, True), (MASKED, PLAIN | {"oaid": "a"}, False), (PLAIN, MASKED, False),
    (MASKED, MASKED | {"detail": "学院路***"}, True), (MASKED, MASKED | {"name": "", "phone": "", "detail": ""}, False),
    (MASKED, MASKED | {"oaid": "b"}, True),
    (PLAIN | {"phone": "13912345678-1001"}, PLAIN | {"phone": "13987654321-2002"}, False),
])  # fmt: skip
def test_another_person_or_place_is_told_from_the_same_in_other_words(was, now, moved):
    assert has_moved(stored(was), ReceiverDraft(**now), lasting_tokens=True) is moved


def test_tokens_that_are_new_at_each_reading_say_nothing():
    assert has_moved(stored(MASKED), ReceiverDraft(**MASKED | {"oaid": "b"}), lasting_tokens=False) is False


@pytest.mark.django_db
@pytest.mark.usefixtures("rules")
@pytest.mark.parametrize(("platform", "named"), [("taobao", ["details"]), ("jd", ["receiver"])])
def test_each_platform_says_whether_its_tokens_last(platform, named):
    shop = make_shop(platform=platform)
    deliver(shop, draft(receiver=MASKED))
    deliver(shop, draft(receiver=MASKED | {"oaid": "b"}, modified_at=later(5)))
    assert TimelineEntry.objects.get(kind="change").data["changed"] == named
