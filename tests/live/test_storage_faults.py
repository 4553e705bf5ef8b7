"""Storage that fails for a while heals by itself; storage that cannot be used is said in one line before any work."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from deployments.server import LocalServer, free_port
from fittingroom.registry.registry import Registry, style_model
from fittingroom.workspace import Workspace
from tests.live.live_world import STYLE, STYLES, World, build_world
from tests.live.processes import SECONDS, environment_of, records, run_flow, start_flow, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]


@contextmanager
def tmpfs(folder: Path, options: str) -> Iterator[Callable[[str], None]]:
    """A small file system of its own; gives a function that mounts it anew with other options."""
    folder.mkdir(parents=True, exist_ok=True)

    def mount(wanted: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", wanted, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"a file system cannot be mounted here (root is needed): {done.stderr.strip()}")

    mount(options)
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def locked_for(database: Path, seconds: float) -> threading.Thread:
    """Hold an SQLite file's write lock for a while, from a thread."""
    holding = threading.Event()

    def hold() -> None:
        with sqlite3.connect(database, timeout=60, isolation_level=None) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            holding.set()
            time.sleep(seconds)
            connection.execute("ROLLBACK")

    thread = threading.Thread(target=hold)
    thread.start()
    assert holding.wait(60)
    return thread


def test_the_registry_and_prefects_database_are_locked_for_a_while(trained: World, tmp_path: Path) -> None:
    world = trained.copy(tmp_path / "copy")
    with LocalServer(Workspace(tmp_path / "server"), port=0) as own:
        own.wait()
        holders = [locked_for(next(world.workspace.registry.glob("*.db")), 20)]
        holders.append(locked_for(own.workspace.prefect_home / "prefect.db", 10))
        done = run_flow(
            "try-on", {"persons": world.persons, "device": "cpu"}, environment_of(world.workspace, own.api_url)
        )
        assert done.returncode in (0, 1), done.stderr
        assert f"in {STYLE}" in done.stdout + done.stderr
        for holder in holders:
            holder.join()


@contextmanager
def nearly_full_disk(server: str, root: Path, room: int) -> Iterator[tuple[World, Path]]:
    """A crawled world whose workspace is a disk of its own with ``room`` bytes left; and the file that fills it."""
    world = build_world(root, pictures=12)
    with tmpfs(world.workspace.root, "size=24m"):
        crawled = run_flow("crawl-garments", {"catalog": world.catalog}, environment_of(world.workspace, server))
        assert crawled.returncode == 0, crawled.stderr
        ballast = world.workspace.root / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            for _ in range(24 * 16):
                file.write(os.urandom(65_536))
        assert shutil.disk_usage(world.workspace.root).free < 65_536
        os.truncate(ballast, ballast.stat().st_size - room)
        yield world, ballast


ENOUGH_TO_BEGIN_WITH = 524_288
"""Bytes: the cut-outs and a part of the pictures made of them fit."""


def test_a_full_disk_is_waited_for(server: str, tmp_path: Path) -> None:
    with nearly_full_disk(server, tmp_path / "world", ENOUGH_TO_BEGIN_WITH) as (world, ballast):
        process = start_flow("prepare-garments", {"shard_size": 4}, environment_of(world.workspace, server))
        waiting = Waiting(process)
        wait_until(lambda: "no space left" in waiting.said or process.poll() is not None, "the disk is full", every=0.1)
        assert process.poll() is None, waiting.said
        ballast.unlink()
        assert process.wait(SECONDS) == 0, waiting.said
        for style in STYLES:
            assert len(list(world.workspace.prepared(style).glob("*.png"))) == 24


NOT_FOR_LONG = "from tasks.retrying import RETRYING; RETRYING['retry_delay_seconds'] = [0.1, 0.1, 0.1, 0.1]"
"""What makes a flow give a full disk a second instead of minutes."""


