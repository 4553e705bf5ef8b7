"""``fittingroom serve`` is killed in each order in mid-training: the training resumes by itself, without a person."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest
from live_world import STYLE, World
from processes import ON_ONE_CORE, environment_of, wait_until

from deployments.environment import STATE
from deployments.server import free_port
from fittingroom.styles.registry import Registry, style_model

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

SECONDS = 120.0
"""A training has to go on this long after a restart at the latest."""
STEPS = 400


class Serving:
    """``fittingroom serve`` in a workspace, with its own server, as a person starts it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.log = world.root / "serve.log"
        self.port = free_port()
        self.start()

    def start(self) -> None:
        environment = environment_of(self.world.workspace, "")
        for name in ("PREFECT_API_URL", "PREFECT_HOME"):
            del environment[name]
        code = ON_ONE_CORE + "from fittingroom.cli import main; main(sys.argv[1:])"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, "serve", "--port", str(self.port)],
                env=environment,
                stdout=log,
                stderr=log,
                cwd=self.world.root,
            )

    def url(self) -> str:
        return str(json.loads((self.world.workspace.prefect_home / STATE).read_text())["api_url"])

    def server(self) -> int:
        return int(json.loads((self.world.workspace.prefect_home / STATE).read_text())["pid"])

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url()}/{path}", data, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)

    def ready(self) -> bool:
        """Whether the automations, which come last, are set up."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            return len(self.automations()) >= 2
        return False

    def automations(self) -> dict[str, str]:
        """Name -> id and the trigger's id."""
        found = self.ask("automations/filter", {})
        return {
            each["name"]: f"{each['id']} {each['trigger']['id']}" for each in found if "Fittingroom" in each["name"]
        }

    def train(self) -> str:
        deployment = self.ask("deployments/name/train-style/train-style")["id"]
        parameters = {"workspace": str(self.world.workspace.root), **self.world.training(**SLOW)}
        return str(self.ask(f"deployments/{deployment}/create_flow_run", {"parameters": parameters})["id"])

    def states(self) -> dict[str, str]:
        """Id -> state of the runs of train-style."""
        runs = self.ask("flow_runs/filter", {"flows": {"name": {"any_": ["train-style"]}}})
        return {run["id"]: run["state_name"] for run in runs}

    def family(self) -> list[psutil.Process]:
        """The processes of serve, its runs and their trainings."""
        return [self.process_, *self.process_.children(recursive=True)]

    @property
    def process_(self) -> psutil.Process:
        return psutil.Process(self.process.pid)

    def engines(self) -> list[psutil.Process]:
        return [each for each in self.process_.children() if each.pid != self.server()]

    def step(self) -> int:
        """The step that the training has come to."""
        progress = self.world.workspace.training(style_model(STYLE)) / "progress.jsonl"
        lines = progress.read_text().splitlines() if progress.exists() else []
        return max((int(json.loads(line)["step"]) for line in lines if line.endswith("}")), default=0)

    def checkpointed(self) -> bool:
        return len(list((self.world.workspace.training(style_model(STYLE)) / "checkpoints").glob("step-*"))) >= 2

    def ended(self) -> bool:
        return "Completed" in self.states().values() or self.failed()

    def failed(self) -> bool:
        return "Failed" in self.states().values()


SLOW = {"epochs": 4, "steps_per_epoch": STEPS // 4, "checkpoint_steps": 10}


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)


@pytest.fixture
def serving(prepared: World, tmp_path: Path) -> Any:
    found = Serving(prepared.copy(tmp_path / "copy"))
    try:
        wait_until(lambda: found.ready() or found.process.poll() is not None, "it serves", every=0.5)
        assert found.process.poll() is None, found.log.read_text()
        yield found
    finally:
        with contextlib.suppress(psutil.Error):
            kill(found.family())
        with contextlib.suppress(OSError, ValueError, KeyError):
            os.kill(found.server(), signal.SIGKILL)


def in_mid_training(serving: Serving) -> str:
    run = serving.train()
    wait_until(lambda: serving.checkpointed() or serving.ended(), "the training is on its way", every=0.1)
    assert serving.states()[run] == "Running", serving.states()
    return run


def it_resumes_and_ends(serving: Serving, run: str, since: float) -> None:
    """The training is further than it was, in time, and comes to its end: one version, no run left behind."""
    before = serving.step()
    wait_until(lambda: serving.step() > before, "the training goes on", SECONDS - (time.monotonic() - since), every=0.2)
    wait_until(serving.ended, "it is trained", every=1)
    wait_until(lambda: "Running" not in serving.states().values(), "all have ended", 30, every=1)
    states = serving.states()
    assert sorted(set(states.values())) in (["Completed"], ["Completed", "Crashed"]), states
    assert len(Registry(serving.world.workspace).versions(style_model(STYLE))) == 1
    limits = serving.ask("v2/concurrency_limits/filter", {})
    assert all(limit["active_slots"] == 0 for limit in limits), "no dead run holds a place"
    assert run in states


def test_all_is_killed_and_serve_started_again(serving: Serving) -> None:
    run = in_mid_training(serving)
    automations = serving.automations()
    kill(serving.family())
    serving.process.wait()
    serving.start()
    since = time.monotonic()
    wait_until(serving.ready, "it serves again", SECONDS, every=0.5)
    assert serving.automations() == automations, "unchanged ones keep their ids"
    it_resumes_and_ends(serving, run, since)
    assert serving.states()[run] == "Crashed"
    assert "is gone: it is started again" in serving.log.read_text()


def test_the_run_alone_is_killed(serving: Serving) -> None:
    run = in_mid_training(serving)
    kill(serving.engines())
    it_resumes_and_ends(serving, run, time.monotonic())
    assert serving.states()[run] == "Crashed"


def test_the_server_alone_is_killed(serving: Serving) -> None:
    run = in_mid_training(serving)
    url = serving.url()
    os.kill(serving.server(), signal.SIGKILL)
    since = time.monotonic()
    wait_until(lambda: serving.step() >= STEPS or serving.ready(), "the server is there again", SECONDS, every=0.5)
    assert serving.url() == url, "where it was"
    wait_until(serving.ready, "the server is there again", SECONDS, every=0.5)
    it_resumes_and_ends(serving, run, since - 1) if serving.step() < STEPS else wait_until(serving.ended, "it ends")
    assert serving.states() == {run: "Completed"}, "the run never noticed"


def test_serve_is_killed_and_its_run_lives_on(serving: Serving) -> None:
    run = in_mid_training(serving)
    serving.process.kill()
    serving.process.wait()
    wait_until(lambda: not Path(f"/proc/{serving.server()}").exists(), "its server has ended with it", 30, every=0.1)
    serving.start()
    wait_until(serving.ready, "it serves again", SECONDS, every=0.5)
    wait_until(serving.ended, "it is trained", every=1)
    assert len(Registry(serving.world.workspace).versions(style_model(STYLE))) == 1
    assert set(serving.states().values()) <= {"Completed", "Crashed"}
    assert run in serving.states()
