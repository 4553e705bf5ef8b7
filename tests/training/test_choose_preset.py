"""``auto`` is the preset that fits the machine; the command line and the flows take it by default and say which."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fittingroom import train_and_admit
from fittingroom.cli import run
from fittingroom.datasets import PICTURES
from fittingroom.errors import SettingError
from fittingroom.images import write_png
from fittingroom.settings import get_settings
from fittingroom.training.device import choose_preset
from fittingroom.training.progress import Listener, Progress
from fittingroom.translation.settings import StyleSettings
from fittingroom.translation.settings import preset as style_preset
from fittingroom.workspace import write_json
from flows import parameters as flow_parameters


@pytest.mark.parametrize(("gpu", "device", "preset"), [
    (False, "auto", "cpu"), (True, "auto", "standard"), (True, "cpu", "cpu"), (True, "cuda", "standard"),
])  # fmt: skip
def test_auto_goes_by_the_device(gpu: bool, device: str, preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_preset("auto", device) == preset
    assert choose_preset("demo", device) == "demo"


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingError, match="device"):
        choose_preset("auto", "cuda")


@pytest.mark.parametrize("name", ["Lifecycle", "Retrain", "TrainSegmenter", "TrainStyle", "RegisterStyle"])
def test_flows_take_it_by_default(name: str) -> None:
    assert getattr(flow_parameters, f"{name}Parameters").model_fields["preset"].default == "auto"


def test_the_command_line_says_which_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(tmp_path / "w"))
    monkeypatch.setenv("FITTINGROOM_DEVICE", "cpu")
    get_settings.cache_clear()
    try:
        (tmp_path / "none").mkdir()
        folder = str(tmp_path / "none")
        train = ["train", "style", "red", "--source", folder, "--target", folder, "--no-register"]
        assert run(train) == 2
        assert "preset" not in capsys.readouterr().err, "nothing begins"
        for number in range(4):
            write_png(tmp_path / "none" / f"{number}.png", np.full((8, 8, 4), 255, np.uint8))
        presets = []

        def begin(_: str, out: Path, job: dict[str, Any], listener: Listener, __: int | None) -> dict[str, Any]:
            presets.append(StyleSettings.from_json(job["settings"]))
            listener(Progress(1, 2, 1, 1, {}))
            listener(Progress(2, 2, 1, 1, {}))
            nothing: dict[str, list[str]] = {"learnt_from": [], "held_out": [], "left_out": []}
            write_json(out / PICTURES, {"source": nothing, "target": nothing})
            return {"weights": str(out / "weights"), "metrics": {}}

        monkeypatch.setattr(train_and_admit, "run_job", begin)
        assert run(train) == 0
        assert capsys.readouterr().err == "preset cpu: this machine has no GPU\n"
        assert run([*train, "--preset", "demo"]) == 0
        assert "preset" not in capsys.readouterr().err
        assert presets == [style_preset("cpu"), style_preset("demo")]
    finally:
        get_settings.cache_clear()
