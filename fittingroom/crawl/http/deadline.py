"""A wall-clock limit for one request, whatever the other side does.

A socket's time-out is for one silence; a server that sends a byte now and then never reaches it, in the body or, worse,
in the headers, which the standard library reads in one call. So a timer shuts the socket of a request whose time is
over; the blocked read then ends at once.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Deadline:
    """What ends one request when its time is over; ``expired`` then says so."""

    def __init__(self) -> None:
        self.expired = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def hold(self, sock: socket.socket | None) -> None:
        """Take over ``sock``, or let go. A duplicate is kept, for TLS and urllib3 replace the object on the way."""
        twin = None if sock is None else socket.fromfd(sock.fileno(), sock.family, sock.type)
        with self._lock:
            old, self._socket = self._socket, twin
        if old is not None:
            old.close()
        if self.expired:
            self.end()

    def end(self) -> None:
        """Time is over: cut the connection."""
        self.expired = True
        with self._lock, contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)


_running = threading.local()


def watch(sock: socket.socket) -> None:
    """Put ``sock`` under the deadline of the request that this thread is making, if there is one."""
    deadline: Deadline | None = getattr(_running, "deadline", None)
    if deadline is not None:
        deadline.hold(sock)


@contextlib.contextmanager
def limit(seconds: float) -> Iterator[Deadline]:
    """Requests that this thread makes in the block end after ``seconds``; their connections may live on."""
    deadline = _running.deadline = Deadline()
    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), deadline.end)
    timer.daemon = True
    timer.start()
    try:
        yield deadline
    finally:
        _running.deadline = None
        timer.cancel()
        deadline.hold(None)
