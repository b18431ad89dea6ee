"""Fixtures of the catalogue's tests."""

from testing.catalogue import *  # noqa: F403
