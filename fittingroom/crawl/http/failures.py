"""Why a URL gave nothing, in the words of a manifest's row."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from urllib3 import exceptions

from fittingroom.errors import FittingroomError

_SKIPPED = frozenset({"robots", "opt_out", "address", "scheme", "crawl_delay"})


class FetchFailed(FittingroomError):
    """A URL that gave nothing: the ``status`` and ``reason`` (of `candidates.REASONS`) that its row gets."""

    def __init__(
        self, reason: str, detail: str, *, http_status: int = 0, final_url: str = "", retry_after: float | None = None
    ) -> None:
        self.reason, self.detail = reason, detail
        self.status = "skipped" if reason in _SKIPPED else "failed"
        self.http_status, self.final_url, self.retry_after = http_status, final_url, retry_after
        self.attempts = 1
        super().__init__(f"{reason}: {detail}")


def refuse_status(status: int, headers: Mapping[str, str], url: str) -> None:
    """Let 200 pass.

    Raises:
        FetchFailed: anything else.
    """
    if status == 200:
        return
    if status in (404, 410):
        raise FetchFailed("not_found", f"HTTP {status}", http_status=status, final_url=url)
    if status != 429 and status < 500:
        raise FetchFailed("http_status", f"expected HTTP 200, got {status}", http_status=status, final_url=url)
    reason = "rate_limited" if status == 429 else "server_error"
    wait = _retry_after(headers.get("Retry-After", ""))
    raise FetchFailed(reason, f"HTTP {status}", http_status=status, final_url=url, retry_after=wait)


def _retry_after(value: str) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date (RFC 9110, 10.2.3)."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(min(int(value[:12]), 10**9))
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def failure_of(error: Exception, url: str) -> FetchFailed:
    """What an error of urllib3 or the system means."""
    causes = _causes(error)
    text = " ".join((str(causes[-1]) or type(error).__name__).split())[:300]
    return FetchFailed(_reason_of(causes), text, final_url=url)


def _causes(error: BaseException) -> list[BaseException]:
    """``error`` and what it wraps, outermost first: urllib3 keeps the cause in different places."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting and len(found) < 20:
        current = waiting.pop(0)
        if isinstance(current, BaseException) and not any(current is other for other in found):
            found.append(current)
            waiting += [getattr(current, "reason", None), *current.args, current.__cause__, current.__context__]
    return found


_REASONS: tuple[tuple[str, tuple[type[BaseException], ...]], ...] = (
    ("tls", (exceptions.SSLError,)),
    ("unreachable", (exceptions.NewConnectionError,)),  # to urllib3 a time-out, too
    ("timeout", (exceptions.TimeoutError, TimeoutError)),
    ("scheme", (exceptions.LocationValueError, http.client.InvalidURL, UnicodeError)),
    ("incomplete", (http.client.IncompleteRead,)),
    ("unreachable", (http.client.RemoteDisconnected, socket.gaierror)),
    ("protocol", (http.client.HTTPException, exceptions.InvalidHeader)),
    ("unreachable", (exceptions.HTTPError, OSError)),
)
"""The first that one of an error's causes is."""


def _reason_of(causes: list[BaseException]) -> str:
    found = (reason for reason, kinds in _REASONS if any(isinstance(cause, kinds) for cause in causes))
    return next(found, "protocol")
