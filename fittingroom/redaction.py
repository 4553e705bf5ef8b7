"""Secrets in addresses, and what may be shown of them: one representation for messages, records and logs."""

from __future__ import annotations

import logging
import re

HIDDEN = "***"
_WORD = re.compile(r"\S+")
_AUTHORITY = re.compile(r"[^/?#'\"]*")
_NAMES = "key|cx|api[_-]?key|(?:access[_-]?)?token|(?:ssl)?password|passwd|pwd|secret|signature|sig"
_QUERY = re.compile(rf"([?&;](?:{_NAMES})=)[^&;\s'\"#)]+", re.IGNORECASE)


def redacted(text: str) -> str:
    """``text`` with users and passwords of the URIs in it, and values of secret query fields, replaced by ``***``.

    Example::

        redacted("http://ann:secret@registry:5000/?key=1")     # http://***@registry:5000/?key=***
    """
    if "://" in text:
        text = _WORD.sub(lambda word: _without_user(word[0]), text)
    return _QUERY.sub(rf"\g<1>{HIDDEN}", text)


def _without_user(word: str) -> str:
    """A URI, and what stands around it. After a colon all goes up to the last @: a password that somebody forgot to
    escape has any signs. A port and an @ in the path look the same, and are hidden with it."""
    scheme, mark, rest = word.partition("://")
    authority = _AUTHORITY.match(rest)[0]  # type: ignore[index]
    end = rest.rfind("@") if ":" in authority else authority.rfind("@")
    return word if end < 0 else f"{scheme}{mark}{HIDDEN}{rest[end:]}"


class _Redacting(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redacted(record.getMessage()), None
        return True


_filter = _Redacting()


def redact_logs() -> None:
    """Let the loggers that print the address of a request, at any level, print it redacted."""
    for name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.poolmanager", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(_filter)  # a filter that is there already is not added again
