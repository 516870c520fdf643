import pytest
from django.test import Client

from tests.factories import make_user

HTMX = {"HX-Request": "true"}


@pytest.fixture
def agent(db):
    return make_user("agent", "orderhub.view_order", "orderhub.reveal_personal_data")


@pytest.fixture
def desk(agent):
    """A browser of an agent, in English so that tests read the words of the sources."""
    client = Client()
    client.force_login(agent)
    client.cookies["django_language"] = "en"
    return client


@pytest.fixture
def find(desk):
    """Search as typing does."""
    return lambda text: desk.post("/desk/search/", {"q": text}, headers=HTMX)
