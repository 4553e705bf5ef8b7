"""One host's turn: a limit on connections and a least time between the starts of requests, over all threads."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache


class _Host:
    def __init__(self, connections: int) -> None:
        self.slots = threading.BoundedSemaphore(connections)
        self.turnstile = threading.Lock()
        """Held by the one thread that waits for the host's next start."""
        self.lock = threading.Lock()
        self.next_start = 0.0


class Pace:
    """Makes threads wait so that no host is asked faster, or over more connections, than allowed."""

    def __init__(
        self,
        connections_per_host: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connections = connections_per_host
        self._clock, self._sleep = clock, sleep
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    def _host(self, host: str) -> _Host:
        with self._lock:
            return self._hosts.setdefault(host, _Host(self._connections))

    @contextlib.contextmanager
    def acquire(self, host: str, delay: float) -> Iterator[None]:
        """Wait for a free connection and for ``delay`` seconds since the last start, then hold the connection."""
        state = self._host(host)
        with state.slots:
            with state.turnstile:
                while (left := state.next_start - self._clock()) > 0:
                    self._sleep(left)
                with state.lock:  # from the start as it is, not as it was planned: a late one pushes the others back
                    state.next_start = max(state.next_start, self._clock() + delay)
            yield

    def back_off(self, host: str, seconds: float) -> None:
        """Nobody asks ``host`` anything for ``seconds``: it said Retry-After."""
        state = self._host(host)
        with state.lock:
            state.next_start = max(state.next_start, self._clock() + seconds)


@cache
def shared_pace(connections_per_host: int) -> Pace:
    """This process' pace: two styles crawled at the same time from one shop wait for each other. Other processes do not
    know of it: one at a time may crawl."""
    return Pace(connections_per_host)
