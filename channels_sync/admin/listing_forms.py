"""The parts of a channel item as a person enters them."""

from typing import Any

from django import forms
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_sync.bundles import Part, merchant_code
from channels_sync.models import ListingPart
from channels_sync.services import mapping
from orderhub.console.fields import YuanField
from orderhub.console.model_admin import ConsoleTabularInline
from orderhub.core.errors import FieldError


class ListingForm(forms.ModelForm):  # type: ignore[type-arg]
    """Keeps an item that is added by hand under the key by which orders find it."""

    def clean(self) -> dict[str, Any]:
        """Leave the code empty where it is the platform's id."""
        data: dict[str, Any] = super().clean() or {}
        if data.get("outer_id"):
            data["outer_id"] = merchant_code(data.get("item_id", ""), data.get("sku_id", ""), data["outer_id"])
        return data


class PartFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    """Reads the parts and checks them together; `parts` is what was entered, in its order."""

    parts: list[Part]

    def clean(self) -> None:
        """Raise ValidationError for parts that cannot be."""
        super().clean()
        self.parts = []
        for form in self.forms:
            data = getattr(form, "cleaned_data", None)
            if not data or data.get("DELETE") or not data.get("sku"):
                continue
            self.parts.append(Part(data["sku"], data.get("quantity") or 0, data.get("value_fen")))
        if self.parts and not any(self.errors):
            try:
                mapping.check_parts(self.parts)
            except FieldError as error:
                raise forms.ValidationError(error.reason) from error

    def get_unique_error_message(self, unique_check: Any) -> str:
        """Say it as the service does."""
        return _("a SKU appears twice")


class PartInline(ConsoleTabularInline):
    """The own SKUs of one item."""

    model = ListingPart
    formset = PartFormSet
    fields = ("sku", "quantity", "value_fen")
    verbose_name = gettext_lazy("own SKU")
    verbose_name_plural = gettext_lazy("Own SKUs")
    min_num = 1
    max_num = mapping.MOST_PARTS

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Let people type the value in yuan."""
        if db_field.name == "value_fen":
            return YuanField(label=_("Value of a piece (yuan)"), required=False, help_text=db_field.help_text)
        return super().formfield_for_dbfield(db_field, request, **kwargs)
