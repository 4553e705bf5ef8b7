"""The photos a starter segmenter is measured by are neither those it learns from nor those that choose."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from benchmarks.starter_split import starter_split
from fittingroom.images import write_png
from fittingroom.segmentation.dataset import read_split
from fittingroom.workspace import write_json


def test_no_photo_is_in_two_of_the_three(tmp_path: Path) -> None:
    for number in range(1, 41):
        name = f"{number:06d}"
        write_png(tmp_path / "ccp" / "image" / f"{name}.png", np.full((40, 30, 3), number, np.uint8))
        item = {
            "segmentation": [[5.0, 5, 25, 5, 25, 30, 5, 30]],
            "bounding_box": [5, 5, 25, 30],
            "category_id": 2,
            "category_name": "long sleeve top",
            "style": 0,
            "scale": 2,
            "occlusion": 1,
            "zoom_in": 1,
            "viewpoint": 2,
            "landmarks": [0] * 99,
        }
        write_json(tmp_path / "ccp" / "annos" / f"{name}.json", {"source": "user", "pair_id": number, "item1": item})
    training, final = starter_split(tmp_path / "ccp", tmp_path / "out", train=20, held_out=20)
    sides = [training.train, training.validation, final.validation]
    names = [{image.file_name for image in side} for side in sides]
    assert [len(side) for side in names] == [20, 6, 14]
    assert len(set().union(*names)) == 40
    assert len(read_split(tmp_path / "out" / "final", "validation")) == 14
    assert read_split(tmp_path / "out" / "final", "train") == []
    assert json.loads((tmp_path / "out" / "final" / "selection.json").read_text())["train"] == []
    again, _ = starter_split(tmp_path / "ccp", tmp_path / "again", train=20, held_out=20)
    assert again.digests == training.digests
