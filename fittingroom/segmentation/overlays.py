"""Held-out photos for people to look at: the annotated garments next to those a segmenter finds."""

from __future__ import annotations

from pathlib import Path

from fittingroom import masks
from fittingroom.garment import Garment
from fittingroom.images import read_rgb, write_png
from fittingroom.segmentation.dataset import LabelledPhoto, read_split
from fittingroom.segmentation.overlay import garment_overlay
from fittingroom.segmentation.predict import Segmenter
from fittingroom.sheets import side_by_side

HEIGHT = 360


def draw_held_out(weights: Path, dataset: Path, folder: Path, count: int = 6, device: str = "auto") -> list[Path]:
    """Write ``00.png``, ``01.png``, ... into ``folder``: evenly chosen validation photos, annotated and found.

    Returns:
        the files, ``count`` at most.

    Raises:
        MissingInputError, AnnotationError, ImageRejected, WeightsRejected: what is given cannot be used.
        SettingError: a device that is not there.
    """
    segmenter = Segmenter.load(weights, device=device)
    photos = read_split(dataset, "validation")
    written = []
    for number, photo in enumerate(photos[:: max(1, len(photos) // count)][:count]):
        image = read_rgb(photo.path)
        pair = [
            ("annotated", garment_overlay(image, _annotated(photo))),
            ("found", garment_overlay(image, segmenter.find(image))),
        ]
        path = folder / f"{number:02d}.png"
        write_png(path, side_by_side(pair, HEIGHT))
        written.append(path)
    return written


def _annotated(photo: LabelledPhoto) -> list[Garment]:
    found = [
        Garment(garment.category_id, 1.0, masks.from_polygons(garment.polygons, photo.height, photo.width))
        for garment in photo.garments
    ]
    return [garment for garment in found if garment.area]
