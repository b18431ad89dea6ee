"""What the project's source says about itself, for tests that compare it with the documentation."""

from pathlib import Path

from flavorsync_project.environment import SETTINGS

ROOT = Path(__file__).resolve().parents[1]


def setting_names() -> frozenset[str]:
    """Return every variable of the environment that is a setting."""
    return frozenset(SETTINGS)
