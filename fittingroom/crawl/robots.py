"""robots.txt, asked for once a host (RFC 9309): none means all is allowed, out of reach means nothing is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from protego import Protego

from fittingroom.crawl.settings import ROBOT_NAME

MAX_BYTES = 512_000
"""RFC 9309 asks for at least 500 kibibytes to be read; what follows is ignored."""


@dataclass(frozen=True)
class RobotsFile:
    """One host's answer: ``text`` of its rules; empty when it has none; None when it is out of reach for now."""

    text: str | None
    detail: str = ""


@dataclass(frozen=True)
class Leave:
    """Whether a URL may be fetched, and how long to wait between requests (0: the host does not say)."""

    allowed: bool
    available: bool
    delay: float
    detail: str = ""


class Robots:
    """Asks each host (scheme, name and port) once and remembers its rules."""

    def __init__(self, fetch: Callable[[str], RobotsFile]) -> None:
        self._fetch = fetch
        self._rules: dict[str, tuple[Protego | None, str]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def leave(self, url: str) -> Leave:
        """What the host of ``url`` allows our robot to do with it."""
        rules, detail = self._of(url)
        if rules is None:
            return Leave(allowed=False, available=False, delay=0.0, detail=detail)
        delay = rules.crawl_delay(ROBOT_NAME) or 0.0
        rate = rules.request_rate(ROBOT_NAME)
        if rate is not None and rate.requests > 0:
            delay = max(delay, rate.seconds / rate.requests)
        return Leave(bool(rules.can_fetch(url, ROBOT_NAME)), available=True, delay=max(0.0, float(delay)))

    def _of(self, url: str) -> tuple[Protego | None, str]:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc.lower()}"
        with self._lock:
            lock = self._locks.setdefault(origin, threading.Lock())
        with lock:  # two threads on one host: the second waits for the first one's answer
            if origin not in self._rules:
                file = self._fetch(f"{origin}/robots.txt")
                rules = None if file.text is None else Protego.parse(file.text)
                self._rules[origin] = (rules, file.detail)
            return self._rules[origin]
