"""COCO instances written: every DeepFashion2 field is kept next to COCO's own.

``area`` is the area of the mask, ``bbox`` the box of the polygons; the box that the file stated is kept as
``bounding_box`` (x1, y1, x2, y2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from fittingroom.annotations import identity, rle
from fittingroom.annotations.formats import ConvertSettings, Rows, Writer
from fittingroom.annotations.geometry import Measured
from fittingroom.annotations.model import DIFFICULTY, AnnotatedImage, GarmentAnnotation
from fittingroom.boxes import xyxy_to_xywh
from fittingroom.categories import CATEGORY_NAMES, LANDMARK_COUNTS, group_of

DESCRIPTION = "DeepFashion2 garments as COCO instances, written by Fittingroom"
IMAGE_FIELDS = frozenset({"id", "file_name", "width", "height", "source", "pair_id", "extra"})
GARMENT_FIELDS = frozenset(
    {"id", "image_id", "category_id", "iscrowd", "segmentation", "area", "bbox", "keypoints", "num_keypoints"}
    | {"item", "bounding_box", "style", "extra", *DIFFICULTY}
)


def _categories() -> list[dict[str, Any]]:
    """COCO's category table: README spellings, each category with its own number of keypoints."""
    return [
        {
            "id": number,
            "name": name,
            "supercategory": group_of(number),
            "keypoints": [str(index + 1) for index in range(LANDMARK_COUNTS[number])],
            "skeleton": [],
        }
        for number, name in CATEGORY_NAMES.items()
    ]


def _frame(_name: str, _folder: str, _settings: ConvertSettings) -> list[bytes | str]:
    info, table = orjson.dumps({"description": DESCRIPTION, "version": "1"}), orjson.dumps(_categories())
    opening = b'{"info":' + info + b',"licenses":[],"categories":' + table + b',"images":[\n'
    return [opening, "images", b'\n],"annotations":[\n', "annotations", b"\n]}\n"]


def _encode(images: Sequence[AnnotatedImage], measures: Sequence[Sequence[Measured]], _images_dir: object) -> Rows:
    yield "images", b",\n".join([orjson.dumps(_image(image)) for image in images])
    rows = [orjson.dumps(row) for image, found in zip(images, measures, strict=True) for row in _garments(image, found)]
    if rows:
        yield "annotations", b",\n".join(rows)


def _image(image: AnnotatedImage) -> dict[str, Any]:
    """One entry of ``images``."""
    record: dict[str, Any] = {
        "id": image.image_id,
        "file_name": image.file_name,
        "width": image.width,
        "height": image.height,
    }
    if image.source is not None:
        record["source"] = image.source
    if image.pair_id is not None:
        record["pair_id"] = image.pair_id
    return _with_extra(record, image.extra, IMAGE_FIELDS)


def _garments(image: AnnotatedImage, measures: Sequence[Measured]) -> Iterator[dict[str, Any]]:
    """The entries of ``annotations`` for one picture, in the order of its garments."""
    ids = identity.garment_ids(image.image_id, [garment.item for garment in image.garments])
    for garment, number, measured in zip(image.garments, ids, measures, strict=True):
        record: dict[str, Any] = {
            "id": number,
            "image_id": image.image_id,
            "category_id": garment.category_id,
            "iscrowd": 0,
            **_shape(image, garment, measured),
            "item": garment.item,
        }
        if garment.landmarks:
            record["keypoints"] = garment.landmarks
            record["num_keypoints"] = sum([seen > 0 for seen in garment.landmarks[2::3]])
        if garment.box_xyxy is not None:
            record["bounding_box"] = list(garment.box_xyxy)
        for name in ("style", *DIFFICULTY):
            value = getattr(garment, name)
            if value is not None:
                record[name] = value
        extra = {key: value for key, value in garment.extra.items() if key != rle.KEPT}
        yield _with_extra(record, extra, GARMENT_FIELDS)


def _shape(image: AnnotatedImage, garment: GarmentAnnotation, measured: Measured) -> dict[str, Any]:
    """``iscrowd``, ``segmentation``, ``area`` and ``bbox``."""
    kept = garment.extra.get(rle.KEPT)
    if isinstance(kept, dict):
        mask = rle.decode(kept["segmentation"])
        box = measured.box_xywh if garment.segmentation else xyxy_to_xywh(garment.box_xyxy or (0, 0, 0, 0))
        return {**kept, "area": int(mask.sum()), "bbox": box}
    if not garment.segmentation:
        outline: object = rle.empty(image.height, image.width) if image.width and image.height else []
        return {"segmentation": outline, "area": 0, "bbox": xyxy_to_xywh(garment.box_xyxy or (0, 0, 0, 0))}
    return {"segmentation": garment.segmentation, "area": measured.area, "bbox": measured.box_xywh}


def _with_extra(record: dict[str, Any], extra: Mapping[str, Any], reserved: frozenset[str]) -> dict[str, Any]:
    """Unknown fields stand next to COCO's own; those whose names COCO uses itself go into ``extra``."""
    clashing = {key: value for key, value in extra.items() if key in reserved}
    record.update((key, value) for key, value in extra.items() if key not in reserved)
    if clashing:
        record["extra"] = clashing
    return record


WRITER = Writer(("images", "annotations"), _encode, "instances.json", frame=_frame)
