"""A dataset folder small enough to train on in a second: coloured shapes on grey, two garments a photo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom import masks
from fittingroom.images import write_png
from fittingroom.segmentation.settings import SegmenterSettings
from fittingroom.workspace import write_json


@pytest.fixture
def tiny_settings() -> SegmenterSettings:
    return SegmenterSettings(
        backbone="small",
        start="scratch",
        norm="trained",
        frozen_levels=0,
        small_channels=8,
        fpn_channels=16,
        box_features=32,
        mask_channels=8,
        mask_convolutions=1,
        extra_mask_convolutions=1,
        mask_pool_size=7,
        anchor_sizes=((16,), (32,), (64,), (96,)),
        proposals_from_level=0,
        short_side=64,
        long_side=96,
        proposals=20,
        proposal_samples=16,
        box_samples=8,
        epochs=2,
        batch_size=2,
        learning_rate=1e-3,
        warmup_steps=2,
        precision="no",
        checkpoint_seconds=0,
        box_margin=0.0,
    )


def rectangle(x1: float, y1: float, x2: float, y2: float) -> list[float]:
    return [x1, y1, x2, y1, x2, y2, x1, y2]


def build_dataset(folder: Path, train: int = 5, validation: int = 2) -> Path:
    random = np.random.default_rng(0)
    images = folder / "photos"
    names: dict[str, list[str]] = {"train": [], "validation": []}
    number = 0
    for split, count in (("train", train), ("validation", validation)):
        coco: dict[str, Any] = {"images": [], "annotations": [], "categories": []}
        for _ in range(count):
            number += 1
            height, width = (96, 72) if number % 3 else (72, 96)
            picture = random.integers(90, 110, (height, width, 3)).astype(np.uint8)
            name = f"{number:03d}.png"
            coco["images"].append({"id": number, "file_name": name, "height": height, "width": width})
            shift = int(random.integers(0, 12))
            garments = (
                (1, [rectangle(10 + shift, 8, 45 + shift, 35)], (200, 30, 30)),
                # A garment in two pieces, as an arm before it leaves it.
                (8, [rectangle(12, 40, 22, 66), rectangle(30, 40, 44, 66)], (30, 30, 200)),
            )
            for category, polygons, colour in garments:
                picture[masks.from_polygons(polygons, height, width)] = colour
                coco["annotations"].append(
                    {
                        "id": len(coco["annotations"]) + 1,
                        "image_id": number,
                        "category_id": category,
                        "segmentation": polygons,
                        "iscrowd": 0,
                        "scale": 1 + number % 3,
                        "occlusion": 1,
                        "zoom_in": 1,
                        "viewpoint": 2,
                    }
                )
            write_png(images / name, picture)
            names[split].append(name)
        write_json(folder / f"{split}.json", coco)
    write_json(folder / "selection.json", {"images_dir": str(images), "settings": {}, **names, "digests": {}})
    return folder


@pytest.fixture
def tiny_dataset(tmp_path: Path) -> Path:
    return build_dataset(tmp_path / "dataset")
