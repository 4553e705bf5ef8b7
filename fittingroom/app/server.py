"""How the page is served: uvicorn, with limits of connections and times that it does not have of its own."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import resource
import socket
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from fittingroom.api_keys import Keys
from fittingroom.app.limits import Places, client_of
from fittingroom.app.logs import log_as_json
from fittingroom.app.page import create_app
from fittingroom.ports import address_of, listening_socket
from fittingroom.workspace import Workspace

USUAL_PORT = 7860
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
MAX_CONNECTIONS = 256
"""Connections whose request is not all there; a quarter of the file descriptors where those are few."""
REQUEST_SECONDS = 10.0
"""From a connection's start, or from an answer's end, to the end of the next request's headers."""
ANSWER_SECONDS = 60.0
"""For a visitor to take an answer."""
GRACE_SECONDS = 5
"""At the end, for those who are being answered."""
PROXIES = "FORWARDED_ALLOW_IPS"
"""Variable: the proxies in front, whose ``X-Forwarded-For`` is believed; addresses or networks, by commas."""
_BACKLOG = 128
"""Connections that are taken in one go, before one can be turned away."""


def serve_app(
    workspace: Workspace | Path | str,
    host: str = "127.0.0.1",
    port: int | None = None,
    say: Callable[[str], None] = print,
    open_it: bool = False,
    api_keys: Path | None = None,
    json_logs: bool = False,
) -> None:
    """Serve the page until interrupted. On a loopback address it answers to this machine's own names only.

    Args:
        workspace: whose registry serves.
        host: the address to listen on.
        port: None is `USUAL_PORT`, or any free one where that is taken.
        say: told the page's address and how to stop it.
        open_it: also open it in a browser, where a person is at a terminal of a machine with a screen.
        api_keys: the file of the API's keys (`fittingroom.api_keys`); None leaves it to programs on this machine
            where the address is a loopback one, and closes it where not.
        json_logs: log as JSON, an object a line (`fittingroom.app.logs`).

    Raises:
        InputError: no such file of keys, or not as it should be; the port is taken, or this machine has no such
            address.
    """
    keys = Keys(api_keys) if api_keys is not None else None
    with listening_socket(host, port, USUAL_PORT) as listener:
        app = create_app(workspace, allowed_hosts=names_of(listener), keys=keys)
        address = address_of(listener)

        class Server(uvicorn.Server):
            """Says its address once it answers there, and Ctrl-C is its own to handle."""

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                say(f"try-on page: {address} (stop with Ctrl-C)")
                if keys is None and names_of(listener) is None:
                    say("the HTTP API is closed: it has no keys (--api-keys FILE)")
                if open_it and somebody_looks():
                    asyncio.get_running_loop().run_in_executor(None, webbrowser.open, address)

            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                app.state.stop()
                for connection in list(self.server_state.connections):
                    if isinstance(connection, Connection) and not connection.asked:
                        connection.transport.abort()
                await super().shutdown(sockets)

        server = Server(config_of(app))
        if json_logs:
            log_as_json()
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


def somebody_looks() -> bool:
    """Whether a person started this at a terminal, and can be shown a browser."""
    screen = sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return sys.stderr.isatty() and screen and "SSH_CONNECTION" not in os.environ


def config_of(app: Any) -> uvicorn.Config:
    """uvicorn's settings for the page, with limits of its connections."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    places = Places(min(MAX_CONNECTIONS, max(descriptors // 4, 16)))

    class Placed(Connection):
        """A connection among those of this server."""

        open = places

    return uvicorn.Config(
        app,
        http=Placed,
        ws="none",
        log_level="warning",
        backlog=_BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
        forwarded_allow_ips=os.environ.get(PROXIES, ""),  # uvicorn's own default believes all of this machine
    )


def names_of(listener: socket.socket) -> list[str] | None:
    """The hosts a server on a loopback address answers to; None is any, for the others."""
    host = str(listener.getsockname()[0])
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or address
    if not mapped.is_loopback:
        return None
    return [*LOOPBACK, f"[{host}]" if address.version == 6 else host]


class Connection(H11Protocol):
    """A visitor's connection: it has its request all there in time, or is ended; so is one that takes no answer."""

    open: Places

    asked = False
    """Whether a request is all there, and its answer is not."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._deadline: asyncio.TimerHandle | None = None
        self._name = client_of({"client": self.client})
        self._wait(REQUEST_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self.open.leave(self._name, self)
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        if self.cycle is None or self.cycle.response_complete:
            return
        self._stop_waiting()  # the headers are there; the application has limits for the body
        if not self.cycle.more_body:
            self.asked = True
            self.open.leave(self._name, self)

    def on_response_complete(self) -> None:
        self.asked = False
        self._wait(ANSWER_SECONDS if self.transport.get_write_buffer_size() else REQUEST_SECONDS)
        super().on_response_complete()

    def _wait(self, seconds: float) -> None:
        self.open.enter(self._name, self, self.transport.abort)
        self._stop_waiting()
        self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
