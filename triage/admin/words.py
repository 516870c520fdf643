"""Word lists with their terms; each save publishes the next version."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orderhub.console.actions import actor_of
from orderhub.console.model_admin import ConsoleModelAdmin, ConsoleTabularInline
from triage.models import Term, Vocabulary
from triage.services.publishing import publish_rules


class TermInline(ConsoleTabularInline):
    """The terms of one list."""

    model = Term
    fields = ("term", "match", "weight", "is_active", "note")


@admin.register(Vocabulary)
class VocabularyAdmin(ConsoleModelAdmin):
    """Lists that predicates look words up in; the lists themselves belong to the product."""

    list_display = ("name", "key", "term_count", "sample", "help")
    search_fields = ("name", "key", "terms__term")
    number_columns = ("term_count",)
    text_columns = ("sample", "help")
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

    @admin.display(description=gettext_lazy("terms"), ordering="active")
    def term_count(self, vocabulary: Any) -> int:
        """Active terms."""
        return int(vocabulary.active)

    @admin.display(description=gettext_lazy("such as"))
    def sample(self, vocabulary: Vocabulary) -> str:
        """The first terms."""
        return "、".join(term.term for term in list(vocabulary.terms.all())[:8])
