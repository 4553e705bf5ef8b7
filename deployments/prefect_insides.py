"""All that is used of the insides of Prefect's client and runner, which its documentation does not promise.

`tests/base/test_library_versions.py` says which versions of Prefect it was seen to hold for.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.runner import Runner


def count_as_connected(client: Any) -> None:
    """Have ``client`` try again where nobody answers, as it does by itself once it has reached its server.

    Args:
        client: ``prefect.client.base.PrefectHttpxSyncClient`` or ``PrefectHttpxAsyncClient``.
    """
    client._has_connected = True


def drop_unsent() -> None:
    """Forget the events and log lines that wait to be sent: a process that ends would try each of them for seconds."""
    workers: tuple[Any, ...] = (EventsWorker, APILogWorker)
    for worker in workers:
        for instance in list(worker._instances.values()):
            with contextlib.suppress(queue.Empty):
                while True:
                    instance._queue.get_nowait()


def keep_code_in(runner: Runner, folder: Path) -> None:
    """Where ``runner``, not started yet, keeps the code of its runs; it makes the folder and removes it at its end.

    Prefect's own choice, in the system's folder of temporary files, has one name for all users of the machine.
    """
    runner._tmp_dir = folder


def end_by(runner: Runner, end: Callable[[], object]) -> None:
    """Have SIGTERM call ``end`` and nothing else; Prefect's own handler leaves the process at once."""

    def handle(*_: Any, **__: Any) -> None:
        end()

    runner.handle_sigterm = handle  # type: ignore[method-assign]
