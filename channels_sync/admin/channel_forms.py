"""The forms on the page of one shop."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy

from channels_sync.connectors.base import Connector
from channels_sync.services.ranges import LONGEST_RANGE
from channels_sync.services.terms import TERMS, Term
from orderhub.console.credentials import FORGET, CredentialField, credential_form_fields
from orderhub.models import Shop

MOMENT = "%Y-%m-%dT%H:%M"


def _moment(label: Any) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MOMENT)
    return forms.DateTimeField(label=label, widget=widget)


class BackfillForm(forms.Form):
    """A range of the channel's time, typed in local time."""

    start = _moment(pgettext_lazy("time range", "From"))
    end = _moment(pgettext_lazy("time range", "To"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        now = timezone.localtime().replace(second=0, microsecond=0)
        self.initial.setdefault("start", now - timedelta(hours=24))
        self.initial.setdefault("end", now)

    def clean(self) -> dict[str, Any]:
        """Refuse a range that is empty, in the future, or longer than platforms list."""
        data: dict[str, Any] = super().clean() or {}
        start, end = data.get("start"), data.get("end")
        if start is None or end is None:
            return data
        if start > timezone.now():
            self.add_error("start", _("This lies in the future."))
        elif start >= end:
            self.add_error("end", _("The end must lie after the start."))
        elif end - start > LONGEST_RANGE:
            self.add_error("end", _("At most %(days)s days at once.") % {"days": LONGEST_RANGE.days})
        return data


class TermsForm(forms.Form):
    """The numbers that people set for a shop; only those that mean something for its platform.

    The page sends along what it showed. Only what differs from that is to be written; where somebody else has changed
    the same number meanwhile, that is refused once. What is sent alone, which no page does, is not compared.
    """

    def __init__(self, shop: Shop, connector: Connector | None, data: Any = None) -> None:
        super().__init__(data)
        for term in TERMS:
            if not term.concerns or (connector and getattr(connector, term.concerns)):
                self.fields[term.name] = _field(term, shop)

    def clean(self) -> dict[str, Any]:
        """Compare with what `shop` has by now."""
        data: dict[str, Any] = super().clean() or {}
        for name in self.changed_data:
            now = self.fields[name].initial
            shown = self.data.get(self[name].html_initial_name)
            if name in data and data[name] != now and shown not in {None, _sent(now)}:
                self._refuse(name, _sent(now))
        return data

    def changed(self) -> dict[str, int | None]:
        """Return the numbers that the person changed."""
        return {name: self.cleaned_data[name] for name in self.changed_data}

    def _refuse(self, name: str, now: str) -> None:
        text = _("“%(name)s” was changed by somebody else meanwhile: look at it and save again.")
        stored = _("Stored now: %(values)s.") % {"values": now or "—"}
        self.add_error(name, f"{text % {'name': self.fields[name].label}} {stored}")
        # Saving once more means: this is what shall be stored, whatever is by now.
        sent: Any = self.data
        self.data = sent = sent.copy()
        sent[self[name].html_initial_name] = now


class CredentialsForm(forms.Form):
    """Write-only: fields are empty, an empty field keeps what is stored."""

    def __init__(self, shop: Shop, wanted: "tuple[CredentialField, ...]", data: Any = None) -> None:
        super().__init__(data)
        self.fields.update(credential_form_fields(wanted, shop))
        if FORGET in self.fields:
            self.fields[FORGET].widget = forms.CheckboxInput()


def _field(term: Term, shop: Shop) -> forms.IntegerField:
    stored = getattr(shop, term.column) if term.column else shop.settings.get(term.name)
    placeholder = "" if term.default is None else str(term.default)
    return forms.IntegerField(
        label=str(term.label), help_text=str(term.help), required=bool(term.column), min_value=term.low,
        max_value=term.high, initial=stored, show_hidden_initial=True,
        widget=forms.NumberInput(attrs={"placeholder": placeholder}),
    )  # fmt: skip


def _sent(value: Any) -> str:
    """Return a stored number as the page sends it along."""
    return "" if value is None else str(value)
