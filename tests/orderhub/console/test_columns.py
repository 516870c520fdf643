from datetime import UTC, datetime, timedelta

import pytest
from django.utils import translation

from orderhub.console import columns
from orderhub.core.words import Status

NOW = datetime(2026, 11, 11, 4, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (3599, "59 minutes ago"),
        (7200, "2 hours ago"),
        (3 * 86400, "3 days ago"),
        (8 * 86400, "2026-11-03"),
        (-120, "in 2 minutes"),
        (-5, "in a moment"),
    ],
)
def test_a_moment_is_told_in_one_unit(seconds, text):
    assert columns.relative(NOW - timedelta(seconds=seconds), NOW) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1112, "18:32 left"),
        (-312, "05:12 overdue"),
        (7265, "2:01:05 left"),
        (80 * 3600, "3 days left"),
        (0, "00:00 left"),
    ],
)
def test_clocks(seconds, text):
    assert columns.clock_text(seconds) == text


def test_a_clock_is_marked_late_only_when_it_is():
    assert 'class="clock"' in columns.countdown(NOW + timedelta(seconds=1), NOW)
    assert 'class="clock late"' in columns.countdown(NOW - timedelta(seconds=1), NOW)


def test_exact_times_are_shown_in_shanghai():
    assert 'title="2026-11-11 12:00:00"' in columns.when(NOW, NOW)


def test_money():
    assert columns.money(123450) == '<span class="num">¥1,234.50</span>'
    assert columns.money(None) == columns.NOTHING


def test_every_status_has_an_owner_and_a_word():
    for status in Status:
        owner, mark = columns.owner_of(status)
        pill = columns.status_pill(status)
        assert str(owner) in pill
        assert str(mark) in pill
        assert str(status.label) in pill


def test_marks_carry_shape_word_and_colour():
    both = columns.marks("abnormal", True)
    for part in ("▲", "Urgent", "mark-urgent", "◆", "Abnormal", "mark-abnormal"):
        assert part in both
    assert "▲" not in columns.marks("regular", False)


@pytest.mark.parametrize(
    "shown",
    [
        columns.status_pill("<script>"),
        columns.lane_mark("<script>"),
        columns.pill("<script>", title="<script>"),
        columns.truncated("<script>" * 20),
    ],
)
def test_what_a_platform_sends_is_escaped(shown):
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
