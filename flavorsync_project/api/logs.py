"""Log lines as JSON, one object each (the setting LOG_FORMAT)."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

# Of what a record may bear besides its message: these and no others. Django and the libraries hang
# whole requests on their records, with all that is in them.
MEMBERS = ("user", "method", "path", "status", "milliseconds", "nodes", "upstream_request_ids")


class JsonFormatter(logging.Formatter):
    """Writes `time` (UTC), `level`, `logger`, `request_id`, `message`, then the `MEMBERS` that the record has.

    What failed is in `exception`, the traceback and all, and where the line was written in `stack`, if asked for.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "request_id": getattr(record, "request_id", "-"),
            "message": record.getMessage(),
        }
        line |= {name: value for name in MEMBERS if (value := getattr(record, name, None)) not in (None, [])}
        # The filter that cuts tokens out leaves what it has changed in exc_text.
        if exception := record.exc_text or (record.exc_info and self.formatException(record.exc_info)):
            line["exception"] = exception
        if record.stack_info:
            line["stack"] = record.stack_info
        return json.dumps(line, ensure_ascii=False, default=str)
