"""Secrets in addresses, and what may be shown of them: one representation for messages, records and logs."""

from __future__ import annotations

import logging
import re

HIDDEN = "***"
_USER = re.compile(r"([a-z][a-z0-9+.-]*://)[^/\s?#'\"]*@", re.IGNORECASE)
_NAMES = "key|cx|cx|api[_-]?key|(?:access[_-]?)?token|password|passwd|pwd|secret|signature|sig"
_QUERY = re.compile(rf"([?&;](?:{_NAMES})=)[^&;\s'\"#)]+", re.IGNORECASE)


def redacted(text: str) -> str:
    """``text`` with users and passwords of the URIs in it, and values of secret query fields, replaced by ``***``.

    Example::

        redacted("http://ann:secret@registry:5000/?key=1")     # http://***@registry:5000/?key=***
    """
    return _QUERY.sub(rf"\g<1>{HIDDEN}", _USER.sub(rf"\g<1>{HIDDEN}@", text))


class _Redacting(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redacted(record.getMessage()), None
        return True


_filter = _Redacting()


def redact_logs() -> None:
    """Let the loggers that print the address of a request, at any level, print it redacted."""
    for name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.poolmanager", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(_filter)  # a filter that is there already is not added again
