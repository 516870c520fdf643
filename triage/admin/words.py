"""Word lists with their terms; each save publishes the next version."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from orderhub.console.actions import actor_of
from orderhub.console.fresh import FreshForm
from orderhub.console.model_admin import ConsoleModelAdmin, ConsoleTabularInline
from triage.models import Term, Vocabulary
from triage.services.publishing import publish_rules

TITLES = {
    "urgency": "Urgent words: 3 (very urgent) and 2 (urgent) red and to the warehouse at once, 1 hint",
    "not_urgency": "Words that only look urgent, such as article names",
    "calm": "Calm words, which cancel urgency",
    "changes": "Requests for a change",
    "ship_later": "Wishes to ship later",
    "ship_hold": "Wishes not to ship yet",
    "ship_together": "Wishes to ship together",
    "ship_apart": "Wishes to ship separately",
    "delivery_wishes": "Wishes on delivery",
    "duty": "Statements on customs duty",
    "forwarding": "Words of forwarding warehouses",
    "placeholders": "Placeholder addresses",
    "vague_endings": "Ends of vague addresses",
    "directions": "Directions instead of a number",
    "pick_up_points": "Pick-up points, which are complete addresses",
    "landmarks": "Landmarks that are no address by themselves",
    "landmark_parts": "Places inside a landmark",
    "estates": "Words of housing estates",
    "not_estates": "Words that only look like an estate, such as street names",
    "remote_regions": "Remote regions, by name or division code",
    "sensitive_regions": "Sensitive regions, by name or division code",
    "mobile_prefixes": "Mobile number ranges",
    "machine_prefixes": "Machine-card number ranges",
    "fake_phones": "Well-known made-up numbers",
}
"""English names of the product's lists; the Chinese ones are in the rows, where people may change them."""


def speaks_chinese() -> bool:
    """Whether the reader's language is Chinese."""
    return (get_language() or "zh").startswith("zh")


class TermInline(ConsoleTabularInline):
    """The terms of one list."""

    model = Term
    form = FreshForm
    fields = ("term", "match", "weight", "is_active", "note")
    hide_title = True

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        """Add the mark of what was shown; who only looks would see it as a column."""
        return (*self.fields, "seen") if self.has_change_permission(request, obj) else self.fields


@admin.register(Vocabulary)
class VocabularyAdmin(ConsoleModelAdmin):
    """Lists that predicates look words up in; the lists themselves belong to the product."""

    list_display = ("title", "key", "term_count", "sample", "purpose")
    search_fields = ("name", "key", "terms__term")
    number_columns = ("term_count",)
    text_columns = ("sample", "purpose")
    form = FreshForm
    fields = ("name", "key", "help")
    readonly_fields = ("key",)
    inlines = (TermInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Read the terms of the page in one query."""
        rows: QuerySet[Any] = super().get_queryset(request)
        counted: QuerySet[Any] = rows.annotate(active=Count("terms", filter=Q(terms__is_active=True)))
        return counted.prefetch_related("terms")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A list without a predicate would do nothing."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A predicate without its list would find nothing; empty or switch off its terms instead."""
        return False

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save the terms and publish."""
        super().save_related(request, form, formsets, change)
        version = publish_rules(actor=actor_of(request))
        messages.info(request, _("Version %(version)s is in force.") % {"version": version})

    @admin.display(description=gettext_lazy("name"), ordering="name")
    def title(self, vocabulary: Vocabulary) -> str:
        """The name; lists of the product have one in English too."""
        return vocabulary.name if speaks_chinese() else str(TITLES.get(vocabulary.key, vocabulary.name))

    @admin.display(description=gettext_lazy("what it is for"))
    def purpose(self, vocabulary: Vocabulary) -> str:
        """What the list does, as people wrote it."""
        return vocabulary.help if speaks_chinese() or vocabulary.key not in TITLES else ""

    @admin.display(description=gettext_lazy("terms"), ordering="active")
    def term_count(self, vocabulary: Any) -> int:
        """Active terms."""
        return int(vocabulary.active)

    @admin.display(description=gettext_lazy("such as"))
    def sample(self, vocabulary: Vocabulary) -> str:
        """The first terms."""
        return "、".join(term.term for term in list(vocabulary.terms.all())[:8])
