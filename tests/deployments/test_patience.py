"""A run whose server went away for good gives up on it once, and finds one that is started again in time."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import anyio
import httpx
import pytest
from prefect.client import base
from prefect.context import refresh_global_settings_context
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from deployments import patience
from deployments.server import free_port


class Answers(http.server.BaseHTTPRequestHandler):
    """Says yes to everything."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def answering(port: int) -> Iterator[None]:
    with http.server.HTTPServer(("127.0.0.1", port), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield
        server.shutdown()
        thread.join()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The pauses between tries, which take no time but on the clock that is looked at."""
    made: list[float] = []

    async def sleep(seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr(base, "anyio", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(base, "time", SimpleNamespace(sleep=made.append))
    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=lambda: sum(made)))
    for client in (base.PrefectHttpxSyncClient, base.PrefectHttpxAsyncClient):
        monkeypatch.setattr(client, "send", client.send)
    monkeypatch.delenv("PREFECT_CLIENT_MAX_RETRIES", raising=False)
    monkeypatch.setenv("PREFECT_CLIENT_MAX_RETRIES", str(patience.RETRIES))  # and away with it at the end
    refresh_global_settings_context()
    patience.give_up_on_silence()
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: patience.RETRIES}):  # also where a test server's settings hold
        yield made
    monkeypatch.undo()
    refresh_global_settings_context()


def test_the_first_request_waits_and_the_others_ask_once(pauses: list[float]) -> None:
    address = f"http://127.0.0.1:{(port := free_port())}"
    with base.PrefectHttpxSyncClient() as first, base.PrefectHttpxSyncClient() as second:
        with answering(port):
            assert first.get(address).status_code == 200
        with pytest.raises(httpx.ConnectError):
            first.get(address)
        assert len(pauses) == 4
        assert 20 < sum(pauses) < 40
        del pauses[:]
        for client in (first, second, first):
            with pytest.raises(httpx.ConnectError):
                client.get(address)

        async def ask() -> None:
            async with base.PrefectHttpxAsyncClient() as another:
                await another.get(address)

        with pytest.raises(httpx.ConnectError):
            anyio.run(ask)
        assert pauses == []
        with answering(port):
            anyio.run(ask)
        with pytest.raises(httpx.ConnectError):
            second.get(address)
        assert len(pauses) == 4, "it had answered again"


def test_a_server_that_comes_back_in_time_is_found(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """By a client that has not talked to it yet, too."""
    port = free_port()
    up: list[object] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 4:
            up.append(started := answering(port))
            started.__enter__()

    monkeypatch.setattr(base, "time", SimpleNamespace(sleep=sleep))
    with base.PrefectHttpxSyncClient() as client:
        assert client.get(f"http://127.0.0.1:{port}").status_code == 200
    for server in up:
        server.__exit__(None, None, None)  # type: ignore[attr-defined]
    assert len(up) == 1
