"""Which lab the tests have."""

import os

from lab import Lab


def lab_of_the_tests() -> Lab:
    """Return the lab of this process's tests, up or not: `test`, or the one in `FLAVORSYNC_LAB`."""
    return Lab(os.environ.get("FLAVORSYNC_LAB", "test"))
