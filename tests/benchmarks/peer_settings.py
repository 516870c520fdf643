"""Settings of the DRF peer: the hub's, without its API defaults and middleware that the peer does not need."""

from tests.settings import *  # noqa: F403

ROOT_URLCONF = "tests.benchmarks.drf_peer"
MIDDLEWARE: list[str] = []
REST_FRAMEWORK: dict[str, object] = {"UNAUTHENTICATED_USER": None}
LOGGING_CONFIG = None
