#!/usr/bin/env python3
"""Run Django's and Flavor Sync's management commands."""

import os
import sys

from django.core.management import execute_from_command_line

from flavorsync_project.api.request_id import traced

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flavorsync_project.settings")
    with traced():
        execute_from_command_line(sys.argv)
