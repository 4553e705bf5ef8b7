"""Part maps: what each pixel of a photo is, besides the garments' outlines. Optional, and worth having.

A data set may have a folder ``parts`` with one PNG for each photo, of its name and size, grey or with a palette, whose
values are those of `PARTS`. Skin and hair are never offered as garments: they are what a garment's mask must not cover.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fittingroom.errors import AnnotationError
from fittingroom.opening import decoded

PartMap = NDArray[np.uint8]

PARTS = ("other", "skin", "hair", "bag", "shoes", "accessories", "garment")
"""Names by value: skin is face, neck, arms and legs; shoes are also socks and tights."""
OTHER, SKIN, HAIR = 0, 1, 2
BODY = (SKIN, HAIR)
"""What wins where it overlaps a garment."""
UNKNOWN = 255
"""A pixel nobody named, or outside the photo."""


def parts_folder(dataset: Path, images_dir: Path) -> Path | None:
    """The folder of part maps: in the dataset folder, next to that of pictures, or next to the data set itself."""
    for folder in (dataset, images_dir.parent, images_dir.parent.parent):
        if (folder / "parts").is_dir():
            return folder / "parts"
    return None


def _stored(image: Image.Image) -> tuple[str | None, str, NDArray[np.uint8]]:
    return image.format, image.mode, np.array(image, np.uint8)


def read_parts(path: Path) -> PartMap:
    """A part map, (H, W) uint8: values of `PARTS` or `UNKNOWN`.

    Raises:
        AnnotationError: not a PNG of one channel, or another value.
        ImageRejected: a file that cannot be decoded. MissingInputError: no such file.
    """
    kind, mode, values = decoded(path, _stored)
    if kind != "PNG" or mode not in ("L", "P"):
        raise AnnotationError(f"{path}: expected a part map, a grey or palette PNG, got {kind} of mode {mode}")
    wrong = np.setdiff1d(values, [*range(len(PARTS)), UNKNOWN])
    if wrong.size:
        raise AnnotationError(f"{path}: expected values 0 to {len(PARTS) - 1} or {UNKNOWN}, got {int(wrong[0])}")
    return values
