"""VIA (VGG Image Annotator), as people draw in it and as Fittingroom writes it.

Format: robots.ox.ac.uk/~vgg/software/via, version 2.0. Where an edited region and what we kept of its garment both
speak, the region wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from fittingroom.annotations import fields, fit, identity
from fittingroom.annotations.fields import Place
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.formats import Format, Source, via_regions, via_rows
from fittingroom.annotations.formats.via_regions import Options, outline
from fittingroom.annotations.formats.via_writing import EDITABLE, WRITER
from fittingroom.annotations.model import AnnotatedImage, GarmentAnnotation
from fittingroom.annotations.pictures import Pictures

_WHOLE = re.compile(r"-?[0-9]{1,15}")


def read(source: Source, findings: Findings, verify: bool = False) -> Iterator[AnnotatedImage]:
    """Every picture of a document, in its order; what cannot be used becomes findings."""
    place = Place(findings, source.path.name)
    pictures, value = Pictures(source.images_dir, expected=verify), via_rows.as_project(source.document)
    options = via_regions.options_of(value)
    rows = via_rows.pictures_of(value)
    names = [str(row.get("filename")) for row in rows.values() if isinstance(row, dict)]
    changed = identity.clashing_ids(dict.fromkeys(names))
    seen: set[str] = set()
    ids: set[int] = set()
    for row in via_rows.joined(rows, place):
        if not isinstance(row, dict):
            place.note("bad_field", f"expected an object for a picture, got {type(row).__name__}", "left out")
            continue
        found = pictures.of_row(row.get("filename"), "filename", place)
        if found is None:
            continue
        file_name, header = found
        here = Place(findings, file_name)
        if file_name in seen:
            here.note("duplicate_id", "the picture stands twice", "this one is left out")
            continue
        seen.add(file_name)
        image = _read_image(row, file_name, changed.get(str(row.get("filename"))), options, here)
        if image.image_id in ids:
            here.note("duplicate_id", f"image id {image.image_id} stands twice", "a new one is made from the name")
            image = replace(image, image_id=identity.hashed_id(file_name))
        ids.add(image.image_id)
        yield fit.fitted(image, header, here, upright=image.width > 0)


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
        name = via_regions.groups_by(attributes, options) if isinstance(attributes, dict) else None
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
    category_id, said_by = via_regions.category(attributes, of_file, known, options, place)
    if category_id is None:
        return None
    if not rows:
        place.note("empty_segmentation", "no region of this garment")
    used = {via_regions.GARMENT, *via_regions.CATEGORY_ATTRIBUTES, *EDITABLE, said_by}
    extra = dict(known["extra"]) if isinstance(known.get("extra"), dict) else {}
    extra.update((key, value) for key, value in attributes.items() if key not in used)
    values = {name: _edited(attributes.get(name), known.get(name), name, place) for name in EDITABLE}
    segmentation = tuple(p for row in rows if (p := outline(row.get("shape_attributes"), place)) is not None)
    marks, box = known.get("landmarks"), known.get("bounding_box")
    return fields.garment(category_id, segmentation, marks, box, values, extra, place)


def _edited(said: object, kept: object, name: str, place: Place) -> int | None:
    """A number that VIA holds as text: what the annotator sees wins over what we kept."""
    if said is None or said == "":
        return fields.integer(kept, name, place)
    if isinstance(said, str) and _WHOLE.fullmatch(said.strip()):
        return int(said)
    return fields.integer(said, name, place)


FORMAT = Format(
    name="via",
    looks_like="VIA (regions)",
    sniff=lambda value, _path: via_rows.as_project(value) if via_rows.is_via(value) else None,
    read=read,
    rows=via_rows.pictures_of,
    name_field="filename",
    writer=WRITER,
)
