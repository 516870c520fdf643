"""Prepares the environment before pytest-django reads the settings."""

import sys

from orderhub.core.local import prepare_environment

prepare_environment(["manage.py", "test", *sys.argv[1:]])
