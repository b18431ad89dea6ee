"""The synchronisation app."""

import sys

from django.apps import AppConfig

TASKS_WERE_IN = "flavors.tasks"
"""Where a release before this one said that its tasks are: in the queue there may be some yet."""


class SynchronisationConfig(AppConfig):
    """Promoted flavors in every node: comparing, planning, running."""

    name = "synchronisation"

    def ready(self) -> None:
        """Register the documents; have what the release before has put into the queue be found and carried out."""
        from synchronisation import tasks, vocabulary  # noqa: F401, PLC0415 — they need the models

        sys.modules.setdefault(TASKS_WERE_IN, tasks)
