"""Write-only forms for credentials: what a platform or warehouse system needs is told by its feature.

A feature fills the two registries from its `admin.py`:
`platforms.add(key, SystemKind(key, label, connector.credential_fields))`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, cast

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from orderhub.console.columns import exact
from orderhub.console.fresh import FreshForm
from orderhub.console.model_admin import ConsoleModelAdmin
from orderhub.core.registry import Registry
from orderhub.models.shop import SealedSettings

PREFIX = "credential_"
FORGET = "forget_credentials"


class CredentialField(Protocol):
    """One value that a system needs."""

    @property
    def name(self) -> str:
        """Key of the value."""

    @property
    def label(self) -> str | Promise:
        """What people call it."""

    @property
    def is_secret(self) -> bool:
        """Whether it is typed hidden."""

    @property
    def help(self) -> str | Promise:
        """Where people find it."""


@dataclass(frozen=True, slots=True)
class SystemKind:
    """One kind of outside system and the credentials it needs."""

    key: str
    label: str | Promise
    fields: Sequence[CredentialField] = ()


platforms: Registry[SystemKind] = Registry("platform")
"""What a shop can be, by `Shop.platform`."""
adapters: Registry[SystemKind] = Registry("warehouse system")
"""What a warehouse can be, by `Warehouse.adapter`."""


class PlatformField(forms.ChoiceField):
    """One of the platforms, or all of them with nothing chosen."""

    def __init__(self, **kwargs: Any) -> None:
        choices = [("", _("All platforms")), *((kind.key, kind.label) for kind in platforms.values())]
        super().__init__(choices=choices, required=False, widget=UnfoldAdminSelectWidget(), **kwargs)


def credential_form_fields(wanted: Sequence[CredentialField], obj: SealedSettings) -> dict[str, forms.Field]:
    """Return the empty form fields of the values that `obj` needs: they say when a value was set, never which."""
    stored, set_at = (obj.credentials, obj.credentials_set_at) if obj.can_open else ({}, {})
    fields: dict[str, forms.Field] = {}
    for item in wanted:
        attrs = {"placeholder": _state(item.name, stored, set_at), "autocomplete": "off", "spellcheck": "false"}
        widget = UnfoldAdminPasswordWidget(attrs) if item.is_secret else UnfoldAdminTextInputWidget(attrs)
        label, text = cast("str", item.label), cast("str", item.help)
        fields[PREFIX + item.name] = forms.CharField(
            label=label, help_text=text, required=False, max_length=4000, widget=widget
        )
    if obj.sealed_credentials:
        fields[FORGET] = forms.BooleanField(
            label=_("Forget the stored credentials"), required=False, widget=UnfoldBooleanSwitchWidget()
        )
    return fields


def with_typed(stored: Mapping[str, Any], cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """Return the credentials after a form: an empty field keeps what is stored, unless all is to be forgotten."""
    given = {
        name.removeprefix(PREFIX): value.strip()
        for name, value in cleaned.items()
        if name.startswith(PREFIX) and value.strip()
    }
    return given if cleaned.get(FORGET) else {**stored, **given}


def _state(name: str, stored: Mapping[str, Any], set_at: Mapping[str, datetime]) -> str:
    if not stored.get(name):
        return gettext("not stored yet")
    if name in set_at:
        return gettext("set on %(when)s; type to replace") % {"when": exact(set_at[name])}
    return gettext("stored; type to replace")


class SealedAdmin(ConsoleModelAdmin):
    """Pages of shops and warehouses: stored credentials are never shown, an empty field keeps what is stored."""

    form = FreshForm
    kinds: Registry[SystemKind]
    kind_field: str

    def kind_label(self, obj: SealedSettings) -> str:
        """Return what people call the system of this row; a key without code shows as it is."""
        key = getattr(obj, self.kind_field)
        return str(self.kinds.get(key).label) if key in self.kinds else key

    def credential_fields(self, obj: SealedSettings | None) -> Sequence[CredentialField]:
        """Return the credentials that the system of this row needs."""
        key = getattr(obj, self.kind_field, "")
        return self.kinds.get(key).fields if key in self.kinds else ()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        """Fix the kind of system and the code once the row exists."""
        fixed = ("code", "kind_name") if obj else ()
        return (*super().get_readonly_fields(request, obj), *fixed)

    @admin.display(description=_("kind of system"))
    def kind_name(self, obj: SealedSettings) -> str:
        """What people call the system."""
        return self.kind_label(obj)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:  # type: ignore[type-arg]
        """Add one field per credential, and the choice of kinds for a new row."""
        own = self._own_fields(obj) if change and self.has_change_permission(request, obj) else {}
        kwargs["fields"] = [
            name
            for name in flatten_fieldsets(self._fieldsets(obj))
            if name not in self.get_readonly_fields(request, obj)
        ]
        base: Any = super().get_form(request, obj, change=change, **kwargs)
        if not obj and self.kind_field in base.base_fields:
            choices = [(kind.key, kind.label) for kind in self.kinds.values()]
            if choices:
                own[self.kind_field] = forms.ChoiceField(
                    choices=choices, label=base.base_fields[self.kind_field].label, widget=UnfoldAdminSelectWidget()
                )
        return type(base.__name__, (base,), own)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the credentials in a part of their own."""
        fieldsets = list(self._fieldsets(obj))
        if obj and self.has_change_permission(request, obj) and (names := list(self._own_fields(obj))):
            text = _("Stored encrypted and never shown again. An empty field keeps what is stored.")
            fieldsets.insert(1, (_("Credentials"), {"fields": names, "description": text}))
        return fieldsets

    def save_model(self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: Any) -> None:  # type: ignore[type-arg]
        """Seal what was typed together with what is stored by now: a session may have been renewed meanwhile."""
        if change:
            stored_now = type(obj).objects.select_for_update().filter(pk=obj.pk)
            obj.sealed_credentials = stored_now.values_list("sealed_credentials", flat=True).get()
        if any(name == FORGET or name.startswith(PREFIX) for name in form.cleaned_data):
            stored = obj.credentials if obj.can_open else {}
            typed = with_typed(stored, form.cleaned_data)
            if typed != stored or form.cleaned_data.get(FORGET):
                obj.credentials = typed
        super().save_model(request, obj, form, change)

    def _fieldsets(self, obj: Any) -> list[Any]:
        """Return the fieldsets; an existing row shows its kind of system instead of choosing it."""
        if obj is None:
            return list(self.fieldsets)
        names = {self.kind_field: "kind_name"}
        return [
            (title, {**options, "fields": tuple(names.get(name, name) for name in options["fields"])})
            for title, options in self.fieldsets
        ]

    def _own_fields(self, obj: SealedSettings | None) -> dict[str, Any]:
        return {} if obj is None else credential_form_fields(self.credential_fields(obj), obj)
