"""The WSGI entry point: `gunicorn flavorsync_project.wsgi`."""

import os
import sys

import django
from django.urls import get_resolver

from flavorsync_project.api.wsgi import Handler
from flavorsync_project.environment import WrongSetting

# Gunicorn's own status for an application that cannot be loaded: with any other it would restart the worker for ever.
CANNOT_BE_LOADED = 4

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flavorsync_project.settings")
try:
    django.setup(set_prefix=False)
except WrongSetting as error:
    sys.stderr.write(f"{error}\n")
    sys.exit(CANNOT_BE_LOADED)

# Now, since the first request would wait for it
get_resolver().url_patterns  # noqa: B018 — reading it is what counts

application = Handler()
