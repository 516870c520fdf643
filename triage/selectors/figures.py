"""Figures about triage for the dashboard."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from triage.gates import GATES, gate_texts
from triage.models import Outcome
from triage.selectors.rules import RuleTexts, newest_version


@dataclass(slots=True, frozen=True)
class ReasonCount:
    """How often one reason was found."""

    code: str
    title: str
    today: int
    yesterday: int
    """Up to the same time of day, so that the two can be compared."""


def reason_counts(now: datetime, most: int = 8) -> list[ReasonCount]:
    """Return the reasons found most often today, tags left out. One query that reads two days of one index."""
    version = newest_version()
    codes = list(GATES)
    if version is not None:
        codes += [code for code, texts in version.rules.items() if texts.outcome != Outcome.TAG]
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.code, t.today, y.yesterday FROM unnest(%s::text[]) AS c (code)
            CROSS JOIN LATERAL (SELECT count(*) AS today FROM triage_finding f
                WHERE f.code = c.code AND f.found_at >= %s AND f.found_at <= %s) t
            CROSS JOIN LATERAL (SELECT count(*) AS yesterday FROM triage_finding f
                WHERE f.code = c.code AND f.found_at >= %s AND f.found_at <= %s) y
            WHERE t.today + y.yesterday > 0 ORDER BY t.today DESC, y.yesterday DESC, c.code LIMIT %s
            """,
            [codes, midnight, now, midnight - timedelta(days=1), now - timedelta(days=1), most],
        )
        rows = cursor.fetchall()
    titles = {code: RuleTexts.pick(texts.names) for code, texts in version.rules.items()} if version else {}
    titles |= {code: gate_texts(code, {})[0] for code in GATES}
    return [ReasonCount(code, titles.get(code, code), today, yesterday) for code, today, yesterday in rows]


def filter_choices() -> list[tuple[str, str]]:
    """Return every reason that orders can be filtered by: code and name of the version in force."""
    version = newest_version()
    named = [(code, gate_texts(code, {})[0]) for code in GATES]
    if version is not None:
        named += [(code, RuleTexts.pick(texts.names)) for code, texts in version.rules.items()]
    return named
