"""Training: it learns, ends where it should, goes on exactly after SIGKILL, and recovers or stops when it diverges."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torchvision.models import mobilenet_v2

from fittingroom.domain import MARK
from fittingroom.errors import InputError, MissingInputError, TrainingDiverged, WeightsRejected
from fittingroom.images import encode_png, read_rgb, read_rgba
from fittingroom.registry.weights_card import read_card
from fittingroom.training.progress import Progress, ProgressFile
from fittingroom.translation import train as train_module
from fittingroom.translation.evaluate import evaluate_style
from fittingroom.translation.predict import Translator
from fittingroom.translation.result import StyleTraining
from fittingroom.translation.settings import StyleSettings, preset
from fittingroom.translation.step import CycleGan
from fittingroom.translation.train import train_style
from fittingroom.workspace import write_bytes
from tests.translation.style_builders import GREYS, REDS, TINY, garment, write_garments

SETTINGS = preset("demo").with_overrides(**TINY)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("garments")
    write_garments(root / "source", 24, GREYS)
    write_garments(root / "red", 8, REDS)
    return root / "source", root / "red"


@pytest.fixture(scope="module")
def finished(
    folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[StyleTraining, list[Progress]]:
    events: list[Progress] = []
    out = tmp_path_factory.mktemp("finished")
    return train_style("red-solid", folders[0], folders[1], out, SETTINGS, events.append, device="cpu"), events


def same(first: Path, second: Path) -> bool:
    one, two = load_file(str(first)), load_file(str(second))
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_a_training_gives_weights_figures_sheets_and_progress(finished: tuple[StyleTraining, list[Progress]]) -> None:
    result, events = finished
    assert result.steps == 15
    assert result.metrics["pictures"] == 2
    assert 0 <= result.metrics["ciede2000_median"] < 40
    assert result.metrics["leak"] == 0.0
    assert 0 < result.metrics["cycle_error"] < 1
    assert [event.step for event in events] == [2, 4, 6, 8, 10, 12, 14, 15]
    assert events[-1].total_steps == 15
    assert (events[-1].epoch, events[-1].total_epochs) == (3, 3)
    assert set(events[-1].values) >= {"generators", "cycle", "discriminator_b"}
    assert list(ProgressFile(result.weights.parent / "progress.jsonl").read()) == events
    assert [sheet.name for sheet in result.sheets] == ["step-000000010.png", "step-000000015.png"]
    assert read_rgb(result.sheets[0]).shape[1] > 64 * 2


def test_weights_rebuild_the_network_and_turn_a_garment_red(finished: tuple[StyleTraining, list[Progress]]) -> None:
    translator = Translator.load(finished[0].weights, "cpu")
    assert translator.settings == SETTINGS
    image, mask = garment(99, (60, 120, 70))
    red = translator.translate(image, mask)
    assert red.dtype == np.uint8
    assert np.array_equal(red[~mask], image[~mask])
    r, g, b = red[mask].mean(0)
    assert r > 2 * g
    assert r > 2 * b
    assert np.array_equal(red, translator.translate(image, mask))
    assert np.array_equal(translator.translate_batch([image, image], [mask, mask])[1], red) or (
        np.abs(translator.translate_batch([image, image], [mask, mask])[1].astype(int) - red).max() <= 1
    )
    with pytest.raises(InputError, match="64"):
        translator.translate(image[:32], mask[:32])


def test_what_only_the_training_can_measure_is_told_by_its_weights(
    finished: tuple[StyleTraining, list[Progress]], folders: tuple[Path, Path]
) -> None:
    report = evaluate_style(finished[0].weights, sorted(folders[0].iterdir())[:3], device="cpu")
    assert report.metrics["cycle_error"] == finished[0].metrics["cycle_error"]
    assert any("generator_a_to_b alone" in note for note in report.notes)


def test_a_training_ends_with_the_distance_to_the_styles_pictures(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    backbone = tmp_path / "mobilenet_v2.safetensors"
    save_file(mobilenet_v2().state_dict(), str(backbone))
    write_garments(tmp_path / "source", 40, GREYS)
    settings = SETTINGS.with_overrides(held_out=4, epochs=1, steps_per_epoch=2)
    where = (tmp_path / "source", folders[1], tmp_path / "out", settings)
    result = train_style("red-solid", *where, device="cpu", kid_weights=backbone)
    assert "kid_mobilenet_v2" in result.metrics
    assert Translator.load(result.weights, "cpu").info["metrics"] == result.metrics


def test_the_weights_say_what_world_they_learnt_from(
    finished: tuple[StyleTraining, list[Progress]], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    """Drawn on one side is drawn: such a generator has seen no photo, or aims at none."""
    assert read_card(finished[0].weights).domain == "photo"
    for path in folders[1].glob("*.png"):
        write_bytes(tmp_path / "drawn" / path.name, encode_png(read_rgba(path), comment=MARK))
    settings = SETTINGS.with_overrides(epochs=1)
    drawn = train_style("red-solid", folders[0], tmp_path / "drawn", tmp_path / "out", settings, device="cpu")
    assert read_card(drawn.weights).domain == "rendered"


def test_white_on_white_is_coloured_too(finished: tuple[StyleTraining, list[Progress]]) -> None:
    translator = Translator.load(finished[0].weights, "cpu")
    image, mask = garment(5, (255, 255, 255))
    image[mask] = np.maximum(image[mask], 235)
    red = translator.translate(image, mask)
    assert red[mask].mean(0)[0] > 2 * red[mask].mean(0)[1]


def test_damaged_or_foreign_weights_are_refused(finished: tuple[StyleTraining, list[Progress]], tmp_path: Path) -> None:
    data = finished[0].weights.read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(WeightsRejected):
        Translator.load(tmp_path / "cut.safetensors", "cpu")
    with pytest.raises(MissingInputError):
        Translator.load(tmp_path / "none.safetensors", "cpu")


def test_the_same_training_again_returns_at_once(
    finished: tuple[StyleTraining, list[Progress]], folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_module, "CycleGan", None)  # nothing may be built
    again = train_style("red-solid", folders[0], folders[1], finished[0].weights.parent, SETTINGS, device="cpu")
    assert again.already_done
    assert again.metrics == finished[0].metrics
    assert again.weights == finished[0].weights


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    finished: tuple[StyleTraining, list[Progress]], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    again = train_style("red-solid", folders[0], folders[1], tmp_path / "again", SETTINGS, device="cpu")
    assert same(again.weights, finished[0].weights)
    other_settings = SETTINGS.with_overrides(seed=1)
    # In the folder of the first: other settings start anew instead of going on.
    other = train_style("red-solid", folders[0], folders[1], tmp_path / "again", other_settings, device="cpu")
    assert not other.already_done
    assert other.steps == 15
    assert not same(other.weights, finished[0].weights)


class Stop(Exception):
    pass


@pytest.mark.parametrize("stop_at", [4, 10, 14])  # at a checkpoint, at an epoch's end, and between both
def test_a_stopped_training_ends_with_the_same_weights(
    finished: tuple[StyleTraining, list[Progress]], folders: tuple[Path, Path], tmp_path: Path, stop_at: int
) -> None:
    def stop(progress: Progress) -> None:
        if progress.step == stop_at:
            raise Stop

    with pytest.raises(Stop):
        train_style("red-solid", folders[0], folders[1], tmp_path, SETTINGS, stop, device="cpu")
    events: list[Progress] = []
    result = train_style("red-solid", folders[0], folders[1], tmp_path, SETTINGS, events.append, device="cpu")
    assert events[0].step > 1
    assert events[0].step <= stop_at
    assert same(result.weights, finished[0].weights)


def test_killed_by_sigkill_and_started_again(folders: tuple[Path, Path], tmp_path: Path) -> None:
    longer = TINY | {"epochs": 8}
    job: dict[str, Any] = {
        "name": "red-solid",
        "source": str(folders[0]),
        "target": str(folders[1]),
        "out": str(tmp_path / "killed" / "out"),
        "settings": longer,
        "preset": "demo",
        "device": "cpu",
    }
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / "job.json").write_text(json.dumps(job))

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "fittingroom.translation.train", str(tmp_path / "killed" / "job.json")]
        threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}  # sums are ordered by thread
        return subprocess.Popen(command, cwd=Path(__file__).resolve().parents[2], env=os.environ | threads)

    victim = start()
    deadline = time.monotonic() + 120
    checkpoints = tmp_path / "killed" / "out" / "checkpoints"
    while not list(checkpoints.glob("step-0000000[1-9]?")):
        assert victim.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "out" / "weights.safetensors").exists()
    before = len(list(ProgressFile(tmp_path / "killed" / "progress.jsonl").read()))
    again = start()
    settings = preset("demo").with_overrides(**longer)
    whole = train_style("red-solid", folders[0], folders[1], tmp_path / "whole", settings, device="cpu")
    assert again.wait() == 0
    resumed = list(ProgressFile(tmp_path / "killed" / "progress.jsonl").read())[before:]
    assert resumed[0].step > 10  # it did not begin at the beginning
    assert resumed[-1].step == 40
    assert same(whole.weights, tmp_path / "killed" / "out" / "weights.safetensors")
    outcome = json.loads((tmp_path / "killed" / "result.json").read_text())
    assert outcome["result"]["steps"] == 40


class NonFinite:
    """Makes the losses of some steps not a number."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, first: int, times: int) -> None:
        self.left, self.first, self.rates = times, first, []  # type: ignore[var-annotated]
        original = CycleGan.step

        def step(model: CycleGan, a: Any, b: Any, number: int, with_identity: bool) -> torch.Tensor:
            losses = original(model, a, b, number, with_identity)
            self.rates.append((number, model.optimizer_g.param_groups[0]["lr"]))
            if number == self.first and self.left:
                self.left -= 1
                losses = losses * float("nan")
            return losses

        monkeypatch.setattr(CycleGan, "step", step)


