"""What people send back: the reason that a page asks for, and a form as it was shown."""

from typing import Any

from django.http import HttpResponse
from django.test import Client


def answered(asked: HttpResponse, reason: str = "电话已确认") -> dict[str, Any]:
    """Return what the page sends with a reason."""
    return {**dict(asked.context["carried"]), "reason": reason}


def act(client: Client, url: str, chosen: dict[str, Any], reason: str = "电话已确认") -> HttpResponse:
    """Ask for an action and answer why."""
    return client.post(url, answered(client.post(url, chosen), reason))


def shown_form(page: HttpResponse) -> dict[str, Any]:
    """Return what the form of a page, with its inline rows, sends when nothing is changed."""
    formsets = [inline.formset for inline in page.context["inline_admin_formsets"]]
    forms = [page.context["adminform"].form]
    for formset in formsets:
        forms += [formset.management_form, *formset.forms]
    bound = [field for form in forms for field in form]
    fields = {field.html_name: field.value() for field in bound}
    fields |= {field.html_initial_name: field.value() for field in bound if field.field.show_hidden_initial}
    return {name: value for name, value in fields.items() if value is not None and value is not False}
