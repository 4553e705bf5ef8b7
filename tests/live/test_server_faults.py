"""The server goes away in mid-run and comes back, or stays away; trainings, and retrainings, start twice at once."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from deployments.server import LocalServer
from fittingroom.registry.registry import Registry, style_model
from fittingroom.workspace import Workspace
from tests.live.live_world import STYLE, TINY_STYLE, World
from tests.live.processes import SECONDS, environment_of, run_flow, start_flow, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]


def test_the_server_is_killed_and_started_again_in_mid_run(prepared: World, tmp_path: Path) -> None:
    world = prepared.copy(tmp_path / "copy")
    own = LocalServer(Workspace(tmp_path / "server"), port=0).launch().wait()
    port = int(own.api_url.rsplit(":", 1)[1].split("/")[0])
    try:
        environment = environment_of(world.workspace, own.api_url)
        process = start_flow("train-style", world.training(), environment)
        progress = world.workspace.training(style_model(STYLE)) / "progress.jsonl"
        wait_until(lambda: progress.exists() or process.poll() is not None, "the training is on its way")
        assert own.pid is not None
        os.kill(own.pid, signal.SIGKILL)
        own.stop()
        time.sleep(5)
        own = LocalServer(Workspace(tmp_path / "server"), port=port).launch().wait()
        assert own.api_url == environment["PREFECT_API_URL"], "it is where it was"
        said = process.communicate(timeout=SECONDS)[0]
        assert process.returncode in (0, 1), said
        assert "style-crimson" in said
    finally:
        own.stop()
    assert len(Registry(world.workspace).versions(style_model(STYLE))) == 1


def test_the_server_is_killed_for_good_in_mid_run(server: str, prepared: World, tmp_path: Path) -> None:
    world = prepared.copy(tmp_path / "copy")
    own = LocalServer(Workspace(tmp_path / "server"), port=0).launch().wait()
    try:
        process = start_flow("train-style", world.training(), environment_of(world.workspace, own.api_url))
        progress = world.workspace.training(style_model(STYLE)) / "progress.jsonl"
        wait_until(lambda: progress.exists() or process.poll() is not None, "the training is on its way")
        assert own.pid is not None
        os.kill(own.pid, signal.SIGKILL)
    finally:
        own.stop()
    said = process.communicate(timeout=SECONDS)[0]
    assert process.returncode == 1, said
    assert said.splitlines()[-1].startswith("error: the Prefect server of this run does not answer any more"), said
    assert "Traceback" not in said
    assert "failed to process" not in said
    steps = progress.read_text().splitlines()
    again = run_flow("train-style", world.training(), environment_of(world.workspace, server))
    assert "gate" in again.stderr, "as tiny a model passes none"
    assert progress.read_text().splitlines()[: len(steps)] == steps, "nothing is trained a second time"
    assert len(Registry(world.workspace).versions(style_model(STYLE))) == 1


def test_two_trainings_of_one_style_at_once_make_one_version(server: str, prepared: World, tmp_path: Path) -> None:
    world = prepared.copy(tmp_path / "copy")
    environment = environment_of(world.workspace, server)
    both = [start_flow("train-style", world.training(), environment) for _ in range(2)]
    said = [process.communicate(timeout=SECONDS)[0] for process in both]
    assert {process.returncode for process in both} <= {0, 1}, said
    folder = world.workspace.training(style_model(STYLE))
    steps = [line.split(",")[0] for line in (folder / "progress.jsonl").read_text().splitlines()]
    assert len(steps) == len(set(steps)), "one of them trained, the other one waited"
    assert len(Registry(world.workspace).versions(style_model(STYLE))) == 1


def test_a_retraining_started_twice_trains_each_style_once(server: str, prepared: World, tmp_path: Path) -> None:
    world = prepared.copy(tmp_path / "copy")
    environment = environment_of(world.workspace, server)
    parameters = {"catalog": world.catalog, "preset": "demo", "device": "cpu", "settings": TINY_STYLE | {"epochs": 1}}
    both = [start_flow("retrain-styles", parameters, environment) for _ in range(2)]
    said = [process.communicate(timeout=SECONDS)[0] for process in both]
    assert {process.returncode for process in both} <= {0, 1}, said
    registry = Registry(world.workspace)
    for style in ("crimson", "blue-solid"):
        assert [version.version for version in registry.versions(style_model(style))] == [1]
