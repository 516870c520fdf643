"""The form for the seller's remark and flag, as console and desk show it."""

from typing import Any, cast

from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from channels_sync.connectors.exchange import MemoRules
from channels_sync.services.memo import MemoChangedError, edit_memo, mark_of
from orderhub.core.errors import FieldError, HubError
from orderhub.core.words import Flag
from orderhub.models import Order


class MemoForm(forms.Form):
    """Remark and flag within the limits of the order's platform."""

    remark = forms.CharField(
        label=gettext_lazy("Our remark"), required=False, strip=True, widget=forms.Textarea(attrs={"rows": 3})
    )
    flag = forms.ChoiceField(label=pgettext_lazy("order", "Flag"), required=False)
    seen = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, order: Order, rules: MemoRules, data: Any = None) -> None:
        present = (order.seller_remark, order.flag)
        flag = order.flag if order.flag in rules.flags else Flag.NONE
        initial = {"remark": order.seller_remark, "flag": flag, "seen": mark_of(present)}
        super().__init__(data, initial=initial, auto_id=f"memo_{order.pk}_%s")
        self._order = order
        choices = [(value, label) for value, label in Flag.choices if value == Flag.NONE or value in rules.flags]
        cast("forms.ChoiceField", self.fields["flag"]).choices = choices
        if not rules.flags:
            del self.fields["flag"]
        if rules.characters:
            self.fields["remark"].widget.attrs["maxlength"] = rules.characters
        self.fields["remark"].help_text = _limit(rules)

    def save(self, user: User) -> bool | None:
        """Store what was typed; true when something is new, None when it was refused, with the reason in the form.

        Raises PermissionDenied.
        """
        data = self.cleaned_data
        try:
            return edit_memo(
                order_id=self._order.pk, remark=data["remark"], flag=data.get("flag") or Flag.NONE, seen=data["seen"],
                user=user,
            )  # fmt: skip
        except FieldError as error:
            self.add_error(error.path if error.path in self.fields else None, error.reason)
        except MemoChangedError as error:
            remark, flag = error.now
            shown = _("It says now: “%(remark)s”, flag: %(flag)s.") % {
                "remark": remark or "—",
                "flag": Flag(flag).label,
            }
            self.add_error(None, f"{error} {shown}")
            # Saving once more means: this is what it shall say, whatever it says now.
            self.data = {**{name: self.data.get(name) for name in self.data}, "seen": mark_of(error.now)}
        except HubError as error:
            self.add_error(None, str(error))
        return None


def _limit(rules: MemoRules) -> str:
    if rules.characters:
        return _("At most %(most)s characters.") % {"most": rules.characters}
    if rules.octets:
        return _("At most %(most)s Chinese characters.") % {"most": rules.octets // 3}
    return ""
