"""A Prefect server of our own for a laptop: its database in the workspace, nobody told of it, stopped with us."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from deployments.environment import STATE, answers, database_inside, running_server, set_defaults
from fittingroom.errors import FittingroomError
from fittingroom.workspace import Workspace, write_json

DEFAULT_PORT = 4200
START_SECONDS = 180.0
"""A server on a busy two-core machine takes a quarter of a minute; a first start also makes its database."""

_UNNEEDED = ("CANCELLATION_CLEANUP", "PAUSE_EXPIRATIONS", "LATE_RUNS", "FOREMAN", "SCHEDULER", "TRIGGERS")
"""Services that a single run from the command line has no use for; a serving process keeps them."""


def free_port(preferred: int = 0) -> int:
    """A free port on the loopback: the preferred one where it is free."""
    for port in (preferred, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise FittingroomError("no free port on 127.0.0.1")


_FIRST_PAUSE = 1.0
"""Seconds between two looks at whether the server is still there."""


class LocalServer:
    """``prefect server start`` as a child process; a context manager. One that runs in the workspace already is used.

    Args:
        workspace: the server's home and database lie in its ``prefect`` folder.
        schedules: also run the services behind schedules and triggers.
        port: where to listen when that is free; any free port otherwise.
    """

    def __init__(self, workspace: Workspace, schedules: bool = False, port: int = DEFAULT_PORT) -> None:
        self.workspace, self.schedules, self._preferred = workspace, schedules, port
        self.api_url = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = threading.Event()

    @property
    def ui_url(self) -> str:
        """The address to open in a browser."""
        return self.api_url.removesuffix("/api")

    @property
    def pid(self) -> int | None:
        """Its process, when this object started it."""
        return self._process.pid if self._process else None

    @property
    def log(self) -> Path:
        """Where the server's own output goes."""
        return self.workspace.prefect_home / "server.log"

    def launch(self) -> LocalServer:
        """Start it without waiting; its address is known at once."""
        running = running_server(self.workspace)
        if running is not None:
            self.api_url = running
            return self
        port = free_port(self._preferred)
        self.api_url = f"http://127.0.0.1:{port}/api"
        self._start()
        return self

    def _start(self) -> None:
        set_defaults()
        home = self.workspace.prefect_home
        home.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"} | {
            "PREFECT_HOME": str(home),
            "PREFECT_UI_API_URL": self.api_url,  # the UI takes 4200 for granted otherwise
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
            **database_inside(self.workspace),
        }
        if not self.schedules:
            environment |= {f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in _UNNEEDED}
        port = str(urlsplit(self.api_url).port)
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to handle: first the run ends, then the server
            )
        write_json(home / STATE, {"api_url": self.api_url, "pid": self._process.pid})

    def keep_alive(self, say: Callable[[str], None]) -> None:
        """From now on start the server again, at the same address, whenever it ends by itself.

        Runs that are under way try again until it answers. A server that was not started here is left alone.

        Args:
            say: told each time, in a line.
        """
        if self._process is not None:
            threading.Thread(target=self._watch, args=(say,), daemon=True).start()

    def _watch(self, say: Callable[[str], None]) -> None:
        pause = _FIRST_PAUSE
        while not self._ending.wait(pause):
            if self._process is None or self._process.poll() is None:
                pause = _FIRST_PAUSE
                continue
            say(f"the Prefect server ended (exit {self._process.returncode}): starting it again; its log is {self.log}")
            self._start()
            pause = min(2 * max(pause, 5.0), 60.0)  # one that ends at once is not started again and again

    def wait(self) -> LocalServer:
        """Wait until it answers.

        Raises:
            FittingroomError: it ended, or did not answer in time; the message names its log.
        """
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.api_url):
            if self._process is not None and self._process.poll() is not None:
                raise FittingroomError(f"the Prefect server ended at once; its log is {self.log}")
            if time.monotonic() > deadline:
                raise FittingroomError(f"the Prefect server did not answer in {START_SECONDS:.0f} s; see {self.log}")
            time.sleep(0.1)
        return self

    def stop(self) -> None:
        """Stop it if this object started it."""
        self._ending.set()
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        (self.workspace.prefect_home / STATE).unlink(missing_ok=True)

    def __enter__(self) -> LocalServer:
        return self.launch()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
