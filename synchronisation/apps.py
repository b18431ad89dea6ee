"""The synchronisation app."""

import sys

from django.apps import AppConfig

TASKS_WERE_IN = "flavors.tasks"
"""The module that an earlier release's tasks name; the queue may still hold some."""


class SynchronisationConfig(AppConfig):
    """Bringing promoted flavors to every node: comparing, planning, running."""

    name = "synchronisation"

    def ready(self) -> None:
        """Register the XML documents; let workers find the tasks that an earlier release has queued."""
        from synchronisation import tasks, vocabulary  # noqa: F401, PLC0415 — they need the models

        sys.modules.setdefault(TASKS_WERE_IN, tasks)
