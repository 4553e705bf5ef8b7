"""Held-out pictures: annotated next to found, one PNG a photo."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from fittingroom import images
from fittingroom.garment import Garment
from fittingroom.segmentation import overlays
from fittingroom.segmentation.predict import Segmenter
from fittingroom.workspace import write_json


@dataclass
class Finder:
    """Finds a square, so that what is drawn can be told from what is annotated."""

    def find(self, image: np.ndarray, score_threshold: float | None = None) -> list[Garment]:
        del score_threshold
        mask = np.zeros(image.shape[:2], bool)
        mask[:20, :20] = True
        return [Garment(1, 0.9, mask)]


def dataset(root: Path, photos: int) -> Path:
    (root / "image").mkdir()
    pictures, annotations = [], []
    for number in range(1, photos + 1):
        name = f"{number:06d}.jpg"
        (root / "image" / name).write_bytes(images.encode_jpeg(np.full((80, 60, 3), 128, np.uint8)))
        pictures.append({"id": number, "file_name": name, "height": 80, "width": 60})
        polygon = [10, 40, 50, 40, 50, 75, 10, 75]
        annotations.append(
            {"id": number, "image_id": number, "category_id": 8, "segmentation": [polygon], "iscrowd": 0}
        )
    document = {"images": pictures, "annotations": annotations, "categories": [{"id": 8, "name": "trousers"}]}
    names = [picture["file_name"] for picture in pictures]
    write_json(root / "validation.json", document)
    write_json(root / "selection.json", {"images_dir": str(root / "image"), "train": [], "validation": names})
    return root


def test_a_few_photos_evenly_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Segmenter, "load", classmethod(lambda *_, **__: Finder()))
    written = overlays.draw_held_out(Path("weights"), dataset(tmp_path, 7), tmp_path / "out", count=3)
    assert [path.name for path in written] == ["00.png", "01.png", "02.png"]
    picture = images.read_rgb(written[0])
    left, right = picture[:, : picture.shape[1] // 2], picture[:, picture.shape[1] // 2 :]
    grey = np.array([128, 128, 128])

    def tinted(half: np.ndarray, top: float, bottom: float) -> float:
        rows = half[int(half.shape[0] * top) : int(half.shape[0] * bottom)].astype(int)
        near_paper = (np.abs(rows - 255).max(axis=2) < 8) | (np.abs(rows - grey).max(axis=2) < 8)
        return float((~near_paper).mean())

    assert tinted(left, 0.6, 0.9) > 0.4  # annotated trousers
    assert tinted(right, 0.6, 0.9) < 0.2  # the finder saw none
