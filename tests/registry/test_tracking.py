"""A training's run in MLflow: written while it learns, resumed after a stop, and never in the training's way."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom.errors import StorageUnavailable
from fittingroom.images import write_png
from fittingroom.registry import tracking
from fittingroom.registry.registry import Registry
from fittingroom.registry.tracking import tracked
from fittingroom.training.progress import Progress
from fittingroom.workspace import write_json

SETTINGS = {"epochs": 3, "optimizer": {"lr": 0.1}}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """One for all tests of this file: making the tables takes seconds."""
    return Registry(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(autouse=True)
def written_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "WRITE_SECONDS", 0.05)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_json(tmp_path / "run.json", {"identity": "this training"})
    return tmp_path


def event(step: int, **values: float) -> Progress:
    return Progress(step, 10, 1, 1, values or {"loss": 1.0 / step})


def run_in(folder: Path) -> str:
    return str(tracking._json(folder / tracking.PLACE)["run_id"])


def run_of(registry: Registry, folder: Path) -> Any:
    return registry.track(lambda client, _: client.get_run(run_in(folder)))


def steps_of(registry: Registry, folder: Path, name: str = "loss") -> list[int]:
    return [m.step for m in registry.track(lambda client, _: client.get_metric_history(run_in(folder), name))]


def wait_for(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_curves_sheets_and_settings_are_there_while_it_learns(registry: Registry, folder: Path) -> None:
    with tracked("style-red", folder, SETTINGS, registry) as listen:
        write_png(folder / "samples" / "step-000000001.png", np.zeros((4, 4, 3), np.uint8))
        listen(event(1, loss=2.0, score=float("nan")))
        wait_for((folder / tracking.PLACE).exists)
        wait_for(lambda: steps_of(registry, folder) == [1])
        during = run_of(registry, folder)
        assert during.info.status == "RUNNING"
        assert during.data.params == {"epochs": "3", "optimizer.lr": "0.1"}
        assert during.data.tags["fittingroom.model"] == "style-red"
        write_png(folder / "samples" / "step-000000002.png", np.zeros((4, 4, 3), np.uint8))
        listen(event(2))
    ended = run_of(registry, folder)
    assert ended.info.status == "FINISHED"
    assert ended.data.metrics == {"loss": 0.5}
    assert steps_of(registry, folder) == [1, 2]
    sheets = registry.track(lambda client, _: [a.path for a in client.list_artifacts(run_in(folder), "samples")])
    assert sheets == ["samples/step-000000001.png", "samples/step-000000002.png"]


def test_a_stopped_training_goes_on_in_its_own_run(registry: Registry, folder: Path) -> None:
    def stopped() -> None:
        with tracked("style-red", folder, SETTINGS, registry) as listen:
            listen(event(1))
            raise RuntimeError("the machine went away")

    with pytest.raises(RuntimeError, match="went away"):
        stopped()
    first = run_in(folder)
    assert run_of(registry, folder).info.status == "FAILED"
    with tracked("style-red", folder, SETTINGS, registry) as listen:
        listen(event(2))
    assert run_in(folder) == first
    assert steps_of(registry, folder) == [1, 2]
    assert run_of(registry, folder).info.status == "FINISHED"


def test_another_training_in_the_folder_has_a_run_of_its_own(registry: Registry, folder: Path) -> None:
    runs = []
    for identity in ("this training", "other settings", "other settings"):
        write_json(folder / "run.json", {"identity": identity})
        with tracked("segmenter", folder, SETTINGS, registry) as listen:
            listen(event(1))
        runs.append(run_in(folder))
    assert len(set(runs)) == 3  # the last one had ended: doing it again is another run


def test_one_that_had_ended_before_leaves_no_run(registry: Registry, folder: Path) -> None:
    with tracked("segmenter", folder, SETTINGS, registry) as listen:
        listen(Progress(0, 0, 0, 0, message="another training is at work"))
    assert not (folder / tracking.PLACE).exists()


def test_without_a_registry_nothing_is_written(folder: Path) -> None:
    before = sorted(folder.iterdir())
    with tracked("segmenter", folder, SETTINGS, None) as listen:
        listen(event(1))
    assert sorted(folder.iterdir()) == before
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mlflow ")]


class Away(Registry):
    """A registry that does not answer until it is told to."""

    back = False
    asked = 0

    def track(self, action: Any) -> Any:
        self.asked += 1
        if not self.back:
            raise StorageUnavailable("nobody answers")
        return super().track(action)


def test_a_server_that_is_away_stops_nothing_and_gets_all_once_it_is_back(
    registry: Registry, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    away = Away(folder, registry.uri)
    with (
        caplog.at_level(logging.WARNING, "fittingroom.registry.tracking"),
        tracked("s", folder, SETTINGS, away) as listen,
    ):
        listen(event(1))
        wait_for(lambda: away.asked >= 2)
        listen(event(2))
        away.back = True
        wait_for((folder / tracking.PLACE).exists)
    assert steps_of(registry, folder) == [1, 2]
    assert len(caplog.records) == 1
    assert "nobody answers" in caplog.text


def test_a_server_that_hangs_is_not_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tracking, "CLOSE_SECONDS", 0.1)
    done = threading.Event()
    hangs = Registry(folder)
    monkeypatch.setattr(hangs, "track", lambda _: done.wait(60))
    begun = time.monotonic()
    with tracked("segmenter", folder, SETTINGS, hangs) as listen:
        listen(event(1))
    done.set()
    assert time.monotonic() - begun < 30
    assert "no answer" in caplog.text
