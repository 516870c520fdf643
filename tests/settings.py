"""The hub's settings under test: local secrets and the embedded database are prepared before they are read."""

import sys

from orderhub.core.local import prepare_environment

prepare_environment(["manage.py", "test", *sys.argv[1:]])

from orderhub.settings import *  # noqa: E402, F403

# Static files are found in the sources; collecting them is the image's job.
WHITENOISE_AUTOREFRESH = True
# The slow hashing of passwords is Django's to test.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
