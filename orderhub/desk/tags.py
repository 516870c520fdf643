"""Template tags of the desk, beside the console's."""

from collections.abc import Sequence

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from orderhub.admin.order_panels import KINDS, changes_shown, effects_shown
from orderhub.console.columns import status_pill
from orderhub.core.words import Source, Status
from orderhub.models import TimelineEntry
from orderhub.selectors.orders import Claim

register = template.Library()


@register.filter
def source_word(source: str) -> str:
    """Return a source as its word; an unknown one as it is."""
    return str(Source(source).label) if source in Source.values else source


@register.filter
def entry_words(entry: TimelineEntry) -> SafeString:
    """Return what a timeline entry tells: what happened, to what of the order, from which status to which."""
    what = format_html("{}", KINDS.get(entry.kind, entry.kind))
    if named := changes_shown(entry.data) or effects_shown(entry.data):
        what = format_html("{} · {}", what, named)
    if entry.status_to:
        steps = [status_pill(status) for status in (entry.status_from, entry.status_to) if status]
        return format_html("{} {}", what, format_html_join(" → ", "{}", ((step,) for step in steps)))
    says = (entry.data or {}).get("says")
    return format_html("{} {}", what, status_pill(says)) if isinstance(says, str) else what


@register.simple_tag
def drift_sentence(claims: Sequence[Claim]) -> str:
    """Return both sides of a disagreement, and what to tell the customer meanwhile."""
    spoken = [claim for claim in claims if claim.status in Status.values]
    # The quarrel is between what the channel tells the buyer and the last of those who have the goods in hand.
    said = " ≠ ".join(
        _("%(source)s: %(status)s") % {"source": source_word(claim.source), "status": Status(claim.status).label}
        for claim in (spoken if len(spoken) < 3 else [spoken[0], spoken[-1]])
    )
    advice = _("Tell the customer only what the sentence above says until this is settled.")
    return f"{said} — {advice}" if said else advice
