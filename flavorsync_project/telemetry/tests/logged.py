"""What the service logs, as tests look at it."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from flavorsync_project.telemetry.redaction import RedactTokensFilter
from flavorsync_project.telemetry.request_id import RequestIdFilter


@contextmanager
def all_that_is_logged(formatter: logging.Formatter) -> Iterator[io.StringIO]:
    """Keep all that is logged inside, through the filters that the console has, in this form."""
    handler = logging.StreamHandler(stream := io.StringIO())
    handler.addFilter(RequestIdFilter())
    handler.addFilter(RedactTokensFilter())
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield stream
    finally:
        root.removeHandler(handler)
