"""Forms that do not save over what somebody else has changed since their page was shown."""

import json
from hashlib import sha256
from typing import Any

from django import forms
from django.db.models import Model
from django.utils.formats import localize
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext as _

LONGEST_SHOWN = 80


class SeenField(forms.CharField):
    """The mark of what a page showed. It is no change by itself."""

    widget = forms.HiddenInput

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Never."""
        return False


class FreshForm(forms.ModelForm):  # type: ignore[type-arg]
    """Carries a mark of the stored values that it showed, and refuses once when others are stored by now.

    `ConsoleModelAdmin` puts the mark on the page; an inline names `seen` among its fields. What is sent without a mark,
    which no page does, is not compared.
    """

    seen = SeenField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        several = forms.ModelMultipleChoiceField
        self._names = [name for name, field in self.fields.items() if not isinstance(field, several)]
        if self.instance.pk:
            self.initial["seen"] = self._mark(self.instance)

    def clean(self) -> Any:
        """Compare under the row's lock, which the save to come is still under."""
        cleaned, seen = super().clean(), self.cleaned_data.get("seen")
        if self.instance.pk and seen:
            model: Any = type(self.instance)
            now = model.objects.select_for_update(of=("self",), no_key=True).get(pk=self.instance.pk)
            if self._mark(now) != seen:
                self._refuse(now)
        return cleaned

    def _refuse(self, now: Model) -> None:
        text = _("“%(name)s” was changed by somebody else meanwhile: look at it and save again.") % {"name": now}
        values = self._values(now).items()
        others = [name for name, value in values if self.fields[name].has_changed(value, self[name].data)]
        if others:
            text += " " + _("Stored now: %(values)s.") % {
                "values": _("; ").join(self._shown(name, now) for name in others)
            }
        self.add_error(None, text)
        # Saving once more means: this is what shall be stored, whatever is by now.
        sent: Any = self.data
        self.data = sent = sent.copy()
        sent[self.add_prefix("seen")] = self._mark(now)

    def _mark(self, row: Model) -> str:
        return sha256(json.dumps(self._values(row), default=str, sort_keys=True).encode()).hexdigest()[:32]

    def _values(self, row: Model) -> dict[str, Any]:
        """Return what is stored in the columns that a save would write; rows of other tables are left out."""
        return forms.model_to_dict(row, self._names)

    def _shown(self, name: str, row: Model) -> str:
        """Return one stored value with its label, as the form would show it, cut."""
        field, value = self.fields[name], getattr(row, name)
        if isinstance(value, bool):
            value = _("yes") if value else _("no")
        elif in_words := getattr(row, f"get_{name}_display", None):
            value = in_words()
        elif not isinstance(value, Model):
            value = localize(field.prepare_value(value))
        return f"{capfirst(field.label)}: {Truncator('—' if value in (None, '') else value).chars(LONGEST_SHOWN)}"
