import pytest
from django.contrib.auth.models import Group
from django.test import Client

from orderhub.services.roles import sync_roles
from tests.factories import make_user


@pytest.fixture
def log_in(db):
    """Return a function that logs a person of one role in and returns the client."""
    sync_roles()

    def of(role):
        user = make_user(f"the-{role}", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client = Client(headers={"accept-language": "en"})
        client.cookies["django_language"] = "en"
        client.force_login(user)
        return client

    return of
