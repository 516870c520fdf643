import pytest

from triage.services import load_defaults


@pytest.fixture
def rules(db):
    """The starter rules and word lists, published."""
    return load_defaults()


@pytest.fixture
def shop(db):
    from tests.factories import make_shop

    return make_shop("mini")
