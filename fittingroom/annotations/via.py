"""VIA 2 (VGG Image Annotator): the project that the tool opens, and the plain region list that Mask R-CNN loaders read.

Format: robots.ox.ac.uk/~vgg/software/via, version 2.0. A region holds one polygon (``all_points_x``, ``all_points_y``),
so a garment of several polygons is several regions with the same attribute ``garment``. What people edit stands on
the regions as the text VIA expects; what VIA cannot show (landmarks, boxes, unknown fields) stands as JSON text in
the file attribute ``fittingroom``, so that nothing is lost. Where both speak, the edited region wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from fittingroom.annotations import deepfashion2, fields, fit, identity, via_classes, via_rows
from fittingroom.annotations.deepfashion2 import DIFFICULTY
from fittingroom.annotations.fields import Place
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.model import AnnotatedImage, GarmentAnnotation, Polygon
from fittingroom.annotations.pictures import Pictures
from fittingroom.annotations.via_classes import Options
from fittingroom.annotations.via_rows import is_via
from fittingroom.annotations.via_shapes import outline
from fittingroom.categories import CATEGORY_NAMES

__all__ = ["document", "entry", "entry_key", "frame", "is_via", "pictures_of", "read", "settings"]

_WHOLE = re.compile(r"-?[0-9]{1,15}")
_EDITABLE = ("style", *DIFFICULTY)
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


def attribute_definitions() -> dict[str, Any]:
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


def settings(name: str, images_path: str) -> dict[str, Any]:
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


def entry_key(image: AnnotatedImage, size: int) -> str:
    """VIA's key of a picture: its name and its size in bytes (-1 when unknown) with nothing between."""
    return f"{image.file_name}{size}"


def entry(image: AnnotatedImage, size: int) -> dict[str, Any]:
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
        row = deepfashion2.garment_to_json(replace(garment, segmentation=(), extra={}))
        del row["segmentation"]
        kept["garments"][garment.item] = {"polygons": len(garment.segmentation), **row}
        if garment.extra:
            kept["garments"][garment.item]["extra"] = dict(garment.extra)
    if image.extra:
        kept["extra"] = dict(image.extra)
    return kept


def _region(garment: GarmentAnnotation, polygon: Polygon) -> dict[str, Any]:
    attributes = {"garment": garment.item, "category": garment.category_name}
    for name in _EDITABLE:
        value = getattr(garment, name)
        if value is not None:
            attributes[name] = str(value)
    shape = {"name": "polygon", "all_points_x": polygon[0::2], "all_points_y": polygon[1::2]}
    return {"shape_attributes": shape, "region_attributes": attributes}


def frame(name: str, images_path: str, plain: bool = False) -> tuple[bytes, bytes, bytes]:
    """What stands before the pictures, between them and the list of their keys, and after; ``plain`` has no list."""
    if plain:
        return b"{\n", b"", b"\n}\n"
    opening = b'{"_via_settings":' + orjson.dumps(settings(name, images_path)) + b',"_via_img_metadata":{\n'
    between = b'\n},"_via_attributes":' + orjson.dumps(attribute_definitions())
    between += b',"_via_data_format_version":"2.0.10","_via_image_id_list":[\n'
    return opening, between, b"\n]}\n"


def document(
    images: Iterable[tuple[AnnotatedImage, int]], name: str = "garments", images_path: str = "", plain: bool = False
) -> bytes:
    """The whole document from pictures and their sizes in bytes (-1: unknown), for sets that fit in memory."""
    rows = [(orjson.dumps(entry_key(image, size)), orjson.dumps(entry(image, size))) for image, size in images]
    opening, between, closing = frame(name, images_path, plain)
    keys = b"" if plain else between + b",\n".join(key for key, _ in rows)
    return opening + b",\n".join(key + b":" + row for key, row in rows) + keys + closing


