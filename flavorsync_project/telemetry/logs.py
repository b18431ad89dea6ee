"""Log lines, for people or as JSON (the setting LOG_FORMAT). Nobody's text can add a line of its own."""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

# The only extra members of a record that we log. Django and the libraries attach whole requests to their
# records, with all that is in them.
MEMBERS = ("user", "method", "path", "status", "milliseconds", "nodes", "upstream_request_ids")


# What moves the cursor, ends a line or turns its direction, and halves of surrogate pairs, which no stream accepts
_ODD = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
INDENT = "    "
# Characters of an exception's text, which may hold a cloud's whole answer.
LINE_LENGTH = 4000


def one_line(text: str) -> str:
    """Return *text* with its control characters and line breaks escaped, as Python writes them."""
    return _ODD.sub(lambda odd: odd[0].encode("unicode_escape").decode("ascii"), text)


class LineFormatter(logging.Formatter):
    """Writes one line for people, with an exception's traceback indented below."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(request_id)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line, with its exception and stack below."""
        record.message = record.getMessage()
        record.asctime = self.formatTime(record)
        exception = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else "")
        below = [*_cut(exception), *_cut(record.stack_info or "")]
        return "\n".join([one_line(self.formatMessage(record)), *(INDENT + one_line(part) for part in below)])


def _cut(text: str) -> list[str]:
    """Return the lines of *text*, the long ones cut."""
    return [part if len(part) <= LINE_LENGTH else f"{part[:LINE_LENGTH]}…" for part in text.splitlines()]


class JsonFormatter(logging.Formatter):
    """Writes `time` (UTC), `level`, `logger`, `request_id`, `message`, then the `MEMBERS` that the record has.

    `exception` has what failed, with its traceback, and `stack`, if asked for, where the line was written.
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
        # The filter that removes tokens leaves its result in exc_text.
        if exception := record.exc_text or (record.exc_info and self.formatException(record.exc_info)):
            line["exception"] = "\n".join(_cut(exception))
        if record.stack_info:
            line["stack"] = record.stack_info
        return json.dumps(line, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace").decode()
