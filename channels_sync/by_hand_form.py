"""The form by which a person ships an order past the warehouse system."""

import re
from typing import Any, cast

from django import forms
from django.contrib.auth.models import User
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_sync.services.by_hand import ship_by_hand
from orderhub.core.carriers import NAMES
from orderhub.core.errors import HubError
from orderhub.core.parcels import ToldParcel
from orderhub.models import Order, OrderLine, Warehouse

_NUMBER = re.compile(r"[0-9A-Z-]{6,40}")
_NOTHING = ("", "—")
_ELSEWHERE = "elsewhere"


class ByHandForm(forms.Form):
    """Carrier, tracking number and whose stock the pieces are taken off."""

    carrier = forms.ChoiceField(label=gettext_lazy("Carrier"))
    tracking_no = forms.CharField(label=gettext_lazy("Tracking number"), max_length=40)
    warehouse = forms.ChoiceField(label=gettext_lazy("Taken from"))
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200)

    def __init__(self, order: Order, data: Any = None) -> None:
        usual = _usual_place(order)
        # A warehouse that takes no more orders may still hold the pieces.
        houses = Warehouse.objects.filter(Q(is_active=True) | Q(code=usual)).order_by("code")
        places = [(house.code, house.name or house.code) for house in houses]
        super().__init__(data, initial={"warehouse": usual}, auto_id=f"by_hand_{order.pk}_%s")
        self._order = order
        cast("forms.ChoiceField", self.fields["carrier"]).choices = [_NOTHING, *_carriers()]
        elsewhere = (_ELSEWHERE, _("Elsewhere: no stock of ours"))
        cast("forms.ChoiceField", self.fields["warehouse"]).choices = [_NOTHING, *places, elsewhere]

    def clean_tracking_no(self) -> str:
        """Return the number in capitals without spaces, as carriers print it."""
        number = re.sub(r"\s", "", self.cleaned_data["tracking_no"]).upper()
        if not _NUMBER.fullmatch(number):
            raise forms.ValidationError(_("A tracking number has 6 to 40 letters and digits."))
        return number

    def save(self, user: User) -> bool:
        """Ship the order; false when that was refused, with the reason in the form. Raises PermissionDenied."""
        data = self.cleaned_data
        parcel = ToldParcel(data["carrier"], data["tracking_no"])
        house = "" if data["warehouse"] == _ELSEWHERE else data["warehouse"]
        try:
            ship_by_hand(order_id=self._order.pk, parcel=parcel, warehouse=house, reason=data["reason"], user=user)
        except HubError as error:
            self.add_error(None, str(error))
            return False
        return True


def _carriers() -> list[tuple[str, str]]:
    """Return each carrier once: the first of its codes, by its name."""
    first: dict[str, str] = {}
    for code, name in NAMES.items():
        first.setdefault(str(name), code)
    return [(code, name) for name, code in first.items()]


def _usual_place(order: Order) -> str:
    """Return the warehouse that keeps the order's pieces, else that of its shop; empty when there is neither."""
    kept = OrderLine.objects.filter(order=order).exclude(warehouse="").values_list("warehouse", flat=True).first()
    return kept or (order.shop.warehouse.code if order.shop.warehouse else "")
