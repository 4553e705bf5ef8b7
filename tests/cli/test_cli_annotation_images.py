"""``--images`` says where pictures are; a training takes ``images/`` as well as ``image/``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fittingroom.cli import run
from fittingroom.cli.models import dataset_folder
from fittingroom.images import write_png


def picture_set(folder: Path, images: str) -> Path:
    """Two annotated pictures in DeepFashion2's layout."""
    (folder / "annos").mkdir(parents=True)
    for number in (1, 2):
        write_png(folder / images / f"{number:06d}.png", np.zeros((80, 60, 3), np.uint8))
        row = {"category_id": 9, "category_name": "skirt", "viewpoint": 2, "segmentation": [[5, 5, 40, 5, 40, 40]]}
        value = {"source": "user", "pair_id": number, "item1": {**row, "bounding_box": [5, 5, 40, 40]}}
        (folder / "annos" / f"{number:06d}.json").write_text(json.dumps(value))
    return folder


def test_images_names_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = picture_set(tmp_path / "set", "far/away")
    assert run(["annotations", "check", str(folder), "--json"]) == 1
    capsys.readouterr()
    where = ["--images", str(folder / "far" / "away"), "--json"]
    assert run(["annotations", "check", str(folder), *where]) == 0
    assert json.loads(capsys.readouterr().out)["garments"] == 2
    assert run(["annotations", "convert", str(folder), str(tmp_path / "c.json"), "--to", "coco", *where]) == 0
    record = json.loads((tmp_path / "c.json").read_text())["images"][0]
    assert (record["width"], record["height"]) == (60, 80)


@pytest.mark.parametrize("images", ["image", "images"])
def test_a_training_takes_either_name(images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(tmp_path / "ws"))
    dataset = dataset_folder(picture_set(tmp_path / "set", images))
    assert len(json.loads((dataset / "train.json").read_text())["images"]) == 1
