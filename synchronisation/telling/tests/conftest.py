"""Fixtures of the tests of telling."""

from testing.catalogue import *  # noqa: F403
