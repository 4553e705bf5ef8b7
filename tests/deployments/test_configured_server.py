"""Prefect configured by a person: what cannot be used is refused in one line, within seconds."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deployments import environment
from deployments.environment import check_server, configured_server, set_defaults, use_home
from fittingroom.errors import InputError
from fittingroom.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
UNREACHABLE = "no Prefect server answers"
SECONDS = 60.0
"""A command that is refused takes some five; the rest is for a busy machine."""


@contextmanager
def server_of(status: int, body: bytes) -> Iterator[str]:
    """Something that answers whatever is asked alike; its API address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/api"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b"{}", "it asks for a password; PREFECT_API_AUTH_STRING has to be one"),
        (404, b"{}", "expected a Prefect server's API, got HTTP status 404"),
        (503, b"{}", "expected a Prefect server's API, got HTTP status 503"),
        (200, b"<html>", "expected a Prefect server's API, such as http://127.0.0.1:4200/api"),
    ],
)
def test_what_no_run_could_report_to_is_refused(status: int, body: bytes, said: str) -> None:
    with server_of(status, body) as url, pytest.raises(InputError) as refused:
        check_server(url)
    assert str(refused.value) == f"PREFECT_API_URL {url}: {said}"


@pytest.mark.parametrize("address", ["nonsense", "ftp://127.0.0.1/api"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(InputError, match=f"PREFECT_API_URL {address}: expected a Prefect server's API, such as"):
        check_server(address)


def test_a_server_that_answers_as_prefects_does_is_taken() -> None:
    with server_of(200, b'"3.8.8"') as url:
        check_server(url)


def test_a_server_that_never_answers_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(environment, "CHECK_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(InputError, match=UNREACHABLE):
            check_server(f"http://127.0.0.1:{silent.getsockname()[1]}/api")


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """No Prefect settings, and a home with no profiles."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    kept["HOME"] = str(tmp_path / "home")
    (tmp_path / "home").mkdir()
    monkeypatch.setattr(os, "environ", kept)
    return kept


def test_a_single_run_keeps_prefect_to_the_workspace(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    place = Workspace(tmp_path / "w")
    clean_environment["PREFECT_API_URL"] = " "
    configured_server(place)
    assert "PREFECT_API_URL" not in clean_environment, "an empty address is none"
    assert clean_environment["PREFECT_HOME"] == str(place.prefect_home)
    assert clean_environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert clean_environment["DO_NOT_TRACK"] == "1"


def test_a_server_of_the_workspace_looks_for_no_profile_of_the_user(
    tmp_path: Path, clean_environment: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither one that is named, nor, as a variable that is empty does, one without a name."""
    for profile in ("local", "mine", ""):
        clean_environment["PREFECT_PROFILE"] = profile
        use_home(Workspace(tmp_path / "w"))
        assert "PREFECT_PROFILE" not in clean_environment
    assert capfd.readouterr().err == ""


def test_a_persons_own_profiles_are_left_alone(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    (tmp_path / "home" / ".prefect").mkdir()
    (tmp_path / "home" / ".prefect" / "profiles.toml").write_text("")
    configured_server(Workspace(tmp_path / "w"))
    assert "PREFECT_HOME" not in clean_environment


@pytest.mark.usefixtures("clean_environment")
def test_prefect_understands_that_our_server_writes_in_batches_unless_told_otherwise() -> None:
    from prefect.settings import Settings

    os.environ["PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE"] = "7"
    set_defaults()
    services = Settings().server.services
    assert (services.task_run_recorder.batch_size, services.task_run_recorder.flush_interval) == (100, 1)
    assert services.event_persister.batch_size == 7


NOBODY = "http://127.0.0.1:9/api"


@pytest.mark.parametrize(
    ("command", "variable", "value", "said"),
    [
        ("run clean-up", "PREFECT_API_URL", NOBODY, f"PREFECT_API_URL {NOBODY}: {UNREACHABLE}"),
        ("serve", "PREFECT_API_URL", NOBODY, f"PREFECT_API_URL {NOBODY}: {UNREACHABLE}"),
        ("run clean-up", "PREFECT_HOME", __file__, f"PREFECT_HOME: expected a folder, {__file__} is a file"),
        ("run clean-up", "PREFECT_PROFILE", "clod", "PREFECT_PROFILE: profile clod: there is none of this"),
        ("run clean-up", "PREFECT_LOGGING_LEVEL", "LOUD", "setting PREFECT_LOGGING_LEVEL: expected to be 'DEBUG'"),
        ("serve", "PREFECT_API_REQUEST_TIMEOUT", "soon", "setting PREFECT_API_REQUEST_TIMEOUT: expected to be"),
        ("demo", "PREFECT_API_REQUEST_TIMEOUT", "soon", "setting PREFECT_API_REQUEST_TIMEOUT: expected to be"),
    ],
)
def test_prefect_misconfigured_is_one_line(
    tmp_path: Path, clean_environment: dict[str, str], command: str, variable: str, value: str, said: str
) -> None:
    refused(tmp_path, clean_environment, command, variable, value, said)


def test_a_server_that_asks_for_a_password_is_one_line(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    with server_of(401, b"{}") as url:
        said = f"PREFECT_API_URL {url}: it asks for a password; PREFECT_API_AUTH_STRING has to be one"
        refused(tmp_path, clean_environment, "run clean-up", "PREFECT_API_URL", url, said)


def refused(tmp_path: Path, environment: dict[str, str], command: str, variable: str, value: str, said: str) -> None:
    """A command in a process of its own ends with that line."""
    told = environment | {
        "FITTINGROOM_WORKSPACE": str(tmp_path / "w"),
        "PYTHONPATH": str(ROOT),
        variable: value,
    }
    code = "from fittingroom.cli import main; main()"
    ran = [sys.executable, "-c", code, *command.split()]
    done = subprocess.run(ran, env=told, capture_output=True, text=True, timeout=SECONDS, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {said}")
    assert [path.name for path in (tmp_path / "home").iterdir()] == [], "nothing is written into the home"


def test_a_workspace_that_the_locale_cannot_name_is_one_line(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    told = clean_environment | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT)}
    told["FITTINGROOM_WORKSPACE"] = str(tmp_path / "작업장")
    ran = [sys.executable, "-c", "from fittingroom.cli import main; main()", "run", "clean-up"]
    done = subprocess.run(ran, env=told, capture_output=True, text=True, timeout=SECONDS, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "expected a path in UTF-8; with another locale set PYTHONUTF8=1" in line
