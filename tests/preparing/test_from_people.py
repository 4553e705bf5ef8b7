"""Garments cut from people: as the try-on cuts them, large enough, every one by its own mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fittingroom.annotations.model import AnnotatedImage, GarmentAnnotation
from fittingroom.errors import NoGarmentFound, SettingError
from fittingroom.images import read_rgba, write_png
from fittingroom.preparing.from_people import cut_worn_garment, cut_worn_garments
from fittingroom.tryon.settings import TryOnSettings
from fittingroom.tryon.steps import make_square


def photo() -> np.ndarray:
    image = np.full((300, 200, 3), (90, 120, 90), np.uint8)
    image[40:160, 50:150] = (200, 30, 40)
    image[160:280, 60:140] = (30, 40, 160)
    return image


def box(item: str, category: int, x1: int, y1: int, x2: int, y2: int) -> GarmentAnnotation:
    return GarmentAnnotation(item, category, ((x1, y1, x2, y1, x2, y2, x1, y2),))


def test_the_garment_lies_where_a_try_on_puts_it() -> None:
    image = photo()
    mask = np.zeros((300, 200), bool)
    mask[40:160, 50:150] = True
    cut = cut_worn_garment(image, mask)
    settings = TryOnSettings()
    seen = make_square(image, mask, 256, settings)[3:]
    overlap = (cut[..., 3] > 0) & seen[1]
    assert overlap.sum() > 0.93 * seen[1].sum()
    assert np.abs(cut[..., :3][overlap].astype(int) - seen[0][overlap]).mean() < 2
    assert (cut[..., :3][cut[..., 3] == 0] == 255).all()


def test_every_large_garment_is_cut_and_small_or_unreadable_ones_are_passed_over(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", photo())
    (tmp_path / "broken.png").write_bytes(b"nothing")
    garments = (box("item1", 1, 50, 40, 149, 159), box("item2", 8, 60, 160, 139, 279), box("item3", 9, 5, 5, 30, 30))
    images = [
        AnnotatedImage("a.png", 1, 200, 300, garments=garments),
        AnnotatedImage("broken.png", 2, 200, 300, garments=garments),
    ]
    out = tmp_path / "out"
    written = cut_worn_garments(images, tmp_path, out)
    assert len(written) == 4, "two garments and their mirrored twins"
    assert {path.name for path in out.iterdir()} == {path.name for path in written}
    pictures = {path.name: read_rgba(path) for path in written}
    for name, picture in pictures.items():
        assert picture.shape == (256, 256, 4)
        if not name.endswith("_flip.png"):
            twin = pictures[name.replace(".png", "_flip.png")]
            assert (picture[:, ::-1] == twin).all()
    colours = sorted(int(p[p[..., 3] > 0][:, 0].mean()) for n, p in pictures.items() if "_flip" not in n)
    assert colours == [30, 200]
    assert cut_worn_garments(images, tmp_path, out) == written


def test_without_flips_and_wrong_sizes(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", photo())
    images = [AnnotatedImage("a.png", 1, 200, 300, garments=(box("item1", 1, 50, 40, 149, 159),))]
    assert len(cut_worn_garments(images, tmp_path, tmp_path / "out", size=64, flip=False)) == 1
    with pytest.raises(SettingError):
        cut_worn_garments(images, tmp_path, tmp_path / "out", size=30)
    with pytest.raises(NoGarmentFound):
        cut_worn_garment(photo(), np.zeros((300, 200), bool))
