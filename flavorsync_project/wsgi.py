"""The WSGI entry point: `gunicorn flavorsync_project.wsgi`."""

import os

import django

from flavorsync_project.api.wsgi import Handler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flavorsync_project.settings")
django.setup(set_prefix=False)

application = Handler()
