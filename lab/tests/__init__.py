"""The lab's own tests; most speak to its instance `test`, or the one in `FLAVORSYNC_LAB`."""
