"""Sound DeepFashion2 files, read in one typed pass: nearly all files of a real dataset are such.

The types below say what a file holds that has nothing to be found in it. msgspec checks them while it parses, in C; a
file that differs in anything gives None and is for the forgiving reader (`deepfashion2.from_json`), which finds out
what it is. On a sound file both give the same value.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fittingroom.annotations.fields import LARGEST, MAX_POINTS
from fittingroom.annotations.model import AnnotatedImage, GarmentAnnotation
from fittingroom.categories import CATEGORY_NAMES

_Whole = Annotated[int, Meta(ge=-int(LARGEST), le=int(LARGEST))]
_Number = _Whole | Annotated[float, Meta(ge=-LARGEST, le=LARGEST)]
_Level = Annotated[int, Meta(ge=1, le=3)] | None
_Polygon = Annotated[tuple[_Number, ...], Meta(min_length=6, max_length=2 * MAX_POINTS)]


class _Garment(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    category_id: int
    category_name: str
    segmentation: Annotated[tuple[_Polygon, ...], Meta(min_length=1)]
    landmarks: tuple[_Number, ...] | None = None
    bounding_box: tuple[_Number, _Number, _Number, _Number] | None = None
    style: _Whole | None = None
    scale: _Level = None
    occlusion: _Level = None
    zoom_in: _Level = None
    viewpoint: _Level = None


_DECODER = msgspec.json.Decoder(dict[str, _Garment | Literal["user", "shop"] | _Whole])


def read(data: bytes, file_name: str, image_id: int, size: tuple[int, int]) -> AnnotatedImage | None:
    """The picture in an annotation file's bytes, or None when there is anything to be found in them."""
    try:
        value = _DECODER.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    source, pair_id = value.pop("source", None), value.pop("pair_id", None)
    plain = (source is None or isinstance(source, str)) and (pair_id is None or isinstance(pair_id, int))
    # A key that stands twice is one entry of a dictionary but two in the text.
    if not plain or not value or data.count(b'"item') != len(value):
        return None
    garments = []
    for number in range(1, len(value) + 1):
        garment = _garment(f"item{number}", value.get(f"item{number}"))
        if garment is None:
            return None
        garments.append(garment)
    return AnnotatedImage(file_name, image_id, *size, source, pair_id, tuple(garments))  # type: ignore[arg-type]


def _garment(item: str, row: object) -> GarmentAnnotation | None:
    if not isinstance(row, _Garment) or CATEGORY_NAMES.get(row.category_id) != row.category_name:
        return None
    box, landmarks = row.bounding_box, row.landmarks or ()
    if (box is not None and (box[0] > box[2] or box[1] > box[3])) or len(landmarks) % 3:
        return None
    if any(len(polygon) % 2 for polygon in row.segmentation):
        return None
    levels = row.scale, row.occlusion, row.zoom_in, row.viewpoint
    return GarmentAnnotation(item, row.category_id, row.segmentation, landmarks, box, row.style, *levels)
