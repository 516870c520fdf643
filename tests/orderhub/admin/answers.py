"""The answer to a page that asks for the reason of an action."""

from typing import Any

from django.http import HttpResponse
from django.test import Client


def answered(asked: HttpResponse, reason: str = "电话已确认") -> dict[str, Any]:
    """Return what the page sends with a reason."""
    return {**dict(asked.context["carried"]), "reason": reason}


def act(client: Client, url: str, chosen: dict[str, Any], reason: str = "电话已确认") -> HttpResponse:
    """Ask for an action and answer why."""
    return client.post(url, answered(client.post(url, chosen), reason))
