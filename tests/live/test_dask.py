"""Shards in the processes of a Dask cluster: they give what they give in threads; a crawl stays out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fittingroom.images import encode_jpeg
from fittingroom.manifest import Manifest
from fittingroom.sample.deepfashion2_set import render_deepfashion2_set
from fittingroom.workspace import Workspace
from tests.live.live_world import STYLE, STYLES, World, shirt
from tests.live.processes import environment_of, run_flow

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]  # not faults, but as long as those
DASK = {"FITTINGROOM_DASK": "local:2"}


def contents(folder: Path, pattern: str = "*") -> dict[str, bytes]:
    """Relative path -> bytes of every file."""
    files = [path for path in folder.rglob(pattern) if path.is_file() and not path.name.startswith(".")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def run_under_dask(name: str, parameters: dict[str, Any], workspace: Workspace, server: str) -> None:
    done = run_flow(name, parameters, environment_of(workspace, server, **DASK))
    assert done.returncode == 0, done.stderr
    assert "dask" in done.stderr.lower() + done.stdout.lower()


def test_cut_out_and_prepare(server: str, prepared: World, tmp_path: Path) -> None:
    world = prepared.copy(tmp_path / "copy")
    pictures = world.workspace.prepared(STYLE)
    wanted = contents(pictures, "*.png")
    for record in world.workspace.cache.glob("*"):
        if record.name.startswith(("cut-out", "prepare")):
            record.unlink()
    for path in (*world.workspace.cutouts(STYLE).glob("*"), *pictures.glob("*")):
        path.unlink()
    run_under_dask("prepare-garments", {"shard_size": 2}, world.workspace, server)
    assert contents(pictures, "*.png") == wanted
    records = sorted(p.name for p in world.workspace.cache.glob("prepare-*"))
    assert records, "records lie in the workspace, whichever process wrote them"
    again = run_flow("prepare-garments", {"shard_size": 2}, environment_of(world.workspace, server))
    assert again.returncode == 0
    assert sorted(p.name for p in world.workspace.cache.glob("prepare-*")) == records, "done without Dask too"


def test_convert_annotations(server: str, tmp_path: Path) -> None:
    source = render_deepfashion2_set(tmp_path / "df2", 12, 0, height=172, width=128)
    parameters = {"source": source, "train": 6, "validation": 3, "shard_size": 3}
    here, there = Workspace(tmp_path / "here"), Workspace(tmp_path / "there")
    assert run_flow("convert-annotations", parameters, environment_of(here, server)).returncode == 0
    run_under_dask("convert-annotations", parameters, there, server)
    assert len(list(there.cache.glob("scan-annotations-*"))) > 1, "several shards"
    assert contents(there.dataset("garments")) == contents(here.dataset("garments"))


def test_try_ons(server: str, trained: World, tmp_path: Path) -> None:
    here, there = trained.copy(tmp_path / "here"), trained.copy(tmp_path / "there")
    parameters = {"styles": STYLE, "shard_size": 1, "device": "cpu"}
    done = run_flow("try-on-batch", {**parameters, "persons": here.persons}, environment_of(here.workspace, server))
    assert done.returncode == 0, done.stderr
    run_under_dask("try-on-batch", {**parameters, "persons": there.persons}, there.workspace, server)
    pictures = contents(there.workspace.tryon, "*.png")
    assert len(pictures) >= 2
    assert pictures == contents(here.workspace.tryon, "*.png")


class Shop(ThreadingHTTPServer):
    """Serves ``/<style>/<number>.jpg`` and writes down what it was asked for, and when."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Counter)
        self.asked: list[tuple[float, str]] = []

    @property
    def netloc(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Counter(BaseHTTPRequestHandler):
    server: Shop

    def do_GET(self) -> None:
        self.server.asked.append((time.monotonic(), self.path))
        picture = self.path.endswith(".jpg")
        body = b""
        if picture:
            _, style, name = self.path.split("/")
            body = encode_jpeg(shirt(int(name.removesuffix(".jpg")), STYLES[style]))
        self.send_response(200 if picture else 404)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Not to stderr."""


@contextmanager
def shops(count: int) -> Iterator[list[Shop]]:
    with ExitStack() as stack:
        found = [stack.enter_context(Shop()) for _ in range(count)]
        for shop in found:
            threading.Thread(target=shop.serve_forever, daemon=True).start()
            stack.callback(shop.shutdown)
        yield found


def write_catalog(root: Path, lists: dict[str, tuple[str, Shop]], pictures: int) -> Path:
    """Styles by name, each with a list of a shop's pictures of another style's garments."""
    root.mkdir(parents=True, exist_ok=True)
    lines = ["styles:"]
    for name, (kind, shop) in lists.items():
        urls = [f"http://{shop.netloc}/{kind}/{number}.jpg" for number in range(pictures)]
        (root / f"{name}.txt").write_text("\n".join(urls) + "\n")
        lines += [f"  - name: {name}", "    category: short sleeve top", f"    colour: {kind.split('-')[0]}"]
        lines += ["    pattern: solid", f"    sources: [{{kind: urls, path: {name}.txt}}]"]
    path = root / "catalog.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_crawl_stays_in_one_process(server: str, tmp_path: Path) -> None:
    pictures, delay = 12, 0.2
    with shops(2) as (first, second):
        lists = {"crimson": ("crimson", first), "blue-solid": ("blue-solid", first), "other-red": ("crimson", second)}
        catalog = write_catalog(tmp_path, lists, pictures)
        place = Workspace(tmp_path / "w")
        parameters = {"catalog": catalog, "per_host_delay": delay, "allow_loopback": True}
        done = run_flow("crawl-garments", parameters, environment_of(place, server, **DASK))
        assert done.returncode == 0, done.stderr
        for name in lists:
            assert len(Manifest.read(place.crawl(name) / "manifest.jsonl").kept()) == pictures
        starts = [when for when, _ in first.asked]
        assert starts[-1] - starts[0] > 0.9 * delay * (len(starts) - 1), "at the host's pace, over both styles"
        assert second.asked[0][0] < starts[-1], "another host is not waited for"


def test_a_wrong_address_is_refused_in_one_line(server: str, prepared: World) -> None:
    environment = environment_of(prepared.workspace, server, FITTINGROOM_DASK="lots of machines")
    done = run_flow("prepare-garments", {}, environment)
    assert done.returncode == 2
    assert "FITTINGROOM_DASK: expected a scheduler's address (tcp://host:8786) or local:N" in done.stderr
