"""How long a run waits for a Prefect server that went away, where nobody here starts that server again.

Prefect's client tries each request for a minute, and a run that fails still has some to make: they would add up to many
minutes. Here the first that gives up speaks for the others, which ask once each until the server answers again.
"""

from __future__ import annotations

import functools
import inspect
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

RETRIES = 4
"""Of a request that nobody answers: Prefect pauses for 2, 4, 8 and 16 s, give or take a fifth, so that a server that is
started again within these 30 s is found."""
_VARIABLE = "PREFECT_CLIENT_MAX_RETRIES"
_AT_ONCE = 1.0
"""Seconds: what failed in less was not tried again."""


def give_up_on_silence() -> None:
    """For all requests of this process to its Prefect server, which has answered before. A person's own setting of
    Prefect for the number of retries holds."""
    from prefect.client import base
    from prefect.context import refresh_global_settings_context

    if _VARIABLE not in os.environ:
        os.environ[_VARIABLE] = str(RETRIES)
        refresh_global_settings_context()
    silent = threading.Event()
    for client in (base.PrefectHttpxSyncClient, base.PrefectHttpxAsyncClient):
        client.send = _bounded(inspect.unwrap(client.send), silent)  # type: ignore[method-assign]


def leave_unsent() -> None:
    """Of a process that gave up on its server and ends: what is still meant for that server is let go, in silence."""
    from deployments.prefect_insides import drop_unsent

    logging.raiseExceptions = False  # how Prefect is told not to print that a log line could not be sent
    for name in ("prefect.events.clients", "EventsWorker"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    drop_unsent()


def _bounded(send: Any, silent: threading.Event) -> Any:
    """``send`` of an HTTP client of Prefect's, with one try while the server is ``silent``."""

    @contextmanager
    def asking(client: Any) -> Iterator[None]:
        import httpx
        from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

        from deployments.prefect_insides import count_as_connected

        count_as_connected(client)  # if not by itself, then by others of this process
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}) if silent.is_set() else nullcontext():
            begun = time.monotonic()
            try:
                yield
            except httpx.TransportError:
                if time.monotonic() - begun > _AT_ONCE:
                    silent.set()
                raise
            silent.clear()

    @functools.wraps(send)
    def bounded(self: Any, *arguments: Any, **options: Any) -> Any:
        with asking(self):
            return send(self, *arguments, **options)

    @functools.wraps(send)
    async def bounded_async(self: Any, *arguments: Any, **options: Any) -> Any:
        with asking(self):
            return await send(self, *arguments, **options)

    return bounded_async if inspect.iscoroutinefunction(send) else bounded
