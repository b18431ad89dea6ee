"""Fixtures of the synchronisation's tests."""

from testing.catalogue import *  # noqa: F403
