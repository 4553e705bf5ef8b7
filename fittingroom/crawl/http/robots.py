"""robots.txt, asked for once a host (RFC 9309): none means all is allowed, out of reach means nothing is. And what a
host's ``tdmrep.json`` reserves of what is allowed (`opt_out`)."""

from __future__ import annotations

import codecs
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from protego import Protego

from fittingroom.crawl.http.failures import FetchFailed
from fittingroom.crawl.http.opt_out import reservations
from fittingroom.crawl.settings import ROBOT_NAME

T = TypeVar("T")
MAX_BYTES = 512_000
"""RFC 9309 asks for at least 500 kibibytes to be read; what follows is ignored."""


@dataclass(frozen=True)
class RobotsFile:
    """One host's answer: ``text`` of its rules; empty when it has none; None when it is out of reach for now."""

    text: str | None
    detail: str = ""


def robots_text(body: bytes) -> RobotsFile:
    """The rules of an answer's body. They are UTF-8 (RFC 9309, 2.3); what a text editor may have made UTF-16 of would
    read as no rules at all, so a body with NUL or UTF-16's byte-order mark is one that cannot be read."""
    if b"\0" in body or body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return RobotsFile(None, "robots.txt: expected text in UTF-8, got another encoding")
    return RobotsFile(body.decode("utf-8", "replace").lstrip("\ufeff"))


@dataclass(frozen=True)
class RobotsVerdict:
    """Whether a URL may be fetched, and how long to wait between requests (0: the host does not say)."""

    allowed: bool
    available: bool
    delay: float = 0.0
    detail: str = ""


class _OnceAHost(Generic[T]):
    """What each host (scheme, name and port) answers, asked once."""

    def __init__(self) -> None:
        self._found: dict[str, T] = {}
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def of(self, url: str, ask: Callable[[str], T]) -> T:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc.lower()}"
        with self._lock:
            lock = self._locks[origin]
        with lock:  # two threads on one host: the second waits for the first one's answer
            if origin not in self._found:
                self._found[origin] = ask(origin)
            return self._found[origin]


class Robots:
    """Asks each host once and remembers its rules. ``fetch`` is given an address and the seconds to wait before."""

    def __init__(self, fetch: Callable[[str, float], RobotsFile]) -> None:
        self._fetch = fetch
        self._rules = _OnceAHost[tuple[Protego | None, str]]()
        self._reserved = _OnceAHost[Protego]()

    def leave(self, url: str) -> RobotsVerdict:
        """What the host of ``url`` allows our robot to do with it."""
        rules, detail = self._rules.of(url, self._ask_rules)
        if rules is None:
            return RobotsVerdict(allowed=False, available=False, detail=detail)
        delay = rules.crawl_delay(ROBOT_NAME) or 0.0
        rate = rules.request_rate(ROBOT_NAME)
        if rate is not None and rate.requests > 0:
            delay = max(delay, rate.seconds / rate.requests)
        return RobotsVerdict(bool(rules.can_fetch(url, ROBOT_NAME)), available=True, delay=max(0.0, float(delay)))

    def reserved(self, url: str, delay: float) -> bool:
        """Whether the host of ``url``, which wants a pause of ``delay`` seconds, reserves its rights."""
        return not self._reserved.of(url, lambda origin: self._ask_reservations(origin, delay)).can_fetch(
            url, ROBOT_NAME
        )

    def _ask_rules(self, origin: str) -> tuple[Protego | None, str]:
        file = self._fetch(f"{origin}/robots.txt", 0.0)
        return (None if file.text is None else Protego.parse(file.text)), file.detail

    def _ask_reservations(self, origin: str, delay: float) -> Protego:
        try:
            return reservations(self._fetch(f"{origin}/.well-known/tdmrep.json", delay).text or "")
        except FetchFailed:  # it leads to where we do not go
            return reservations("")
