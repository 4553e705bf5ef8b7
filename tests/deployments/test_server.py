"""Whose a Prefect server is: the workspace's own is found again, and nothing else is taken for it."""

from __future__ import annotations

import http.server
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest

from deployments import environment
from deployments.environment import STATE, ServerState, answers, running_server, server_state
from deployments.server import LocalServer, free_port
from deployments.server_process import proof
from fittingroom.errors import InputError
from fittingroom.workspace import Workspace

Reply = Callable[[str], tuple[int, str]]


@pytest.fixture
def server_that() -> Iterator[Callable[[Reply], str]]:
    """Starts a server that answers each path as told; its API address."""
    started: list[http.server.ThreadingHTTPServer] = []

    def start(reply: Reply) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = reply(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        started.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}/api"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def ours(token: str) -> Reply:
    """As a server of ours with this token."""

    def reply(path: str) -> tuple[int, str]:
        asked = parse_qs(urlsplit(path).query).get("to")
        return (200, proof(token, asked[0]) if asked else "true")

    return reply


def written(workspace: Workspace, api_url: str, token: str = "secret", schedules: bool = True) -> ServerState:
    workspace.prefect_home.mkdir(parents=True, exist_ok=True)
    state = ServerState(api_url, os.getpid(), token, str(workspace.root.resolve()), schedules)
    state.write(workspace)
    return state


def test_a_server_that_knows_the_token_is_the_workspaces(tmp_path: Path, server_that) -> None:
    workspace = Workspace(tmp_path / "w")
    assert running_server(workspace) is None
    url = server_that(ours("secret"))
    state = written(workspace, url)
    assert server_state(workspace) == state
    assert running_server(workspace) == url
    (tmp_path / "link").symlink_to(tmp_path / "w")
    assert running_server(Workspace(tmp_path / "link")) == url
    assert (workspace.prefect_home / STATE).stat().st_mode & 0o777 == 0o600, "the token is this user's"


def test_a_copied_workspace_has_no_server(tmp_path: Path, server_that) -> None:
    written(Workspace(tmp_path / "w"), server_that(ours("secret")))
    shutil.copytree(tmp_path / "w", tmp_path / "copy")
    assert server_state(Workspace(tmp_path / "copy")) is None
    assert running_server(Workspace(tmp_path / "copy")) is None


@pytest.mark.parametrize("reply", [lambda _: (200, "true"), ours("another"), lambda path: (200, path)])
def test_somebody_elses_server_at_the_port_is_not_used(tmp_path: Path, server_that, reply: Reply) -> None:
    workspace = Workspace(tmp_path)
    url = server_that(reply)
    written(workspace, url)
    assert answers(url), "it says that it is healthy"
    assert running_server(workspace) is None


def test_a_proof_that_was_overheard_proves_nothing(tmp_path: Path, server_that) -> None:
    heard: list[str] = []

    def replay(path: str) -> tuple[int, str]:
        heard.append(path)
        return 200, proof("secret", parse_qs(urlsplit(heard[0]).query)["to"][0])

    workspace = Workspace(tmp_path)
    written(workspace, server_that(replay))
    assert running_server(workspace) is not None, "the first word was answered"
    assert running_server(workspace) is None, "each time another word is asked"


@pytest.mark.parametrize("state", ["{", "[]", '{"api_url": "http://127.0.0.1:9/api", "pid": 1}', '{"api_url": 3}'])
def test_a_state_that_says_nothing_useful_is_none(tmp_path: Path, state: str) -> None:
    workspace = Workspace(tmp_path)
    workspace.prefect_home.mkdir()
    (workspace.prefect_home / STATE).write_text(state)
    assert server_state(workspace) is None
    assert running_server(workspace) is None


def test_a_server_that_is_gone_is_not_used(tmp_path: Path) -> None:
    written(Workspace(tmp_path), f"http://127.0.0.1:{free_port()}/api")
    assert running_server(Workspace(tmp_path)) is None
    assert not answers("not an address")


