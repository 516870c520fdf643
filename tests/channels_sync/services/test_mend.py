import pytest
from django.utils import timezone, translation

from channels_sync.models import Difference, DifferenceKind, DifferenceState, Reconciliation
from channels_sync.services import mend
from channels_sync.services.compare import FieldDifference
from channels_sync.services.verdicts import Verdict
from tests.channels_sync.slow import slow_platform
from tests.factories import make_shop


def test_what_fetching_again_did_not_help_is_named_in_words():
    fields = (FieldDifference("paid_fen", "¥1.00", "¥2.00"), FieldDifference("lines[2].refund", "none", "asked"))
    with translation.override("zh-hans"):
        told = mend._why(Verdict("differing", "field", fields))
    assert told == "重新拉取后仍不一致：实付、商品行 2：退款"


@pytest.fixture
def slow(monkeypatch):
    return slow_platform(monkeypatch, "channels_sync.services.mend")


def asked_for(count):
    """Let somebody ask for the mending of so many orders, and return their numbers."""
    shop, now = make_shop("slow", platform="slow"), timezone.now()
    job = Reconciliation.objects.create(shop=shop, start=now, end=now, position=now, actor="meimei")
    numbers = [f"T{n:02}" for n in range(count)]
    for number in numbers:
        Difference.objects.create(
            reconciliation=job, shop=shop, kind=DifferenceKind.MISSING_IN_POOL, external_no=number,
            state=DifferenceState.ASKED, closed_by="meimei",
        )  # fmt: skip
    return numbers


def in_state(state):
    return list(Difference.objects.filter(state=state).order_by("external_no").values_list("external_no", flat=True))


def test_what_a_slow_platform_leaves_no_time_for_is_mended_by_the_next_turn(slow, rules):
    numbers = asked_for(20)
    slow.seconds = 20.0
    assert mend.drain() == 8
    assert slow.asked == [numbers[:8]] * 2
    assert (in_state("mended"), in_state("asked")) == (numbers[:8], numbers[8:])
    slow.seconds = 0.0
    assert mend.drain() == 12
    assert slow.asked[2:] == [numbers[8:16]] * 2 + [numbers[16:]] * 2
    assert in_state("mended") == numbers


def test_what_cannot_be_shown_now_is_not_asked_for_twice(slow, rules):
    numbers = asked_for(3)
    slow.hidden = {"T01"}
    assert mend.drain() == 3
    assert slow.asked == [numbers, ["T00", "T02"]]
    assert (in_state("mended"), in_state("kept")) == (["T00", "T02"], ["T01"])
