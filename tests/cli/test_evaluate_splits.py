"""``evaluate segmenter``: all photos of an annotated folder, validation of a dataset made for training, or as asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from fittingroom.cli import run
from fittingroom.sample.deepfashion2_set import render_deepfashion2_set
from fittingroom.segmentation.predict import Segmenter
from fittingroom.segmentation.settings import preset
from fittingroom.settings import get_settings


class Blind:
    """A segmenter that finds nothing, and counts the photos it is shown."""

    def __init__(self) -> None:
        self.settings, self.device = preset("demo"), torch.device("cpu")
        self.shown = 0

    def detect(self, images: list[Any]) -> list[None]:
        self.shown += len(images)
        return [None]

    def garments(self, *_: object) -> list[Any]:
        return []


@pytest.fixture
def blind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(tmp_path / "w"))
    monkeypatch.setenv("COLUMNS", "120")
    get_settings.cache_clear()
    finder = Blind()
    monkeypatch.setattr(Segmenter, "load", lambda *_: finder)
    yield finder
    get_settings.cache_clear()


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frontal photos and four others."""
    return render_deepfashion2_set(tmp_path_factory.mktemp("df2") / "set", 10, others=4, height=172, width=128)


def judged(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, int, dict[str, int]]:
    assert run(["evaluate", "segmenter", *arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    return report["split"], report["photos"], report["left_out"]


def test_all_of_a_folder_unless_a_split_is_asked_for(
    rendered: Path, blind: Blind, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ["--dataset", str(rendered)]
    assert judged(capsys, *folder) == ("all", 14, {})
    assert blind.shown == 2 * 14, "each photo and the close-up cut out of it"
    assert judged(capsys, *folder, "--split", "all") == ("all", 14, {})
    _, train, _ = judged(capsys, *folder, "--split", "train")
    split, validation, _ = judged(capsys, *folder, "--split", "validation")
    assert split == "validation"
    assert 0 < validation < train
    assert train + validation in (9, 10), "what a training would draw: frontal photos, no pair on both sides"

    (selected,) = (tmp_path / "w" / "datasets").glob("df2-*")
    dataset = ["--dataset", str(selected)]
    assert judged(capsys, *dataset) == ("validation", validation, {})
    assert judged(capsys, *dataset, "--split", "train") == ("train", train, {})
    assert judged(capsys, *dataset, "--split", "all") == ("all", train + validation, {})
    assert run(["evaluate", "segmenter", *dataset]) == 0
    assert f"split: validation, photos: {validation}, " in capsys.readouterr().out
    assert run(["evaluate", "segmenter", *dataset, "--split", "test"]) == 2


def test_what_cannot_be_judged_on_is_counted_with_its_reason(
    blind: Blind, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = render_deepfashion2_set(tmp_path / "df2", 7, others=1, height=172, width=128)
    annos, image = folder / "annos", folder / "image"
    (image / "000001.jpg").unlink()
    (image / "000002.jpg").write_bytes((image / "000002.jpg").read_bytes()[:2000])
    (annos / "000003.json").unlink()
    (annos / "000004.json").write_text("{")
    (annos / "000005.json").write_text('{"source": "user", "pair_id": 3}')  # nobody wears anything: judged on
    damaged = json.loads((annos / "000006.json").read_text())
    damaged["item1"]["segmentation"] = [[1, 2, 3]]
    (annos / "000006.json").write_text(json.dumps(damaged))
    reasons = {
        "annotation cannot be read": 1,
        "damaged annotation": 1,
        "not annotated": 1,
        "picture missing or unreadable": 2,
    }
    assert judged(capsys, "--dataset", str(folder)) == ("all", 3, reasons)
    assert blind.shown == 3 + 2, "no close-up of the photo without a garment"
    assert run(["evaluate", "segmenter", "--dataset", str(folder)]) == 0
    assert f"left out 5 photos of {folder}: annotation cannot be read 1, damaged" in capsys.readouterr().err


def test_a_folder_without_annotations_is_refused_in_one_line(
    blind: Blind, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert blind
    (tmp_path / "empty").mkdir()
    assert run(["evaluate", "segmenter", "--dataset", str(tmp_path / "empty")]) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'empty'}: expected annos/")