def pictures_of(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The pictures of a project or of a plain region list, by VIA's keys."""
    listed: Mapping[str, Any] = value.get("_via_img_metadata", value)
    return listed


def read(
    value: Mapping[str, Any], name: str, findings: Findings, *, pictures: Pictures | None = None
) -> Iterator[AnnotatedImage]:
    """Every picture of a parsed document, in its order; what cannot be used becomes findings.

    ``pictures`` are asked for their sizes and orientations.
    """
    place = Place(findings, name)
    value = via_rows.as_project(value)
    options = via_classes.options_of(value)
    rows = pictures_of(value)
    names = [str(row.get("filename")) for row in rows.values() if isinstance(row, dict)]
    changed = identity.clashing_ids(dict.fromkeys(names))
    folder = pictures or Pictures(None)
    seen: set[str] = set()
    ids: set[int] = set()
    for row in via_rows.joined(rows, place):
        if not isinstance(row, dict):
            place.note("bad_field", f"expected an object for a picture, got {type(row).__name__}", "left out")
            continue
        stated = row.get("filename")
        found = folder.of(stated, Place(findings, stated)) if isinstance(stated, str) else None
        if not isinstance(stated, str) or (found is None and not identity.is_safe(stated)):
            message = f"filename: expected a name inside the image folder, got {stated!r:.60}"
            place.note("unsafe_name", message, "left out")
            continue
        file_name = stated if found is None else found.name
        here = Place(findings, file_name)
        if file_name in seen:
            here.note("duplicate_id", "the picture stands twice", "this one is left out")
            continue
        seen.add(file_name)
        image = _read_image(row, file_name, changed.get(stated), options, here)
        if image.image_id in ids:
            here.note("duplicate_id", f"image id {image.image_id} stands twice", "a new one is made from the name")
            image = replace(image, image_id=identity.hashed_id(file_name))
        ids.add(image.image_id)
        yield fit.fitted(image, None if found is None else found.header, here, upright=image.width > 0)


def _read_image(
    row: dict[str, Any], file_name: str, new_id: int | None, options: Options, place: Place
) -> AnnotatedImage:
    if not identity.is_six_digits(file_name):
        place.note("image_name", f"expected six digits, got {file_name[:60]!r}", "kept")
    attributes = row.get("file_attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    kept = _read_kept(attributes.get("fittingroom"), place)
    others = {k: v for k, v in attributes.items() if k not in ("source", "pair_id", "fittingroom")}
    stated_id = fields.integer(kept.get("image_id"), "image_id", place)
    fallback = identity.image_id(file_name) if new_id is None else new_id
    pair = attributes.get("pair_id")
    extra = kept.get("extra")
    width, height = fields.size(kept.get("width"), kept.get("height"), place)
    return AnnotatedImage(
        file_name=file_name,
        image_id=fallback if stated_id is None else stated_id,
        width=width,
        height=height,
        source=fields.text(attributes.get("source"), "source", place),
        pair_id=_edited(pair, None, "pair_id", place) if pair not in (None, "") else None,
        garments=_read_garments(row.get("regions", []), kept.get("garments"), others, options, place),
        extra={**(extra if isinstance(extra, dict) else {}), **others},
    )


def _read_kept(value: object, place: Place) -> dict[str, Any]:
    if value is None or value == "":
        return {}
    try:
        found = orjson.loads(value) if isinstance(value, str) else value
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        place.note("bad_field", "file attribute fittingroom: expected the JSON text we wrote", "left out")
        return {}
    return found


def _read_garments(
    regions: object, kept: object, of_file: Mapping[str, Any], options: Options, place: Place
) -> tuple[GarmentAnnotation, ...]:
    known: dict[str, Any] = kept if isinstance(kept, dict) else {}
    rows = list(regions.values()) if isinstance(regions, dict) else [] if regions is None else regions
    if not isinstance(rows, list):
        place.note("bad_field", "regions: expected a list", "left out")
        rows = []
    groups: dict[str, list[dict[str, Any]]] = {}
    alone = 0
    for row in rows:
        if not isinstance(row, dict):
            place.note("bad_field", f"regions: expected an object, got {type(row).__name__}", "left out")
            continue
        attributes = row.get("region_attributes")
        name = via_classes.groups_by(attributes, options) if isinstance(attributes, dict) else None
        if name is None:
            alone += 1
            while f"item{alone}" in known or f"item{alone}" in groups:
                alone += 1
            name = f"item{alone}"
        groups.setdefault(name, []).append(row)
    for item, row in known.items():
        if item in groups or not isinstance(row, dict):
            continue
        if row.get("polygons"):
            Place(place.findings, place.file, item).note("deleted_garment", "no region is left", "garment left out")
        else:
            groups[item] = []
    found = [
        garment
        for item, parts in _as_items(groups).items()
        if (garment := _read_garment(item, parts, known.get(item), of_file, options, place)) is not None
    ]
    if not found:
        place.note("no_garments", "expected regions, got none")
    return tuple(sorted(found, key=lambda garment: (len(garment.item), garment.item)))


def _as_items(groups: Mapping[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Group names as DeepFashion2 keys: ``item3`` stays, ``3`` becomes ``item3``, others get free numbers."""
    result: dict[str, list[dict[str, Any]]] = {}
    unnamed: list[list[dict[str, Any]]] = []
    for name, rows in groups.items():
        number = name.removeprefix("item")
        if number.isascii() and number.isdecimal() and f"item{number}" not in result:
            result[f"item{number}"] = rows
        else:
            unnamed.append(rows)
    index = 0
    for rows in unnamed:
        index += 1
        while f"item{index}" in result or f"item{index}" in groups:
            index += 1
        result[f"item{index}"] = rows
    return result


def _read_garment(
    item: str,
    rows: list[dict[str, Any]],
    kept: object,
    of_file: Mapping[str, Any],
    options: Options,
    image_place: Place,
) -> GarmentAnnotation | None:
    place = Place(image_place.findings, image_place.file, item)
    known: dict[str, Any] = kept if isinstance(kept, dict) else {}
    attributes: dict[str, Any] = {}
    for row in rows:  # the first region that says something speaks for the garment
        said = row.get("region_attributes")
        for key, value in (said if isinstance(said, dict) else {}).items():
            if value != "":
                attributes.setdefault(key, value)
    category_id, said_by = via_classes.category(attributes, of_file, known, options, place)
    if category_id is None:
        return None
    if not rows:
        place.note("empty_segmentation", "no region of this garment")
    used = {via_classes.GARMENT, *via_classes.CATEGORY_ATTRIBUTES, *_EDITABLE, said_by}
    extra = dict(known["extra"]) if isinstance(known.get("extra"), dict) else {}
    extra.update((key, value) for key, value in attributes.items() if key not in used)
    values = {name: _edited(attributes.get(name), known.get(name), name, place) for name in _EDITABLE}
    return GarmentAnnotation(
        item=item,
        category_id=category_id,
        segmentation=tuple(p for row in rows if (p := outline(row.get("shape_attributes"), place)) is not None),
        landmarks=fields.landmarks(known.get("landmarks"), place),
        box_xyxy=fields.box_xyxy(known.get("bounding_box"), place),
        style=values["style"],
        **fields.difficulty(((name, values[name]) for name in DIFFICULTY), place),
        extra=extra,
    )


def _edited(said: object, kept: object, name: str, place: Place) -> int | None:
    """A number that VIA holds as text: what the annotator sees wins over what we kept."""
    if said is None or said == "":
        return fields.integer(kept, name, place)
    if isinstance(said, str) and _WHOLE.fullmatch(said.strip()):
        return int(said)
    return fields.integer(said, name, place)
