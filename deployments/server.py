"""A Prefect server of our own for a laptop: its database in the workspace, nobody told of it, stopped with us."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deployments.environment import (
    STATE,
    ServerState,
    answers,
    check_server,
    configured_server,
    database_inside,
    running_server,
    server_state,
    set_defaults,
    use_server,
)
from deployments.patience import give_up_on_silence
from deployments.server_process import EPHEMERAL, TOKEN
from fittingroom.errors import FittingroomError, InputError
from fittingroom.locks import locked_if_free
from fittingroom.ports import address_of, listening_socket
from fittingroom.workspace import Workspace

DEFAULT_PORT = 4200
START_SECONDS = 180.0
"""A server on a busy two-core machine takes a quarter of a minute; a first start also makes its database."""

_UNNEEDED = ("CANCELLATION_CLEANUP", "PAUSE_EXPIRATIONS", "LATE_RUNS", "FOREMAN", "SCHEDULER", "TRIGGERS")
"""Services that a single run from the command line has no use for; a serving process keeps them."""
_LOCK = "server.lock"
"""In the workspace's Prefect home: held by the process whose server serves the workspace."""


def free_port(preferred: int = 0) -> int:
    """A free port on the loopback: the preferred one where it is free."""
    with listening_socket("127.0.0.1", None, preferred) as probe:
        return int(probe.getsockname()[1])


_FIRST_PAUSE = 1.0
"""Seconds between two looks at whether the server is still there."""


@contextmanager
def server_for_a_run(workspace: Workspace, say: Callable[[str], None]) -> Iterator[None]:
    """For a single run: the server that is configured, else the workspace's where it runs, else one for the run only.

    Raises:
        InputError: the configured server cannot be used.
    """
    configured = configured_server(workspace)
    if configured is not None:
        check_server(configured)
        give_up_on_silence()
        yield
        return
    running = running_server(workspace)
    if running is not None:
        use_server(running, workspace)
        give_up_on_silence()
        yield
        return
    with LocalServer(workspace, port=0, shared=False) as server:
        server.wait().keep_alive(say)
        os.environ["PREFECT_UI_URL"] = ""  # it has none: the log is not to say where to look
        use_server(server.api_url, workspace)
        try:
            yield
        finally:
            send_what_is_left()


def send_what_is_left() -> None:
    """Prefect sends logs and events from threads of its own: they would wait for a server that is gone."""
    if "prefect" in sys.modules:
        from prefect.events.worker import EventsWorker
        from prefect.logging.handlers import APILogWorker

        for worker in (EventsWorker, APILogWorker):
            worker.drain_all(timeout=10)


class LocalServer:
    """Prefect's server as a child process that ends with this one; a context manager.

    A workspace has one shared server at a time.

    Args:
        workspace: the server's home and database lie in its ``prefect`` folder.
        schedules: also run the services behind schedules and triggers.
        port: where to listen; 0 is any free one, None is `DEFAULT_PORT`, or any free one where that is taken.
        shared: the workspace's own server, which other commands find (`running_server`) and people look at; else one
            without a UI, which nobody else knows of.
    """

    def __init__(
        self, workspace: Workspace, schedules: bool = False, port: int | None = None, shared: bool = True
    ) -> None:
        self.workspace, self.schedules, self.shared, self._port = workspace, schedules, shared, port
        self.api_url = ""
        self._token = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: socket.socket | None = None
        self._lock = ExitStack()
        self._ending = threading.Event()
        self._watcher: threading.Thread | None = None

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
        """Start it without waiting; its address is known at once.

        One that needs no schedules is not started where the workspace has a server with them: that is used.

        Raises:
            InputError: the workspace has a server already, or the port is taken.
        """
        self.workspace.prefect_home.mkdir(parents=True, exist_ok=True)
        if self.shared and not self._lock.enter_context(locked_if_free(self.workspace.prefect_home / _LOCK)):
            self.api_url = self._of_another()
            return self
        if self.shared:
            (self.workspace.prefect_home / STATE).unlink(missing_ok=True)  # of one that was killed
        try:
            self._listener = listening_socket("127.0.0.1", self._port, DEFAULT_PORT)
            self.api_url = f"{address_of(self._listener)}/api"
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def _of_another(self) -> str:
        state = server_state(self.workspace)
        if state is None:
            raise InputError(f"workspace {self.workspace.root}: another process serves it, or is about to")
        if not self.schedules and state.schedules and state.answers():
            return state.api_url
        raise InputError(
            f"workspace {self.workspace.root}: its Prefect server runs already, process {state.pid} at "
            f"{state.api_url.removesuffix('/api')}; stop the command that started it, or use another workspace"
        )

    def _start(self) -> None:
        set_defaults()
        assert self._listener is not None
        home, descriptor = self.workspace.prefect_home, self._listener.fileno()
        environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"} | {
            "PREFECT_HOME": str(home),
            "PREFECT_UI_API_URL": self.api_url,  # the UI takes 4200 for granted otherwise
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
            TOKEN: self._token,
            **database_inside(self.workspace),
        }
        if not self.schedules:
            environment |= {f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in _UNNEEDED}
        if not self.shared:
            environment |= {EPHEMERAL: "1", "PREFECT_SERVER_UI_ENABLED": "false"}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "deployments.server_process", str(descriptor), str(os.getpid())],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[descriptor],  # ours meanwhile: nobody else gets the port while the server starts again
                start_new_session=True,  # Ctrl-C is ours to handle: first the run ends, then the server
            )
        if self.shared:
            place = str(self.workspace.root.resolve())
            state = ServerState(self.api_url, self._process.pid, self._token, place, self.schedules)
            state.write(self.workspace)

    def keep_alive(self, say: Callable[[str], None]) -> None:
        """From now on start the server again, at the same address, whenever it ends by itself.

        Runs that are under way try again until it answers. A server that was not started here is left alone.

        Args:
            say: told each time, in a line.
        """
        if self._process is not None:
            self._watcher = threading.Thread(target=self._watch, args=(say,), daemon=True)
            self._watcher.start()

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
        if self._watcher is not None:
            self._watcher.join()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
            if self.shared:
                (self.workspace.prefect_home / STATE).unlink(missing_ok=True)
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self._lock.close()

    def __enter__(self) -> LocalServer:
        return self.launch()

    def __exit__(self, *_: object) -> None:
        self.stop()
