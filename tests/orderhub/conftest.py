import pytest

from triage.services import load_defaults


@pytest.fixture
def rules(db):
    """The starter rules and vocabularies, as a fresh hub has them."""
    load_defaults()
