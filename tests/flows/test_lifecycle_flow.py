"""The lifecycle from end to end, with stand-ins for the trainings and the models: what is wired to what."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fittingroom import __version__
from fittingroom.errors import FittingroomError, MissingInputError, SettingError, TrainingDiverged
from fittingroom.garment import Garment
from fittingroom.images import RGB, write_png
from fittingroom.masks import Mask
from fittingroom.sample.deepfashion2_set import render_deepfashion2_set
from fittingroom.styles.registry import Registry
from fittingroom.training.progress import Listener, Progress
from fittingroom.training.weights import read_weights, save_weights
from fittingroom.translation.outcome import PICTURES
from fittingroom.workspace import Workspace, write_json
from flows.lifecycle import lifecycle
from flows.parameters import LifecycleParameters, RetrainParameters
from flows.retrain_styles import retrain_styles
from tasks import training
from tasks.photo_names import with_names
from tasks.watching import watching, watching_stages

pytestmark = pytest.mark.usefixtures("prefect_server")

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
        mask = np.zeros(image.shape[:2], bool)
        height, width = mask.shape
        mask[height // 4 : height // 2, width // 4 : 3 * width // 4] = True
        return [Garment(1, 0.99, mask)]


class Painter:
    """Paints everything green."""

    size = 256

    def translate(self, image_rgb: RGB, mask: Mask) -> RGB:
        """Green."""
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
        return staticmethod(lambda *_, **__: thing)  # type: ignore[return-value]

    JOBS.clear()
    METRICS.clear()
    monkeypatch.setattr(training, "run_job", fake_job)
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
    return render_deepfashion2_set(tmp_path_factory.mktemp("df2"), 6, 0, height=172, width=128)


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
        train=4, validation=2, **changes,
    )  # fmt: skip


@pytest.mark.usefixtures("fakes")
def test_from_catalog_and_photos_to_pictures_and_a_report_then_all_of_it_cached(tmp_path: Path, dataset: Path) -> None:
    METRICS["dull"] = {**GOOD, "ciede2000_median": 60.0}
    parameters = parameters_for(tmp_path, dataset, ["navy", "dull", "diverges"])
    stages: list[str] = []
    heard: set[str] = set()
    with (
        watching(lambda name, _: heard.add(name)),
        watching_stages(lambda name, ended: stages.append(name) if ended else None),
    ):
        outcome = lifecycle(parameters)
    assert JOBS[0] == "segmenter"
    assert JOBS[1:] == ["navy", "dull", "diverges"]
    assert heard == {"segmenter", "navy", "dull"}
    assert stages[0] == "crawl the shop"
    assert stages[-1] == "write the report"
    assert sorted(problem.split(":")[0] for problem in outcome["problems"]) == ["style-diverges", "style-dull"]
    assert {name: model["champion"] for name, model in outcome["models"].items()} == {
        "segmenter": True,
        "style-navy": True,
        "style-dull": False,
    }
    place = Workspace(tmp_path / "w")
    pictures = {with_names(place, name): Path(path) for name, path in outcome["files"].items()}
    assert set(pictures) == {"contact-sheet.png", "report.html", "person.png in navy"}
    assert all(path.is_file() for path in pictures.values())
    said = report_text(pictures["report.html"])
    for words in (
        "fittingroom run lifecycle --param", "catalog.yaml", __version__, "annotated photos, train", "people-garments",
        "median (CIEDE2000)", "0 is the same colour, 2 is just noticeable; at most 14 passes", "falls short",
        "photo: person.png", "style-diverges: the loss stopped being finite", "between the stages",
    ):  # fmt: skip
        assert words in said, words
    registry = Registry(Workspace(tmp_path / "w"))
    champion = registry.champion("style-navy")
    assert champion is not None
    assert champion.tags["category"] == "short sleeve top"
    assert json.loads(registry.file_path(champion, PICTURES).read_text()) == LISTED
    trained = [json.loads(path.read_text())["result"] for path in (tmp_path / "w" / "cache").glob("train-style-*")]
    facts = [json.loads(result)["value"]["pictures"]["target"] for result in trained]
    assert facts[0]["learnt_from"] == 1
    assert facts[0]["rejected"] == [{"picture": "e.png", "reason": "torn"}]

    JOBS.clear()
    assert lifecycle(parameters)["files"] == outcome["files"]
    assert JOBS == ["diverges"], "only what failed is tried again"

    pictures["person.png in navy"].unlink()
    lifecycle(parameters)
    assert pictures["person.png in navy"].is_file()


@pytest.mark.usefixtures("fakes")
def test_what_is_wrong_is_said_before_any_work(tmp_path: Path, dataset: Path) -> None:
    with pytest.raises(SettingError, match="epochs"):
        lifecycle(parameters_for(tmp_path, dataset, ["navy"], style={"epochs": 0}))
    with pytest.raises(SettingError, match="colour_of_money"):
        lifecycle(parameters_for(tmp_path, dataset, ["navy"], segmenter={"colour_of_money": 1}))
    missing = parameters_for(tmp_path, dataset, ["navy"]).model_copy(update={"persons": [tmp_path / "nobody.jpg"]})
    with pytest.raises(MissingInputError, match=r"nobody\.jpg"):
        lifecycle(missing)
    assert JOBS == []
    assert not (tmp_path / "w" / "crawl").exists()


@pytest.mark.usefixtures("fakes")
def test_pending_styles_are_trained_once_per_content(tmp_path: Path, dataset: Path) -> None:
    lifecycle(parameters_for(tmp_path, dataset, ["navy"]))
    JOBS.clear()

    def retrain(names: list[str]) -> list[str]:
        found = retrain_styles(
            RetrainParameters(workspace=tmp_path / "w", catalog=write_catalog(tmp_path, names), preset="demo")
        )
        return sorted(found)

    report = tmp_path / "w" / "reports" / "retraining" / "report.html"
    assert retrain(["navy"]) == [], "the lifecycle trained it"
    assert "Nothing was pending: the registry has a version of every style of the catalog" in report_text(report)
    assert retrain(["navy", "teal"]) == ["teal"]
    assert JOBS == ["teal"]
    said = report_text(report)
    for words in ("teal is new: there is no version of it yet", "style-teal", "passed, serves", "retrain-styles"):
        assert words in said, words
    assert "style-navy" not in said
    assert retrain(["navy", "teal"]) == []
    METRICS["dull"] = {**GOOD, "ciede2000_median": 60.0}
    assert retrain(["navy", "teal", "dull"]) == ["dull"]
    assert retrain(["navy", "teal", "dull"]) == [], "it did not pass its gate, but the same content would not either"
    assert JOBS == ["teal", "dull"]


@pytest.mark.usefixtures("fakes")
def test_new_pictures_in_a_styles_folder_make_it_pending_once_more(tmp_path: Path, dataset: Path) -> None:
    lifecycle(parameters_for(tmp_path, dataset, ["navy", "teal"]))
    JOBS.clear()
    parameters = RetrainParameters(workspace=tmp_path / "w", catalog=tmp_path / "catalog.yaml", preset="demo")
    (tmp_path / "navy" / "notes.txt").write_text("no picture")
    assert retrain_styles(parameters) == {}
    write_png(tmp_path / "navy" / "new.png", packshot(99))
    assert sorted(retrain_styles(parameters)) == ["navy"]
    report = tmp_path / "w" / "reports" / "retraining" / "report.html"
    assert "navy has changed since version 1" in report_text(report)
    prepared = Workspace(tmp_path / "w").prepared("navy")
    assert len(list(prepared.glob("*.png"))) == 12, "six pictures and their mirrored twins"
    assert retrain_styles(parameters) == {}
    (tmp_path / "navy" / "new.png").rename(tmp_path / "teal" / "new.png")
    assert sorted(retrain_styles(parameters)) == ["teal"], "navy was trained with what it has now"
    assert JOBS == ["navy", "teal"]

    shutil.rmtree(tmp_path / "teal")
    write_png(tmp_path / "navy" / "newer.png", packshot(98))
    with pytest.raises(FittingroomError, match=r"1 of 2 pending styles failed: teal: folder not found: .*sources\[0\]"):
        retrain_styles(parameters)
    assert JOBS[2:] == ["navy"], "a folder that is gone does not keep the others from being trained"
    assert "teal: folder not found" in report_text(report)


@pytest.mark.usefixtures("fakes")
def test_a_retraining_that_is_worse_does_not_serve_and_a_style_that_left_the_catalog_stops_if_asked(
    tmp_path: Path, dataset: Path
) -> None:
    lifecycle(parameters_for(tmp_path, dataset, ["navy", "teal"]))
    registry = Registry(Workspace(tmp_path / "w"))

    def retrain(left_catalog: str = "keep") -> None:
        place, catalog = tmp_path / "w", tmp_path / "catalog.yaml"
        retrain_styles(
            RetrainParameters(workspace=place, catalog=catalog, preset="demo", left_catalog=left_catalog)  # type: ignore[arg-type]
        )

    METRICS["navy"] = {"ciede2000_median": 9.0, "luminance_ssim": 0.7, "leak": 0.0}  # above every floor
    write_png(tmp_path / "navy" / "new.png", packshot(99))
    retrain()
    worse = registry.version("style-navy", 2)
    assert (worse.verdict, registry.champion("style-navy").version) == ("refused", 1)  # type: ignore[union-attr]
    assert "9 is worse than the champion (version 1)'s 4" in worse.verdict_reasons

    write_catalog(tmp_path, ["teal"])
    retrain()
    assert registry.champion("style-navy") is not None
    retrain("retire")
    assert (registry.champion("style-navy"), registry.retired()) == (None, {"style-navy": "catalog"})
    assert registry.champion("style-teal") is not None
    write_catalog(tmp_path, ["navy", "teal"])
    retrain("retire")
    assert registry.champion("style-navy").version == 1  # type: ignore[union-attr]
