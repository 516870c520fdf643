import math

import pytest

from triage.quality import judge, read_lines, report


def label(number, lane, **values):
    return {"external_no": number, "lane": lane, "urgent": False, "kinds": [], **values}


def decision(number, lane, *, urgent=False):
    return {"external_no": number, "lane": lane, "urgent": urgent, "findings": []}


LABELS = [
    label("1", "abnormal"),
    label("1", "regular"),
    label("2", "regular"),
    label("3", "to_confirm", urgent=True, kinds=["invalid_phone"]),
    label("4", "abnormal", kinds=["same_ip"], nth=4),
    label("5", "abnormal", kinds=["same_ip"], nth=5, urgent=True),
    label("6", "", urgent=True),
    label("7", "regular"),
]
DECISIONS = [
    decision("1", "regular"),
    decision("2", "to_confirm", urgent=True),
    decision("3", "regular", urgent=True),
    decision("4", "regular"),
    decision("5", "abnormal"),
    decision("6", ""),
    decision("9", "regular"),
]


def test_figures():
    quality = judge(LABELS, DECISIONS)
    assert quality.orders == 6
    assert quality.accuracy == 3 / 6
    assert quality.precision("abnormal") == 1.0
    assert quality.recall("abnormal") == 1 / 2
    assert (quality.urgent_precision, quality.urgent_recall) == (1 / 2, 1 / 2)
    assert quality.lane_share({"to_confirm", "abnormal"}) == 2 / 5
    assert (quality.early, quality.unknown, quality.undecided) == (1, 1, 1)
    assert dict(quality.missed) == {"none: regular → to_confirm": 1, "invalid_phone: to_confirm → regular": 1}


def test_the_report_has_the_matrix():
    text = report(judge(LABELS, DECISIONS))
    assert "| regular | 1 | 1 | 0 | 0 | 50.00 % |" in text
    assert "| manual share (to confirm + abnormal) | 40.00 % |" in text
    assert "- 1 × invalid_phone: to_confirm → regular" in text


def test_nothing_to_compare_is_no_figure():
    assert math.isnan(judge([], []).accuracy)
    assert "—" in report(judge([], []))


def test_a_bad_line_is_named():
    with pytest.raises(ValueError, match="line 2"):
        list(read_lines(['{"external_no": "1", "lane": ""}', '{"lane": ""}']))
