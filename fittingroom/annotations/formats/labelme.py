"""LabelMe, read only: one JSON file a picture, with ``shapes``, next to the pictures (github.com/wkentaro/labelme).

A label is one of the 13 categories; shapes of one label and ``group_id`` are one garment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fittingroom.annotations import fields, fit, identity, jsonfile
from fittingroom.annotations.fields import Place
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.formats import Files, Format, Source
from fittingroom.annotations.formats.via_regions import outline
from fittingroom.annotations.model import AnnotatedImage, GarmentAnnotation
from fittingroom.annotations.pictures import Pictures, folder_of_pictures


def _sniff(value: object, _path: object = None) -> object:
    return value if isinstance(value, Mapping) and "imagePath" in value and "shapes" in value else None


def _open_files(path: Path) -> tuple[Files, Path] | None:
    files = Files(path) if path.is_dir() else Files(path.parent, [path.name])
    try:
        value: Any = jsonfile.parse(jsonfile.read_bytes(files[0], jsonfile.MAX_FILE_BYTES), path.name, Findings())
    except (IndexError, jsonfile.UnreadableAnnotation):
        return None
    return (files, folder_of_pictures(files[0], [value["imagePath"]]) or files.folder) if _sniff(value) else None


def _read(source: Source, findings: Findings, verify: bool = False) -> Iterator[AnnotatedImage]:
    pictures = Pictures(source.images_dir, expected=verify)
    found = jsonfile.read_each(source.files or (), lambda path: _read_file(path, source, pictures, findings), findings)
    yield from (image for image in found if image is not None)


def _read_file(path: Path, source: Source, pictures: Pictures, findings: Findings) -> AnnotatedImage | None:
    value = jsonfile.parse(jsonfile.read_bytes(path, jsonfile.MAX_FILE_BYTES), path.name, findings)
    if not isinstance(value, dict) or not isinstance(value.get("shapes"), list):
        raise jsonfile.UnreadableAnnotation("not_an_annotation", path.name, "expected an object with shapes")
    found = pictures.of_row(value.get("imagePath"), "imagePath", Place(findings, path.name))
    if found is None:
        return None
    name, header = found
    groups: dict[object, list[dict[str, Any]]] = {}
    for index, shape in enumerate(shape if isinstance(shape, dict) else {} for shape in value["shapes"]):
        group = shape.get("group_id")
        groups.setdefault(index if group is None else f"{shape.get('label')} {group}", []).append(shape)
    rows = [_garment(rows, Place(findings, name, f"item{n}")) for n, rows in enumerate(groups.values(), start=1)]
    if not rows:
        findings.add("no_garments", name, message="expected shapes, got none")
    number = source.new_ids.get(path.name, identity.image_id(name))
    width, height = fields.size(value.get("imageWidth"), value.get("imageHeight"), Place(findings, name))
    image = AnnotatedImage(name, number, width, height, garments=tuple(row for row in rows if row is not None))
    return fit.fitted(image, header, Place(findings, name))


def _garment(shapes: list[dict[str, Any]], place: Place) -> GarmentAnnotation | None:
    category_id = identity.category(None, shapes[0].get("label"), place, trust_name=True)
    if category_id is None:
        return None
    polygons = tuple(found for shape in shapes if (found := outline(_as_region(shape), place)) is not None)
    return fields.garment(category_id, polygons, None, None, {}, {}, place)


def _as_region(shape: dict[str, Any]) -> dict[str, Any]:
    """A shape as VIA has it; a rectangle is two opposite corners."""
    points, kind = shape.get("points"), shape.get("shape_type", "polygon")
    if not isinstance(points, list) or not all(isinstance(point, list) and len(point) == 2 for point in points):
        return {"name": "polygon", "all_points_x": [], "all_points_y": [None]}
    xs, ys = ([point[axis] for point in points] for axis in (0, 1))
    if kind == "rectangle" and len(points) == 2:
        xs, ys, kind = [xs[0], xs[1], xs[1], xs[0]], [ys[0], ys[0], ys[1], ys[1]], "polygon"
    return {"name": kind, "all_points_x": xs, "all_points_y": ys}


FORMAT = Format("labelme", "LabelMe (shapes)", _sniff, _read, open_files=_open_files)
