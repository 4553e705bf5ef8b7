"""A port to listen on: the one asked for, or the usual one where that is free, else any."""

from __future__ import annotations

import errno
import socket

from fittingroom.errors import InputError


def listening_socket(host: str, port: int | None, usual: int) -> socket.socket:
    """A bound socket on ``host``. ``port`` None is ``usual`` where that is free, else any free one.

    Raises:
        InputError: the port asked for is taken or not allowed, or this machine has no such address.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError):
        raise InputError(f"--host: expected an address of this machine, got {host!r}") from None
    for number in (port,) if port is not None else (usual, 0):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address[0], number, *address[2:]))
            listener.listen(128)
        except OSError as error:
            listener.close()
            refusal = error
            continue
        return listener
    if refusal.errno == errno.EADDRINUSE:
        raise InputError(f"--port: expected a free port, {number} on {host} is taken by another program")
    if refusal.errno == errno.EADDRNOTAVAIL:
        raise InputError(f"--host: expected an address of this machine, got {host!r}")
    raise InputError(f"--port {number}: cannot be listened on: {(refusal.strerror or str(refusal)).lower()}")


def address_of(listener: socket.socket) -> str:
    """What to open in a browser."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