def test_a_non_finite_loss_goes_back_once_with_a_lower_rate(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = NonFinite(monkeypatch, first=9, times=1)
    events: list[Progress] = []
    result = train_style("red-solid", folders[0], folders[1], tmp_path, SETTINGS, events.append, device="cpu")
    assert result.steps == 15
    assert [event.message for event in events if event.message] == [
        "the loss stopped being finite near step 10; back to step 8 at 0.5 x rate"
    ]
    rates = [rate for number, rate in broken.rates if number == 9]
    assert rates[1] == pytest.approx(0.5 * rates[0])


def test_a_second_non_finite_loss_is_a_clear_stop(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    NonFinite(monkeypatch, first=9, times=2)
    with pytest.raises(TrainingDiverged, match="red-solid"):
        train_style("red-solid", folders[0], folders[1], tmp_path, SETTINGS, device="cpu")
    assert not (tmp_path / "weights.safetensors").exists()


def test_warm_start_begins_where_the_other_style_ended(
    finished: tuple[StyleTraining, list[Progress]], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    short = SETTINGS.with_overrides(epochs=1, steps_per_epoch=1, learning_rate=1e-8, ema_decay=0.0)
    warm = train_style("red-two", folders[0], folders[1], tmp_path / "w", short, None, finished[0].weights, "cpu")
    first, second = load_file(str(finished[0].weights)), load_file(str(warm.weights))
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, rtol=0, atol=1e-5)
    with pytest.raises(WeightsRejected):
        train_style(
            "red-three", folders[0], folders[1], tmp_path / "x", short.with_overrides(filters=8), None,
            finished[0].weights, "cpu",
        )  # fmt: skip
    with pytest.raises(MissingInputError):
        train_style("red-four", folders[0], folders[1], tmp_path / "y", short, None, tmp_path / "none", "cpu")


def test_bad_input_is_refused_before_anything_is_written(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        train_style("red-solid", folders[0], tmp_path / "none", tmp_path / "out", SETTINGS)
    with pytest.raises(InputError, match="style"):
        train_style("Red Solid", folders[0], folders[1], tmp_path / "out", SETTINGS)
    assert not (tmp_path / "out").exists()


def test_identity_steps_are_the_ones_asked_for(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    original = CycleGan.step

    def step(model: CycleGan, a: Any, b: Any, number: int, with_identity: bool) -> torch.Tensor:
        losses = original(model, a, b, number, with_identity)
        assert (float(losses[3]) > 0) == with_identity
        if with_identity:
            asked.append(number)
        return losses

    monkeypatch.setattr(CycleGan, "step", step)
    train_style("red-solid", folders[0], folders[1], tmp_path, SETTINGS, device="cpu")
    assert asked == [3, 6, 9, 12, 15]


@pytest.mark.parametrize("name", ["recipe", "standard"])
def test_the_big_presets_train_by_the_same_code(folders: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    small = {key: TINY[key] for key in TINY if key not in ("reverse_filters", "reverse_blocks")}
    settings: StyleSettings = preset(name).with_overrides(**small | {"epochs": 1, "steps_per_epoch": 2})
    result = train_style("red-solid", folders[0], folders[1], tmp_path, settings, device="cpu")
    assert Translator.load(result.weights, "cpu").size == 64


def test_augmented_discriminators_train_and_keep_the_mask_with_the_picture(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    settings = SETTINGS.with_overrides(augment_discriminators=True, epochs=1)
    assert train_style("red-solid", folders[0], folders[1], tmp_path, settings, device="cpu").steps == 5
