"""Flavor Sync's own top: settings, URLs, checks, monitoring."""

from flavorsync_project.telemetry.figures import share_figures

# Here, since any module may create metrics when it is imported.
share_figures()
