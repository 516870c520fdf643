"""How property tests look for examples: without a clock, and in CI the same ones in every run."""

import os

from hypothesis import settings

settings.register_profile("hub", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "hub")