def test_a_workspace_has_one_server_and_the_first_one_keeps_its_state(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with LocalServer(workspace, schedules=True, port=0) as first:
        said = rf"its Prefect server runs already, process {first.pid} at {first.ui_url}; stop"
        for schedules in (True, False):  # serve, and a demo before that server answers
            with pytest.raises(InputError, match=said), LocalServer(workspace, schedules=schedules, port=0):
                pass
        assert psutil.pid_exists(first.pid)
        state = server_state(workspace)
        assert state is not None
        assert (state.pid, state.api_url) == (first.pid, first.api_url)
    assert not (workspace.prefect_home / STATE).exists()
    with LocalServer(workspace, schedules=True, port=0) as third:
        assert third.pid is not None


def test_the_demo_uses_a_serving_server_and_serve_never_the_demos(tmp_path: Path, server_that) -> None:
    workspace = Workspace(tmp_path)
    url = server_that(ours("secret"))
    with LocalServer(workspace, port=0):
        written(workspace, url, schedules=True)
        with LocalServer(workspace, schedules=False) as demo:
            assert (demo.api_url, demo.pid) == (url, None)
        assert server_state(workspace) is not None, "who only used it leaves it"
        written(workspace, url, schedules=False)
        with pytest.raises(InputError, match="runs already"), LocalServer(workspace, schedules=True, port=0):
            pass


def test_a_taken_port_is_refused_when_asked_for_and_passed_by_when_not(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port
        workspace = Workspace(tmp_path)
        with pytest.raises(InputError, match=f"expected a free port, {port}"), LocalServer(workspace, port=port):
            pass
        with LocalServer(workspace, port=0) as started:
            assert started.api_url != f"http://127.0.0.1:{port}/api", "and the workspace is not taken for served"
    assert free_port(port) == port


def test_nobody_gets_the_port_while_the_server_is_down(tmp_path: Path) -> None:
    with LocalServer(Workspace(tmp_path), port=0) as server:
        port = int(server.ui_url.rpartition(":")[2])
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        psutil.wait_procs([psutil.Process(server.pid)], timeout=10)
        assert free_port(port) != port
    assert free_port(port) == port


STARTS = """
import sys, time
from pathlib import Path
from deployments.server import LocalServer
from fittingroom.workspace import Workspace
server = LocalServer(Workspace(Path(sys.argv[1])), port=0, shared=sys.argv[2] == "shared").launch()
print(server.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("shared", ["shared", "for one run"])
def test_the_server_of_a_killed_command_ends_and_its_workspace_is_free(tmp_path: Path, shared: str) -> None:
    command = [sys.executable, "-c", STARTS, str(tmp_path), shared]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        server = psutil.Process(int(starter.stdout.readline()))
        time.sleep(1)
        assert server.is_running()
        starter.kill()
    _, alive = psutil.wait_procs([server], timeout=30)
    assert alive == []
    with LocalServer(Workspace(tmp_path), schedules=True, port=0) as next_one:
        assert next_one.pid is not None


def test_prefects_database_lies_inside_a_workspace_with_a_question_mark(tmp_path: Path, monkeypatch) -> None:
    from sqlalchemy import create_engine

    monkeypatch.delenv("PREFECT_API_DATABASE_CONNECTION_URL", raising=False)
    assert environment.database_inside(Workspace(tmp_path / "plain")) == {}
    (url,) = environment.database_inside(Workspace(tmp_path / "ready? 50%")).values()
    (tmp_path / "ready? 50%" / "prefect").mkdir(parents=True)
    engine = create_engine(url.replace("+aiosqlite", "+pysqlite"))
    with engine.begin() as connection:
        connection.exec_driver_sql("create table t (a)")
    engine.dispose()
    assert (tmp_path / "ready? 50%" / "prefect" / "prefect.db").is_file()
