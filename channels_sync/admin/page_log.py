"""The log of pages of a run or a back-fill, as a table."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.utils import label_for_field
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from channels_sync.models import COUNTS, SyncPage
from orderhub.console import columns

PAGES_SHOWN = 200
COLUMNS = ("rows", *COUNTS, "fetch_ms", "intake_ms")
"""Columns of a page in its log."""


def page_log(pages: QuerySet[SyncPage]) -> SafeString:
    """Return the pages of a run or a back-fill as a table, the first ones where there are very many."""
    rows = list(pages.order_by("id")[: PAGES_SHOWN + 1])
    if not rows:
        return columns.NOTHING
    titles = ((label_for_field(name, SyncPage),) for name in COLUMNS)
    numbers = format_html_join("", '<th scope="col" class="number">{}</th>', titles)
    head = format_html('<th scope="col">{}</th>{}', _("raw delivery"), numbers)
    body = format_html_join("", "<tr>{}</tr>", ((_page_cells(row),) for row in rows[:PAGES_SHOWN]))
    more = _("Only the first %(count)s pages are shown.") % {"count": PAGES_SHOWN} if len(rows) > PAGES_SHOWN else ""
    return format_html(
        '<div class="scroll"><table class="data-grid"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>{}',
        head, body, more,
    )  # fmt: skip


def _page_cells(row: SyncPage) -> SafeString:
    delivery: Any = columns.NOTHING
    if row.inbox_id:
        link = reverse("admin:orderhub_inboxitem_change", args=[row.inbox_id])
        delivery = format_html('<a href="{}" title="{}">#{}</a>', link, row.delivery_key, row.inbox_id)
    if row.error:
        delivery = format_html("{} {}", delivery, columns.truncated(row.error))
    numbers: Sequence[int] = [getattr(row, name) for name in COLUMNS]
    cells = format_html_join("", '<td class="number">{}</td>', ((columns.number(number),) for number in numbers))
    return format_html("<td>{}. {}</td>{}", row.number, delivery, cells)
