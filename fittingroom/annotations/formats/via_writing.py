"""VIA 2 projects written, and the plain region list that Mask R-CNN loaders read.

A region holds one polygon (``all_points_x``, ``all_points_y``), so a garment of several polygons is several regions
with the same attribute ``garment``. What people edit stands on the regions as the text VIA expects; what VIA cannot
show (landmarks, boxes, unknown fields) stands as JSON text in the file attribute ``fittingroom``, so that nothing is
lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from fittingroom.annotations.formats import ConvertSettings, Rows, Writer
from fittingroom.annotations.formats.deepfashion2 import garment_to_json
from fittingroom.annotations.model import DIFFICULTY, AnnotatedImage, GarmentAnnotation, Polygon
from fittingroom.categories import CATEGORY_NAMES

EDITABLE = ("style", *DIFFICULTY)
_OPTIONS = {
    "scale": {"1": "small", "2": "modest", "3": "large"},
    "occlusion": {"1": "slight", "2": "medium", "3": "heavy"},
    "zoom_in": {"1": "none", "2": "medium", "3": "large"},
    "viewpoint": {"1": "not worn", "2": "frontal", "3": "side or back"},
}


def _choice(description: str, options: Mapping[str, str]) -> dict[str, Any]:
    return {"type": "dropdown", "description": description, "options": dict(options), "default_options": {}}


def _text(description: str) -> dict[str, Any]:
    return {"type": "text", "description": description, "default_value": ""}


def _attributes() -> dict[str, Any]:
    """VIA's ``_via_attributes``: what an annotator may set on a region and on a file."""
    names = {name: name for name in CATEGORY_NAMES.values()}
    return {
        "region": {
            "garment": _text("regions with the same value are one garment"),
            "category": _choice("DeepFashion2 category", names),
            "style": _text("style number"),
            **{name: _choice(name, options) for name, options in _OPTIONS.items()},
        },
        "file": {
            "source": _choice("who took the picture", {"user": "user", "shop": "shop"}),
            "pair_id": _text("pictures of the same garments share it"),
            "fittingroom": _text("fields VIA cannot show; leave as it is"),
        },
    }


def _settings(name: str, images_path: str) -> dict[str, Any]:
    """VIA's ``_via_settings``; ``images_path`` is where the tool looks for pictures."""
    return {
        "ui": {
            "annotation_editor_height": 25,
            "annotation_editor_fontsize": 0.8,
            "leftsidebar_width": 18,
            "image_grid": {
                "img_height": 80,
                "rshape_fill": "none",
                "rshape_fill_opacity": 0.3,
                "rshape_stroke": "yellow",
                "rshape_stroke_width": 2,
                "show_region_shape": True,
                "show_image_policy": "all",
            },
            "image": {
                "region_label": "category",
                "region_color": "garment",
                "region_label_font": "10px Sans",
                "on_image_annotation_editor_placement": "NEAR_REGION",
            },
        },
        "core": {"buffer_size": 18, "filepath": {}, "default_filepath": images_path},
        "project": {"name": name},
    }


def _encode(images: Sequence[AnnotatedImage], _measures: object, images_dir: Path | None) -> Rows:
    for image in images:
        size = _file_size(image, images_dir)
        key = orjson.dumps(f"{image.file_name}{size}")  # VIA's own key: name and size with nothing between
        yield "keys", key
        yield "entries", key + b":" + orjson.dumps(_entry(image, size))


def _file_size(image: AnnotatedImage, images_dir: Path | None) -> int:
    """The picture's size in bytes, as VIA's keys need it; -1 when it is not there."""
    try:
        return (images_dir / image.file_name).stat().st_size if images_dir else -1
    except OSError:
        return -1


def _entry(image: AnnotatedImage, size: int) -> dict[str, Any]:
    """One picture of ``_via_img_metadata``; ``size`` is the file's size in bytes, -1 when unknown."""
    attributes: dict[str, str] = {}
    if image.source is not None:
        attributes["source"] = image.source
    if image.pair_id is not None:
        attributes["pair_id"] = str(image.pair_id)
    attributes["fittingroom"] = orjson.dumps(_kept(image)).decode()
    return {
        "filename": image.file_name,
        "size": size,
        "regions": [_region(garment, polygon) for garment in image.garments for polygon in garment.segmentation],
        "file_attributes": attributes,
    }


def _kept(image: AnnotatedImage) -> dict[str, Any]:
    kept: dict[str, Any] = {"image_id": image.image_id, "width": image.width, "height": image.height, "garments": {}}
    for garment in image.garments:
        row = garment_to_json(replace(garment, segmentation=(), extra={}))
        del row["segmentation"]
        kept["garments"][garment.item] = {"polygons": len(garment.segmentation), **row}
        if garment.extra:
            kept["garments"][garment.item]["extra"] = dict(garment.extra)
    if image.extra:
        kept["extra"] = dict(image.extra)
    return kept


def _region(garment: GarmentAnnotation, polygon: Polygon) -> dict[str, Any]:
    attributes = {"garment": garment.item, "category": garment.category_name}
    for name in EDITABLE:
        value = getattr(garment, name)
        if value is not None:
            attributes[name] = str(value)
    shape = {"name": "polygon", "all_points_x": polygon[0::2], "all_points_y": polygon[1::2]}
    return {"shape_attributes": shape, "region_attributes": attributes}


def _frame(name: str, folder: str, settings: ConvertSettings) -> list[bytes | str]:
    if settings.via_plain:
        return [b"{\n", "entries", b"\n}\n"]
    opening = b'{"_via_settings":' + orjson.dumps(_settings(name, folder)) + b',"_via_img_metadata":{\n'
    between = b'\n},"_via_attributes":' + orjson.dumps(_attributes())
    between += b',"_via_data_format_version":"2.0.10","_via_image_id_list":[\n'
    return [opening, "entries", between, "keys", b"\n]}\n"]


WRITER = Writer(("entries", "keys"), _encode, "via_project.json", frame=_frame)
