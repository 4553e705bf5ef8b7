"""Stand-ins for the trainings and the models of a lifecycle, and a small catalog and photos to run it on."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fittingroom import train_and_admit
from fittingroom.datasets import PICTURES
from fittingroom.errors import TrainingDiverged
from fittingroom.garment import Garment
from fittingroom.images import RGB, write_png
from fittingroom.masks import Mask
from fittingroom.sample.deepfashion2_set import render_deepfashion2_set
from fittingroom.style_card import Lab
from fittingroom.training.progress import Listener, Progress
from fittingroom.training.weights import read_weights, save_weights
from fittingroom.workspace import write_json
from flows.parameters import LifecycleParameters

GOOD = {"ciede2000_median": 4.0, "luminance_ssim": 0.9, "leak": 0.0}
JOBS: list[str] = []
METRICS: dict[str, dict[str, float]] = {}
LISTED = {
    "source": {"learnt_from": ["a.png", "b.png"], "held_out": ["c.png"], "left_out": []},
    "target": {"learnt_from": ["d.png"], "held_out": [], "left_out": [{"picture": "e.png", "reason": "torn"}]},
}


def fake_job(
    module: str, folder: Path, job: Mapping[str, Any], listener: Listener | None = None, threads: int | None = None
) -> dict[str, Any]:
    """What `run_job` gives, without a training."""
    name = str(job.get("name", "segmenter"))
    JOBS.append(name)
    assert threads is not None
    assert threads >= 1
    if name == "diverges":
        raise TrainingDiverged("the loss stopped being finite")
    if listener is not None:
        listener(Progress(1, 2, 1, 1, {"loss": 0.5}))
    kind = "segmenter" if name == "segmenter" else "style"
    assert module == ("fittingroom.segmentation.train" if kind == "segmenter" else "fittingroom.translation.train")
    if kind == "style":
        for source in job["source"]:
            assert list(Path(source).glob("*.png")), f"{source} has nothing to learn to change"
        assert any("people-garments" in source for source in job["source"])
    weights = folder / "weights.safetensors"
    metrics = METRICS.get(name, GOOD)
    info = {"metrics": metrics, "digests": {"source": "s", "target": "t"}}
    save_weights(weights, kind, {"w": torch.zeros(1)}, dict(job["settings"]), info)
    if kind == "style":
        write_json(folder / PICTURES, LISTED)
    return {"weights": str(weights), "metrics": metrics}


class EverythingFinder:
    """Finds one garment in the middle."""

    def find(self, image: RGB, score_threshold: float | None = None) -> list[Garment]:  # noqa: ARG002
        """One square garment."""
        height, width = image.shape[:2]
        mask = np.zeros((height, width), bool)
        mask[height // 4 : height // 2, width // 4 : 3 * width // 4] = True
        return [Garment(1, 0.99, mask)]


class Painter:
    """Paints everything green."""

    size = 256

    def translate(self, image_rgb: RGB, mask: Mask, dyes: Sequence[Lab] | None = None) -> RGB:
        """Green."""
        assert dyes is None
        return np.where(mask[..., None], np.array([20, 160, 40], np.uint8), image_rgb)


class Measured:
    """Any model on any pictures: as its metrics say, the starters a little worse than good."""

    pictures = 3

    def __init__(self, values: Mapping[str, float]) -> None:
        self.values = dict(values)

    def figures(self, picked: Sequence[int] | None = None) -> dict[str, float]:  # noqa: ARG002
        """The same for all pictures."""
        return self.values


def measure_segmenter(weights: Path) -> Measured:
    """The trained one is better than the starter."""
    return Measured({"mask_ap50": 0.7, "largest_iou": 0.7} if "starter" in str(weights) else Judged().metrics())


def measure_style(weights: Path) -> Measured:
    """By the figures that its file carries."""
    return Measured(read_weights(weights, "style").info["metrics"])


class Judged:
    """A segmenter's report."""

    def metrics(self) -> dict[str, float]:
        """Good ones."""
        return {"mask_ap50": 0.9, "mask_ap50_agnostic": 0.9, "largest_iou": 0.9}


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network is trained, none is loaded."""
    import fittingroom.segmentation.evaluate
    import fittingroom.segmentation.held_out
    import fittingroom.segmentation.predict
    import fittingroom.translation.held_out
    import fittingroom.translation.predict

    def load(thing: Any) -> Callable[..., Any]:
        return staticmethod(lambda *_, **__: thing)

    JOBS.clear()
    METRICS.clear()
    monkeypatch.setattr(train_and_admit, "run_job", fake_job)
    monkeypatch.setattr(fittingroom.segmentation.held_out, "measure_segmenter_on", lambda *_: measure_segmenter)
    monkeypatch.setattr(fittingroom.translation.held_out, "held_out_of", lambda *_: measure_style)
    monkeypatch.setattr(fittingroom.segmentation.evaluate, "evaluate_segmenter", lambda *_, **__: Judged())
    monkeypatch.setattr(fittingroom.segmentation.predict.Segmenter, "load", load(EverythingFinder()))
    monkeypatch.setattr(fittingroom.translation.predict.Translator, "load", load(Painter()))


def packshot(number: int) -> RGB:
    """A print of its own on a garment before a plain ground."""
    image = np.full((300, 300, 3), 240, np.uint8)
    image[60:260, 70:230] = (40, 60, 150)
    random = np.random.default_rng(number)
    for _ in range(5):
        x, y = (int(value) for value in random.integers(75, 185, 2))
        image[y : y + 40, x : x + 40] = random.integers(0, 120, 3)
    return image


def write_catalog(root: Path, names: list[str]) -> Path:
    lines = ["styles:"]
    for offset, name in enumerate(names):
        for number in range(5):
            write_png(root / name / f"{number}.png", packshot(100 * offset + number))
        lines += [f"  - name: {name}", "    category: short sleeve top", "    colour: blue", "    pattern: graphic"]
        lines += ["    sources:", f"      - {{kind: folder, path: {name}}}"]
    path = root / "catalog.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small DeepFashion2 folder."""
    return render_deepfashion2_set(tmp_path_factory.mktemp("df2"), 12, 0, height=344, width=256)


def report_text(path: Path) -> str:
    """The words of a report as a browser shows them."""
    text = re.sub(r"<style>.*?</style>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def parameters_for(root: Path, dataset: Path, names: list[str], **changes: Any) -> LifecycleParameters:
    photo = root / "person.png"
    if not photo.exists():
        write_png(photo, packshot(7))
    return LifecycleParameters(
        workspace=root / "w", catalog=write_catalog(root, names), dataset=dataset, persons=[photo], preset="demo",
        train=8, validation=4, **changes,
    )  # fmt: skip
