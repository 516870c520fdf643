"""Form fields for what people type differently from how it is stored."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminTextInputWidget

from orderhub.core.money import MAX_FEN, fen_from_yuan, yuan


class YuanField(forms.CharField):
    """An amount typed in yuan and kept in fen; empty means none."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.pop("min_value", None)
        kwargs.pop("max_value", None)
        kwargs["widget"] = UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "placeholder": "129.00"})
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """Show stored fen as yuan; what was typed stays as it was typed."""
        return yuan(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> int | None:
        """Return fen. Raises ValidationError for what is not an amount."""
        text = str(value or "").strip().removeprefix("¥").replace(",", "")
        if not text:
            return super().clean("") or None
        try:
            fen = fen_from_yuan(text)
        except ValueError as error:
            raise ValidationError(_("Type an amount in yuan with at most two decimals.")) from error
        if not 0 <= fen <= MAX_FEN:
            raise ValidationError(_("The amount must be between 0 and 100 million yuan."))
        return fen

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare as amounts."""
        try:
            return bool(self.clean(data) != initial)
        except ValidationError:
            return True
