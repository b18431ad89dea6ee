"""Numbers of things, in words."""

from django.template.defaultfilters import pluralize


def counted(count: int, thing: str) -> str:
    """Return so many of a thing: `1 node`, `2 nodes`."""
    return f"{count} {thing}{pluralize(count)}"
