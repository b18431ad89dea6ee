"""Removing secrets from whatever is logged."""

import logging
import re
import traceback

from flavorsync_project.telemetry.request_id import secrets_sent

HIDDEN = "***"


def without_secrets(text: str) -> str:
    """Return *text* without the secrets that we have sent to somebody, as they are or as Python writes them."""
    for secret in secrets_sent():
        text = text.replace(secret, HIDDEN).replace(repr(secret)[1:-1], HIDDEN)
    return text


def _also_percent_encoded(text: str) -> str:
    """Return a pattern of *text* whose characters may each be percent-encoded, once or more often."""
    return "".join(
        f"(?:{re.escape(character)}|%(?:25)*(?:{ord(character.lower()):x}|{ord(character.upper()):x}))"
        for character in text
    )


# The key as in a query, or as a member of a logged dictionary or JSON document. A quoted value ends at its
# quote; any other only at a space or `&`, since a token may itself hold a quote.
_TOKEN = re.compile(
    rf"""({_also_percent_encoded("access_token")}["']?\s*(?::\s*|{_also_percent_encoded("=")}))"""
    r"""(?:"[^"]*"?|'[^']*'?|[^& \t\r\n\f\v]*)""",
    re.IGNORECASE,
)


_REDACTED = rf"\1{HIDDEN}"


def redact(text: str) -> str:
    """Return *text* without the value of any `access_token`, and without the current work's secrets."""
    return without_secrets(_TOKEN.sub(_REDACTED, text))


class RedactTokensFilter(logging.Filter):
    """Cut the value of `access_token` out of a record: its message, arguments, exception and stack.

    The IdM takes its token in a query, so URLs hold it: those of the dashboard's proxy, and those in the HTTP
    client's errors. Passwords and tokens that we sent to clouds are removed, too: a cloud may repeat them. A
    record without any is left as it is.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Remove tokens from *record*; let everything through."""
        self._redact_message(record)
        self._redact_exception(record)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True

    def _redact_message(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 — logging would print message and arguments unredacted
            message = f"{record.msg!r} {record.args!r} (the arguments do not fit the message)"
            record.msg, record.args = message, ()
        redacted = redact(message)
        if redacted != message:
            record.msg, record.args = redacted, ()

    def _redact_exception(self, record: logging.LogRecord) -> None:
        if record.exc_info and not record.exc_text:
            text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            redacted = redact(text)
            if redacted != text:
                # Formatters print exc_text; without exc_info none formats the exception again.
                record.exc_text, record.exc_info = redacted, None
        elif record.exc_text:
            redacted = redact(record.exc_text)
            if redacted != record.exc_text:
                record.exc_text, record.exc_info = redacted, None
