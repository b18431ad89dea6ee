"""Flavor Sync's own top: settings, URLs, checks, monitoring."""

from flavorsync_project.telemetry.figures import share_figures

__version__ = "1.0.0rc1"
"""The version, as in pyproject.toml, which a test keeps the same."""

# Here, since any module may create metrics when it is imported.
share_figures()
