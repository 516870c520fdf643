"""The root address: everyone begins where their work is."""

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect


@login_required
def start(request: HttpRequest) -> HttpResponseRedirect:
    """Send people with console work to the console and agents to the desk."""
    assert isinstance(request.user, User)
    return redirect("desk:home" if works_at_desk(request.user) else "admin:index")


def works_at_desk(user: User) -> bool:
    """Tell whether a person's place is the desk: agents, and all who may not enter the console."""
    if not user.is_staff:
        return True
    roles = set(user.groups.values_list("name", flat=True))
    return roles == {"agent"}
