"""A wall-clock limit for one request, whatever the other side does.

A socket's time-out is for one silence; a server that sends a byte now and then never reaches it, in the body or, worse,
in the headers, which the standard library reads in one call. So one thread watches the clock and shuts the socket of a
request whose time is over; the blocked read then ends at once.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import socket
import threading
import time
from collections.abc import Iterator


class Deadline:
    """The time by which one request must be over."""

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds
        self.expired = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def hold(self, sock: socket.socket) -> None:
        """Take over ``sock``. A duplicate is kept, for TLS and urllib3 replace the object on the way."""
        twin = socket.fromfd(sock.fileno(), sock.family, sock.type)
        with self._lock:
            old, self._socket = self._socket, twin
        if old is not None:
            old.close()
        if self.expired:
            self.end()

    def end(self) -> None:
        """Time is over: cut the connection."""
        self.expired = True
        with self._lock:
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """The request is over; let go of the connection, which may live on."""
        with self._lock:
            sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()


_running = threading.local()


def watch(sock: socket.socket) -> None:
    """Put ``sock`` under the deadline of the request that this thread is making, if there is one."""
    deadline: Deadline | None = getattr(_running, "deadline", None)
    if deadline is not None:
        deadline.hold(sock)


class Watchdog:
    """The thread that ends requests whose time is over. Started with the first request, ended by `close`."""

    def __init__(self) -> None:
        self._queue: list[tuple[float, int, Deadline]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextlib.contextmanager
    def limit(self, seconds: float) -> Iterator[Deadline]:
        """Requests that this thread makes in the block end after ``seconds``; `Deadline.expired` then says why."""
        deadline = Deadline(seconds)
        with self._changed:
            heapq.heappush(self._queue, (deadline.at, next(self._numbers), deadline))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="crawl-watchdog", daemon=True)
                self._thread.start()
            self._changed.notify()
        _running.deadline = deadline
        try:
            yield deadline
        finally:
            _running.deadline = None
            deadline.release()
            with self._changed:
                self._queue = [entry for entry in self._queue if entry[2] is not deadline]
                heapq.heapify(self._queue)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                if not self._queue:
                    self._changed.wait()
                    continue
                left = self._queue[0][0] - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                heapq.heappop(self._queue)[2].end()
