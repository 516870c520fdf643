"""What holds for every test: property tests have no clock, in CI the same examples; no test inherits a language."""

import os

import pytest
from django.utils import translation
from hypothesis import settings

settings.register_profile("hub", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "hub")


@pytest.fixture(autouse=True)
def _own_language():
    """A request leaves its language behind in the thread; the next test must not see it."""
    translation.deactivate()
