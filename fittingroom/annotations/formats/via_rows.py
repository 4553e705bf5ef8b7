"""VIA's files of any version as VIA 2 has them: projects, region lists, rows of its CSV as JSON, VIA 3 projects.

Format: robots.ox.ac.uk/~vgg/software/via. VIA 3 gives shapes as numbers (``[7, x1, y1, ...]``, the first says which),
attributes by id and options by id; the CSV has one row a region, its objects as JSON text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from fittingroom.annotations.fields import Place

_PICTURE_FIELDS = ("regions", "size", "file_attributes", "base64_img_data")
_CSV_FIELDS = ("region_shape_attributes", "region_attributes")
_CSV_ROW = " csv row"
_SHAPES: dict[int, tuple[str, tuple[str, ...]]] = {
    1: ("point", ("cx", "cy")),
    2: ("rect", ("x", "y", "width", "height")),
    3: ("circle", ("cx", "cy", "r")),
    4: ("ellipse", ("cx", "cy", "rx", "ry", "theta")),
    5: ("line", ()),
}
_OUTLINES = {6: "polyline", 7: "polygon"}


def is_via(value: object) -> bool:
    """Whether a parsed document is a VIA project, a region list or the rows of its CSV."""
    if isinstance(value, list):
        return bool(value) and all(
            isinstance(row, dict) and "filename" in row and any(f in row for f in _CSV_FIELDS) for row in value[:20]
        )
    if not isinstance(value, Mapping):
        return False
    if isinstance(value.get("_via_img_metadata"), Mapping) or _is_via3(value):
        return True
    rows = value.values()
    return bool(value) and all(isinstance(row, dict) and "filename" in row for row in rows) and any(
        field in row for row in rows for field in _PICTURE_FIELDS
    )  # fmt: skip


def _is_via3(value: Mapping[str, Any]) -> bool:
    return all(isinstance(value.get(key), Mapping) for key in ("file", "metadata", "attribute", "view"))


def as_project(value: Any) -> Mapping[str, Any]:
    """A document that `is_via`, as VIA 2's project or region list; one that is that already as it is."""
    if isinstance(value, list):
        return dict(_csv_pictures(value))
    if "_via_img_metadata" not in value and _is_via3(value):
        return {"_via_img_metadata": dict(_via3_pictures(value)), "_via_attributes": _via3_attributes(value)}
    return value  # type: ignore[no-any-return]


def pictures_of(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The pictures of a project or of a plain region list, by VIA's keys."""
    listed: Mapping[str, Any] = value.get("_via_img_metadata", value)
    return listed


def _csv_pictures(rows: list[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row of the CSV as a picture of one region; rows of one picture are put together by the reader."""
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            yield str(index), row
            continue
        shape, attributes = (_object(row.get(field)) for field in _CSV_FIELDS)
        region = {"shape_attributes": shape, "region_attributes": attributes}
        yield (
            str(index),
            {
                "filename": row.get("filename"),
                "regions": [region] if shape else [],
                "file_attributes": _object(row.get("file_attributes")),
                _CSV_ROW: True,
            },
        )


def _object(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _via3_attributes(value: Mapping[str, Any]) -> dict[str, Any]:
    rows = [row for row in value["attribute"].values() if isinstance(row, dict)]
    return {"region": {str(row.get("aname")): {"options": row.get("options")} for row in rows}}


def _via3_pictures(value: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    names = {str(key): row.get("aname") for key, row in value["attribute"].items() if isinstance(row, dict)}
    regions: dict[str, list[dict[str, Any]]] = {}
    about: dict[str, dict[str, Any]] = {}
    for row in value["metadata"].values():
        if not isinstance(row, dict):
            continue
        stated, shape = row.get("av"), row.get("xy")
        said = {str(names.get(str(key), key)): v for key, v in stated.items()} if isinstance(stated, dict) else {}
        view = str(row.get("vid"))
        if isinstance(shape, list) and shape:
            region = {"shape_attributes": _via3_shape(shape), "region_attributes": said}
            regions.setdefault(view, []).append(region)
        else:
            about.setdefault(view, {}).update(said)
    for view, row in value["view"].items():
        listed = row.get("fid_list") if isinstance(row, dict) else None
        file = value["file"].get(str(listed[0])) if isinstance(listed, list) and listed else None
        name = file.get("fname") if isinstance(file, dict) else None
        yield (
            str(view),
            {
                "filename": name,
                "regions": regions.get(str(view), []),
                "file_attributes": about.get(str(view), {}),
            },
        )


def _via3_shape(xy: list[Any]) -> dict[str, Any]:
    kind, numbers = xy[0], xy[1:]
    if kind in _OUTLINES:
        return {"name": _OUTLINES[kind], "all_points_x": numbers[0::2], "all_points_y": numbers[1::2]}
    name, fields = _SHAPES.get(kind, (str(kind)[:20], ())) if isinstance(kind, int) else (str(kind)[:20], ())
    return {"name": name, **dict(zip(fields, numbers, strict=False))}


def joined(rows: Mapping[str, Any], place: Place) -> Iterator[Any]:
    """The pictures in order; one that stands several times (merged projects, rows of the CSV) once, with all regions.

    Two of one name but of different sizes in bytes are two pictures, and stay two.
    """
    standing: dict[tuple[str, int], list[str]] = {}
    for key, row in rows.items():
        if isinstance(row, dict) and isinstance(row.get("filename"), str):
            standing.setdefault(_picture(row), []).append(key)
    many = {picture: keys for picture, keys in standing.items() if len(keys) > 1}
    later = {key for keys in many.values() for key in keys[1:]}
    for key, row in rows.items():
        if key in later:
            continue
        keys = many.get(_picture(row)) if isinstance(row, dict) and many else None
        yield row if keys is None else _merged([rows[other] for other in keys], place)


def _picture(row: dict[str, Any]) -> tuple[str, int]:
    size = row.get("size")
    return str(row.get("filename")), size if type(size) is int and size > 0 else 0


def _merged(rows: list[dict[str, Any]], place: Place) -> dict[str, Any]:
    regions: list[Any] = []
    for row in rows:
        stated = row.get("regions")
        more = list(stated.values()) if isinstance(stated, dict) else stated if isinstance(stated, list) else []
        before = list(regions)
        regions += [region for region in more if region not in before]
    whole = {name: value for row in reversed(rows) for name, value in row.items() if value}
    if _CSV_ROW not in rows[0]:
        name = str(rows[0].get("filename"))
        Place(place.findings, name).note("repeated_picture", f"stands {len(rows)} times", "its regions put together")
    return {**whole, "regions": regions}
