"""Passwords in addresses: shown by nothing, whoever's error or log it is."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from fittingroom.errors import FittingroomError, SettingError
from fittingroom.images import write_png
from fittingroom.redaction import redacted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://ann:geheim@registry:5000/a", "http://***@registry:5000/a"),
        (
            "at postgresql+psycopg2://ann:ge%40heim@db/x, twice HTTPS://a:geheim@b",
            "at postgresql+psycopg2://***@db/x, twice HTTPS://***@b",
        ),
        ("http://ann:ge@heim@registry", "http://***@registry"),
        ("https://geheim@registry", "https://***@registry"),
        *(
            (f"registry http://ann:ge{sign}heim@registry:5000/a is away", "registry http://***@registry:5000/a is away")
            for sign in "/#?'\":[]()&=,"
        ),
        ("postgresql://h/db?sslpassword=geheim&x=1", "postgresql://h/db?sslpassword=***&x=1"),
        ("/v1?key=geheim&q=a&access_token=geheim", "/v1?key=***&q=a&access_token=***"),
        ("'https://h/?api_key=geheim'", "'https://h/?api_key=***'"),
        ("mail ann@shop.example about http://h/a@b?q=key", "mail ann@shop.example about http://h/a@b?q=key"),
        ("sqlite:////tmp/a b/mlflow.db", "sqlite:////tmp/a b/mlflow.db"),
    ],
)
def test_what_may_be_shown(text: str, shown: str) -> None:
    assert redacted(text) == shown
    assert str(FittingroomError(text)) == shown


def test_a_refused_setting_shows_no_password() -> None:
    assert "geheim" not in str(SettingError("tracking_uri", "http://ann:geheim@h", "a URI"))


class Refuses(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *args: object) -> None:
        """Nothing."""


@pytest.fixture(params=["refuses", "dead", "scheme"])
def tracking_uri(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "scheme":
        yield "nonsense://ann:geheim@127.0.0.1/x"
    elif request.param == "dead":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            yield f"http://ann:geheim@127.0.0.1:{free.getsockname()[1]}"
    else:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Refuses)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://ann:geheim@127.0.0.1:{server.server_port}"
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("command", [["styles", "list"], ["doctor"], ["--debug", "styles", "list"]])
def test_no_command_prints_the_password_of_the_registry(tmp_path: Path, tracking_uri: str, command: list[str]) -> None:
    environment = {
        **os.environ,
        "FITTINGROOM_WORKSPACE": str(tmp_path / "w"),
        "FITTINGROOM_TRACKING_URI": tracking_uri,
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    done = subprocess.run(
        [str(Path(sys.executable).with_name("fittingroom")), *command],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "registry" in said
    assert "geheim" not in said
    written = [path for path in tmp_path.rglob("*") if path.is_file() and b"geheim" in path.read_bytes()]
    assert written == []


@pytest.mark.slow
def test_a_run_keeps_the_password_out_of_its_log_its_database_and_all_it_writes(tmp_path: Path) -> None:
    """An empty PREFECT_API_URL is as none: the run has a server in the workspace, and the home stays empty."""
    (tmp_path / "home").mkdir()
    write_png(tmp_path / "person.png", np.full((64, 48, 3), 200, np.uint8))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refuses)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment = own | {
        "HOME": str(tmp_path / "home"),
        "PREFECT_API_URL": "",
        "FITTINGROOM_WORKSPACE": str(tmp_path / "w"),
        "FITTINGROOM_TRACKING_URI": f"http://ann:geheim%2Fword@127.0.0.1:{server.server_port}",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    asked = ["--param", f'persons=["{tmp_path / "person.png"}"]', "--param", 'styles=["red"]']
    try:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("fittingroom")), "--debug", "run", "try-on", *asked],
            env=environment, capture_output=True, check=False, cwd=tmp_path,
        )  # fmt: skip
    finally:
        server.shutdown()
        server.server_close()
    assert done.returncode != 0
    assert b"error: registry http://***@127.0.0.1" in done.stderr
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    database = [data for path, data in written.items() if path.name.startswith("prefect.db")]
    assert any(b"does not answer: API request" in data for data in database), "the run's log is in the database"
    for secret in (b"geheim", base64.b64encode(b"ann:geheim/word")):
        assert secret not in done.stdout + done.stderr
        assert [path for path, data in written.items() if secret in data] == []
    assert list((tmp_path / "home").iterdir()) == []
