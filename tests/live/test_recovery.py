"""``fittingroom serve`` is killed in each order in mid-training: the training resumes by itself, without a person."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from fittingroom.registry.registry import Registry, style_model
from tests.live.live_world import STYLE, World
from tests.live.processes import wait_until
from tests.live.serving import Serving, kill

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

SECONDS = 120.0
"""A training has to go on this long after a restart at the latest."""
STEPS = 400
SLOW = {"epochs": 4, "steps_per_epoch": STEPS // 4, "checkpoint_steps": 10}


@pytest.fixture
def serving(prepared: World, tmp_path: Path) -> Any:
    found = Serving(prepared.copy(tmp_path / "copy"))
    try:
        wait_until(lambda: found.ready() or found.process.poll() is not None, "it serves", every=0.5)
        assert found.process.poll() is None, found.log.read_text()
        yield found
    finally:
        found.end()


def states(serving: Serving) -> dict[str, str]:
    return serving.states("train-style")


def ended(serving: Serving) -> bool:
    return bool({"Completed", "Failed"} & set(states(serving).values()))


def in_mid_training(serving: Serving) -> str:
    workspace = str(serving.world.workspace.root)
    run = serving.run("train-style", workspace=workspace, **serving.world.training(**SLOW))
    wait_until(lambda: serving.checkpoints(STYLE) >= 2 or ended(serving), "the training is on its way", every=0.1)
    assert states(serving)[run] == "Running", states(serving)
    return run


def it_resumes_and_ends(serving: Serving, run: str, since: float) -> None:
    """The training is further than it was, in time, and comes to its end: one version, no run left behind."""
    before = serving.step(STYLE)
    wait_until(
        lambda: serving.step(STYLE) > before, "the training goes on", SECONDS - (time.monotonic() - since), every=0.2
    )
    wait_until(lambda: ended(serving), "it is trained", every=1)
    wait_until(lambda: "Running" not in states(serving).values(), "all have ended", 30, every=1)
    came = states(serving)
    assert sorted(set(came.values())) in (["Completed"], ["Completed", "Crashed"]), came
    assert len(Registry(serving.world.workspace).versions(style_model(STYLE))) == 1
    limits = serving.ask("v2/concurrency_limits/filter", {})
    assert all(limit["active_slots"] == 0 for limit in limits), "no dead run holds a place"
    assert run in came


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
    assert states(serving)[run] == "Crashed"
    assert "is gone: it is started again" in serving.log.read_text()


def test_the_run_alone_is_killed(serving: Serving) -> None:
    run = in_mid_training(serving)
    kill(serving.engines())
    it_resumes_and_ends(serving, run, time.monotonic())
    assert states(serving)[run] == "Crashed"


def test_the_server_alone_is_killed(serving: Serving) -> None:
    run = in_mid_training(serving)
    url = serving.url()
    os.kill(serving.server(), signal.SIGKILL)
    since = time.monotonic()
    wait_until(lambda: serving.step(STYLE) >= STEPS or serving.ready(), "the server is there again", SECONDS, every=0.5)
    assert serving.url() == url, "where it was"
    wait_until(serving.ready, "the server is there again", SECONDS, every=0.5)
    it_resumes_and_ends(serving, run, since - 1) if serving.step(STYLE) < STEPS else wait_until(
        lambda: ended(serving), "it ends"
    )
    assert states(serving) == {run: "Completed"}, "the run never noticed"


def test_serve_is_killed_and_its_run_lives_on(serving: Serving) -> None:
    run = in_mid_training(serving)
    serving.process.kill()
    serving.process.wait()
    wait_until(lambda: not Path(f"/proc/{serving.server()}").exists(), "its server has ended with it", 30, every=0.1)
    serving.start()
    wait_until(serving.ready, "it serves again", SECONDS, every=0.5)
    wait_until(lambda: ended(serving), "it is trained", every=1)
    assert len(Registry(serving.world.workspace).versions(style_model(STYLE))) == 1
    assert set(states(serving).values()) <= {"Completed", "Crashed"}
    assert run in states(serving)