def test_a_disk_that_stays_full_ends_a_run_in_one_line_and_the_next_one_goes_on(server: str, tmp_path: Path) -> None:
    with nearly_full_disk(server, tmp_path / "world", ENOUGH_TO_BEGIN_WITH) as (world, ballast):
        environment = environment_of(world.workspace, server)
        parameters = {"shard_size": 4}
        ended = run_flow("prepare-garments", parameters, environment, first=NOT_FOR_LONG)
        assert ended.returncode == 1, ended.stderr
        errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, ended.stderr
        assert errors[0].startswith(f"error: no space left on the disk of {world.workspace.root}")
        assert "Traceback" not in ended.stderr
        done = records(world.workspace)
        assert any(name.startswith("cut-out") for name in done)
        assert all(json.loads((world.workspace.cache / name).read_bytes()) for name in done), "each of them is whole"

        again = run_flow("prepare-garments", parameters, environment, first=NOT_FOR_LONG)
        assert again.returncode == 1, "still full, still said"
        ballast.unlink()
        finished = run_flow("prepare-garments", parameters, environment)
        assert finished.returncode == 0, finished.stderr
        after = records(world.workspace)
        assert {name: after.get(name) for name in done} == done, "nothing that was complete was done again"
        for style in STYLES:
            assert len(list(world.workspace.prepared(style).glob("*.png"))) == 24


class Waiting:
    """What a process says, as it says it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.said = ""
        self._process = process
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said += line


def test_a_read_only_workspace_is_refused_in_one_line(server: str, tmp_path: Path) -> None:
    world = build_world(tmp_path / "world", pictures=1)
    with tmpfs(world.workspace.root, "size=1m") as mount:
        mount("remount,ro")
        done = run_flow("crawl-garments", {"catalog": world.catalog}, environment_of(world.workspace, server))
    assert done.returncode == 2
    assert done.stderr.strip().startswith("error: workspace")
    assert "cannot be written: read-only file system" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def start_mlflow(root: Path, port: int) -> subprocess.Popen[bytes]:
    options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    options += [
        "--backend-store-uri",
        f"sqlite:///{root / 'mlflow.db'}",
        "--artifacts-destination",
        str(root / "files"),
    ]
    with (root / "mlflow.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *options],
            env={**os.environ, "DO_NOT_TRACK": "true"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def test_the_registry_server_is_away_for_a_minute(server: str, trained: World, tmp_path: Path) -> None:
    world, port = trained.copy(tmp_path / "copy"), free_port()
    address = f"http://127.0.0.1:{port}"
    environment = environment_of(world.workspace, server, FITTINGROOM_TRACKING_URI=address)
    mlflow = start_mlflow(tmp_path, port)
    try:
        wait_until(lambda: healthy(port), "MLflow answers", every=0.5)
        # The training comes from the cache; only registering is left to do, at a server that knows nothing yet.
        process = start_flow("train-style", world.training(), environment)
        waiting = Waiting(process)
        wait_until(
            lambda: "train style" in waiting.said or process.poll() is not None, "the training is done", every=0.1
        )
        os.killpg(mlflow.pid, signal.SIGKILL)
        mlflow.wait()
        time.sleep(60)
        assert process.poll() is None, waiting.said
        mlflow = start_mlflow(tmp_path, port)
        assert process.wait(SECONDS) in (0, 1), waiting.said
    finally:
        os.killpg(mlflow.pid, signal.SIGKILL)
        mlflow.wait()
    assert "AwaitingRetry" in waiting.said or "Retry" in waiting.said or "retry" in waiting.said
    assert "style-crimson" in waiting.said
    database = sqlite3.connect(tmp_path / "mlflow.db")
    assert database.execute("select count(*) from model_versions").fetchone() == (1,)


@pytest.mark.skipif(not shutil.which("faketime"), reason="not installed: faketime (apt-get install faketime)")
def test_a_clock_set_back_makes_nothing_run_again(server: str, trained: World, tmp_path: Path) -> None:
    world = trained.copy(tmp_path / "copy")
    environment = environment_of(world.workspace, server)
    before = records(world.workspace)
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    yesterday = {**environment, "LD_PRELOAD": str(library), "FAKETIME": "-1d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    for name, parameters in (("prepare-garments", {}), ("train-style", world.training())):
        done = run_flow(name, parameters, yesterday)
        assert done.returncode in (0, 1), done.stderr
    assert records(world.workspace) == before
    versions = Registry(world.workspace).versions(style_model(STYLE))
    assert len(versions) == 1


def test_json_of_the_progress_is_whole(trained: World) -> None:
    """Whatever was killed before, each line of a progress file is one event."""
    path = trained.workspace.training(style_model(STYLE)) / "progress.jsonl"
    steps = [json.loads(line)["step"] for line in path.read_text().splitlines()]
    assert steps == sorted(set(steps))
