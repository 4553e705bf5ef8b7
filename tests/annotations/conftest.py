"""A small DeepFashion2 folder with everything in it that a converter may lose, and the real photos where they are."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom.categories import LANDMARK_COUNTS
from fittingroom.images import write_png

WIDTH, HEIGHT = 60, 80

GARMENT: dict[str, Any] = {
    "category_id": 1,
    "category_name": "short sleeve top",
    "style": 2,
    "scale": 2,
    "occlusion": 1,
    "zoom_in": 3,
    "viewpoint": 2,
    "bounding_box": [10, 10, 50, 40],
    "segmentation": [[10, 10, 30, 10, 30, 40, 10, 40], [35.5, 12.25, 50.0, 12.25, 50.0, 40.0, 35.5, 40.0]],
    "landmarks": [number for index in range(LANDMARK_COUNTS[1]) for number in (index, index + 0.5, index % 3)],
    "annotator": {"name": "Ä", "votes": [1, None, 2.5]},
}


def picture(number: int = 1) -> dict[str, Any]:
    """One picture's JSON: two garments, a gap in their numbers, fields nobody knows."""
    skirt = {
        "category_id": 9,
        "category_name": "skirt",
        "style": 0,
        "scale": 1,
        "occlusion": 2,
        "zoom_in": 1,
        "viewpoint": 2,
        "bounding_box": [12, 45, 48, 75],
        "segmentation": [[12, 45, 48, 45, 48, 75, 12, 75]],
        "landmarks": [0] * (3 * LANDMARK_COUNTS[9]),
    }
    return {
        "source": "shop" if number % 2 else "user",
        "pair_id": (number + 1) // 2,
        "item1": copy.deepcopy(GARMENT),
        "item3": skirt,
        "camera": "phone",
    }


def write_set(folder: Path, pictures: dict[str, Any]) -> Path:
    """A DeepFashion2 folder from annotation JSON by stem; every picture is 60 x 80."""
    (folder / "annos").mkdir(parents=True, exist_ok=True)
    for stem, value in pictures.items():
        (folder / "annos" / f"{stem}.json").write_text(json.dumps(value), encoding="utf-8")
        write_png(folder / "image" / f"{stem}.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
        (folder / "image" / f"{stem}.png").rename(folder / "image" / f"{stem}.jpg")
    return folder


@pytest.fixture
def small_set(tmp_path: Path) -> Path:
    """Three pictures, all sound."""
    return write_set(tmp_path / "set", {f"{number:06d}": picture(number) for number in (1, 2, 3)})


@pytest.fixture
def build_set(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Build a DeepFashion2 folder from JSON values by stem."""
    return lambda pictures: write_set(tmp_path / "built", pictures)


@pytest.fixture
def new_picture() -> Callable[[int], dict[str, Any]]:
    """A fresh, sound annotation value that a test may spoil."""
    return picture


@pytest.fixture(scope="session")
def real_photos() -> Path:
    """835 real photos with annotations, next to the checkout."""
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "ccp"
    if not folder.is_dir():
        pytest.skip("the real photos are not next to the checkout")
    return folder
