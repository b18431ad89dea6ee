#!/usr/bin/env python3
"""Run Django's and Flavor Sync's management commands."""

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line

from flavorsync_project.api.request_id import traced
from flavorsync_project.environment import WrongSetting

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flavorsync_project.settings")
    try:
        settings.INSTALLED_APPS  # noqa: B018 — reads the environment, before Django makes a traceback of what is wrong in it
    except WrongSetting as error:
        sys.exit(str(error))
    with traced():
        execute_from_command_line(sys.argv)
