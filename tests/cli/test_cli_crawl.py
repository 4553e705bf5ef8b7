"""`fittingroom crawl`: where one shop is down the other styles are crawled all the same, and limits are said."""

from __future__ import annotations

import functools
import json
import os
import socket
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fittingroom.cli import run
from fittingroom.settings import get_settings
from tests.crawl.crawl_pictures import picture


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Nothing."""


def test_one_dead_shop_does_not_end_the_crawl(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "a.jpg").write_bytes(picture(1))
    (shop / "page.html").write_text('<img src="/a.jpg">')
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(shop)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = free.getsockname()[1]  # bound, and nobody listens
        catalog = tmp_path / "catalog.yaml"
        catalog.write_text(
            "styles:\n"
            + "".join(
                f"  - {{name: {name}, category: short sleeve top, colour: red, pattern: solid,"
                f" sources: [{{kind: page, url: 'http://127.0.0.1:{port}/page.html'}}]}}\n"
                for name, port in (("first", dead), ("second", server.server_port))
            )
        )
        command = [str(Path(sys.executable).with_name("fittingroom")), "crawl", str(catalog), "--json"]
        environment = {
            **os.environ,
            "FITTINGROOM_WORKSPACE": str(tmp_path / "w"),
            "FITTINGROOM_ALLOW_LOOPBACK": "1",
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    server.shutdown()
    server.server_close()

    assert done.returncode == 1, done.stderr
    said = json.loads(done.stdout)
    assert said["second"]["counts"]["kept"] == 1
    assert f"127.0.0.1:{dead}" in said["first"]["error"]
    (line,) = [line for line in done.stderr.splitlines() if "first" in line]
    assert line.startswith("error: style first:")


def test_a_limit_is_said_in_the_counts_and_without_one_a_folder_is_taken_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(tmp_path / "w"))
    get_settings.cache_clear()
    (tmp_path / "captured").mkdir()
    for number in range(5):
        (tmp_path / "captured" / f"{number}.jpg").write_bytes(picture(number))
    catalog = tmp_path / "catalog.yaml"
    style = "{name: red, category: vest, colour: red, pattern: solid, sources: [{kind: folder, path: captured}]}"
    catalog.write_text(f"styles:\n  - {style}\n")
    assert run(["crawl", str(catalog), "--max-images", "2"]) == 0
    assert capsys.readouterr().out == "red: kept 2, skipped 3 (limit 3)\n"
    assert run(["crawl", str(catalog)]) == 0
    assert capsys.readouterr().out == "red: kept 5\n"
    get_settings.cache_clear()
