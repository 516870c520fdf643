"""Rules: a structured editor, the rule as a sentence, and the published versions."""

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.urls.resolvers import URLPattern
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext

from orderhub.console import columns
from orderhub.console.actions import actor_of
from orderhub.console.change_list import SavedView
from orderhub.console.fresh import FreshForm
from orderhub.console.model_admin import ConsoleModelAdmin, ReadOnlyModelAdmin
from orderhub.console.origins import actor_word
from orderhub.core.errors import FieldError
from triage.admin.catalogue import editor_data
from triage.conditions import check, sentence
from triage.models import Outcome, Rule, RuleSet, RuleState
from triage.services.editing import delete_rules, set_rule_state
from triage.services.publishing import publish_rules

_TONES = {RuleState.ON: "green", RuleState.SHADOW: "blue", RuleState.OFF: "faint"}
_SHAPES = {Outcome.URGENT: ("▲", "urgent"), Outcome.ABNORMAL: ("◆", "abnormal"), Outcome.TO_CONFIRM: ("●", "confirm")}


class ConditionWidget(forms.Textarea):
    """The condition as JSON text; the script turns it into rows to add, change and remove.

    Without the script the text stays editable, with the catalogue of facts beside it.
    """

    template_name = "triage/condition.html"

    class Media:
        css = {"all": ["triage/triage.css"]}
        js = [forms.Script("triage/condition.js", type="module")]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Hand the fact catalogue to the script."""
        context = super().get_context(name, value, attrs)
        context["editor"] = editor_data()
        return context


class ConditionField(forms.JSONField):
    """A condition: valid JSON that the rule engine understands, or a message that says where it is wrong."""

    widget = ConditionWidget

    def validate(self, value: Any) -> None:
        """Check against the fact catalogue."""
        super().validate(value)
        try:
            check(value)
        except FieldError as error:
            raise forms.ValidationError(str(error)) from error

    def prepare_value(self, value: Any) -> Any:
        """Show JSON that people can read."""
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


class RuleForm(FreshForm):
    """One rule."""

    condition = ConditionField(label=gettext_lazy("condition"))

    class Meta:
        model = Rule
        fields = (
            "code", "name_zh", "name_en", "state", "outcome", "severity", "priority", "condition",
            "reason_zh", "reason_en", "clear_zh", "clear_en",
        )  # fmt: skip


@admin.register(Rule)
class RuleAdmin(ConsoleModelAdmin):
    """Rules as people edit them; each save publishes the next version."""

    form = RuleForm
    views = (
        SavedView("all", gettext_lazy("All")),
        SavedView("on", gettext_lazy("On"), lambda rows: rows.filter(state=RuleState.ON)),
        SavedView("shadow", gettext_lazy("Shadow"), lambda rows: rows.filter(state=RuleState.SHADOW)),
        SavedView("off", gettext_lazy("Off"), lambda rows: rows.filter(state=RuleState.OFF)),
    )
    list_display = ("rule_name", "does", "in_words", "priority", "state_mark", "updated_at")
    list_filter = ("outcome",)
    search_fields = ("code", "name_zh", "name_en")
    number_columns = ("priority",)
    text_columns = ("in_words",)
    actions = ("switch_on", "switch_off", "switch_shadow")
    fieldsets = (
        (None, {"fields": (("name_zh", "name_en"), ("code", "state"), ("outcome", "severity"), "priority")}),
        (gettext_lazy("When it fires"), {"fields": ("condition",)}),
        (gettext_lazy("What people read"), {"fields": (("reason_zh", "reason_en"), ("clear_zh", "clear_en"))}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Fix the code once the rule exists: findings are kept under it."""
        return ("code",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Rules of the product can only be switched off."""
        return super().has_delete_permission(request, obj) and not getattr(obj, "is_builtin", False)

    def save_model(self, request: HttpRequest, obj: Rule, form: Any, change: bool) -> None:
        """Save and publish."""
        super().save_model(request, obj, form, change)
        version = publish_rules(actor=actor_of(request))
        messages.info(request, _("Version %(version)s is in force.") % {"version": version})

    def delete_model(self, request: HttpRequest, obj: Rule) -> None:
        """Delete and publish."""
        delete_rules(rule_ids=[obj.pk], actor=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        """Delete and publish; rules of the product stay."""
        delete_rules(rule_ids=list(queryset.values_list("pk", flat=True)), actor=actor_of(request))

    def get_urls(self) -> list[URLPattern]:
        """Add the answer that the editor asks for while people type."""
        own = path("describe/", self.admin_site.admin_view(self.describe), name="triage_rule_describe")
        return [own, *super().get_urls()]

    def describe(self, request: HttpRequest) -> JsonResponse:
        """Return a condition as a sentence, or where it is wrong."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            condition = json.loads(request.POST.get("condition", ""))
            check(condition)
        except json.JSONDecodeError:
            return JsonResponse({"error": _("This is not JSON.")})
        except FieldError as error:
            return JsonResponse({"error": str(error)})
        return JsonResponse({"sentence": sentence(condition)})

    @admin.display(description=gettext_lazy("rule"))
    def rule_name(self, rule: Rule) -> str:
        """The name in the reader's language."""
        return rule.name

    @admin.display(description=gettext_lazy("outcome"), ordering="outcome")
    def does(self, rule: Rule) -> SafeString:
        """What the rule does, by shape, word and colour."""
        shape, css = _SHAPES.get(Outcome(rule.outcome), ("", "regular"))
        return format_html('<span class="mark mark-{}"><b>{}</b>{}</span>', css, shape, rule.get_outcome_display())

    @admin.display(description=gettext_lazy("fires when"))
    def in_words(self, rule: Rule) -> str:
        """The condition as a sentence."""
        return sentence(rule.condition)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_mark(self, rule: Rule) -> SafeString:
        """On, off or shadow."""
        return columns.pill(rule.get_state_display(), _TONES.get(RuleState(rule.state), "plain"))

    @admin.action(description=gettext_lazy("Switch on"), permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        """Switch the selected rules on."""
        self._switch(request, queryset, RuleState.ON)

    @admin.action(description=gettext_lazy("Switch off"), permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        """Switch the selected rules off."""
        self._switch(request, queryset, RuleState.OFF)

    @admin.action(description=gettext_lazy("Switch to shadow"), permissions=["change"])
    def switch_shadow(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        """Let the selected rules judge without effect."""
        self._switch(request, queryset, RuleState.SHADOW)

    def _switch(self, request: HttpRequest, queryset: QuerySet[Rule], state: RuleState) -> None:
        rules = list(queryset)
        changed = set_rule_state(rule_ids=[rule.pk for rule in rules], state=state, actor=actor_of(request))
        for rule in rules:
            self.log_change(request, rule, [{"changed": {"fields": [gettext_noop("state")]}}])
        text = ngettext("%(count)d rule changed.", "%(count)d rules changed.", changed)
        messages.success(request, text % {"count": changed})


@admin.register(RuleSet)
class RuleSetAdmin(ReadOnlyModelAdmin):
    """Published versions, never changed."""

    list_display = ("number", "published_at", "who", "rule_count", "word_count")
    number_columns = ("number", "rule_count", "word_count")
    fields = ("number", "published_at", "who", "rules_in_words", "words_in_force")
    readonly_fields = ("who", "rules_in_words", "words_in_force")

    @admin.display(description=gettext_lazy("by"))
    def who(self, version: RuleSet) -> str:
        """Who published it: a person, or the hub with its defaults."""
        return actor_word(version.published_by)

    @admin.display(description=gettext_lazy("active rules"))
    def rule_count(self, version: RuleSet) -> int:
        """Rules that are on or in shadow."""
        return sum(rule["state"] != RuleState.OFF for rule in version.snapshot["rules"])

    @admin.display(description=gettext_lazy("terms"))
    def word_count(self, version: RuleSet) -> int:
        """Active terms of all lists."""
        return sum(len(terms) for terms in version.snapshot["words"].values())

    @admin.display(description=gettext_lazy("rules"))
    def rules_in_words(self, version: RuleSet) -> SafeString:
        """Every rule of the version as a sentence."""
        rows = format_html_join(
            "",
            '<tr><td class="mono">{}</td><td>{}</td><td class="text">{}</td></tr>',
            (
                (rule["code"], RuleState(rule["state"]).label, sentence(rule["condition"]))
                for rule in version.snapshot["rules"]
            ),
        )
        return format_html('<div class="scroll"><table class="data-grid">{}</table></div>', rows)

    @admin.display(description=gettext_lazy("words"))
    def words_in_force(self, version: RuleSet) -> SafeString:
        """Every list with its terms."""
        rows = format_html_join(
            "",
            '<tr><td class="mono">{}</td><td class="text">{}</td></tr>',
            ((key, "、".join(term[0] for term in terms)) for key, terms in sorted(version.snapshot["words"].items())),
        )
        return format_html('<div class="scroll"><table class="data-grid">{}</table></div>', rows)
