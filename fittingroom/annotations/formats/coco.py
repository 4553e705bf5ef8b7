"""COCO instances with keypoints, one JSON document, whichever tool wrote it.

Format: cocodataset.org, "Data format".
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fittingroom.annotations import fields, fit, geometry, identity, jsonfile, rle
from fittingroom.annotations.fields import Place
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.formats import Format, Source
from fittingroom.annotations.formats.coco_writing import DESCRIPTION, GARMENT_FIELDS, IMAGE_FIELDS, WRITER
from fittingroom.annotations.headers import Header
from fittingroom.annotations.identity import Key
from fittingroom.annotations.model import AnnotatedImage, GarmentAnnotation, Polygon
from fittingroom.annotations.pictures import Pictures
from fittingroom.boxes import xywh_to_xyxy
from fittingroom.categories import LANDMARK_COUNTS

_ALL_LANDMARKS = sum(LANDMARK_COUNTS.values())


def sniff(value: object, _path: object = None) -> object:
    """``value`` if it has COCO's two lists, or that of pictures and categories (an "image info" file)."""
    if not isinstance(value, Mapping):
        return None
    images, rows = value.get("images"), value.get("annotations")
    rows = [] if rows is None and "categories" in value else rows
    lists = all(isinstance(each, Sequence) and not isinstance(each, str) for each in (images, rows))
    return value if lists else None


def read(source: Source, findings: Findings, verify: bool = False) -> Iterator[AnnotatedImage]:
    """Every picture of a document, in its order; what cannot be used becomes findings under the document's name.

    ``verify`` compares each stated area with the mask's, which takes the time of drawing every mask.
    """
    value, pictures = source.document, Pictures(source.images_dir, expected=verify)
    place = Place(findings, source.path.name)
    for field in ("info", "licenses"):
        stated = value.get(field)
        if stated and not (isinstance(stated, dict) and stated.get("description") == DESCRIPTION):
            place.note("document_field", field, "not carried over")
    info = value.get("info")
    ours = isinstance(info, dict) and info.get("description") == DESCRIPTION
    names = _category_names(value.get("categories"), place)
    annotations = value.get("annotations") or []
    by_image = _by_image(annotations, place)
    listed = _Listed(pictures, place)
    for record in value["images"]:
        found = listed.read(record)
        if found is None:
            continue
        key, image, header = found
        here = Place(findings, image.file_name)
        rows = [annotations[index] for index in by_image.pop(key, ())]
        if not rows:
            here.note("no_garments", "no annotation names this picture")
        if image.pair_id is None and (pair := _shared_pair(rows)) is not None:
            image = replace(image, pair_id=pair)
            rows = [{name: value for name, value in row.items() if name != "pair_id"} for row in rows]
        taken: set[str] = {row["item"] for row in rows if isinstance(row.get("item"), str)}
        garments = tuple(
            garment
            for index, row in enumerate(rows, start=1)
            if (garment := _read_garment(row, _item(row, index, taken), names, here)) is not None
        )
        if verify:
            _verify_areas(image, rows, garments, here)
        yield fit.fitted(_with_garments(image, garments, here), header, here, upright=ours)
    for image_id, orphans in by_image.items():
        message = f"image_id {image_id!r:.60}: no such image, {len(orphans)} annotations"
        place.note("orphan_annotation", message, "left out")


def _verify_areas(
    image: AnnotatedImage, rows: list[dict[str, Any]], garments: tuple[GarmentAnnotation, ...], place: Place
) -> None:
    if len(rows) != len(garments):
        return  # a row was refused, and that is a finding already
    for row, garment in zip(rows, garments, strict=True):
        stated = fields.number(row["area"], "area", place) if row.get("area") is not None else None
        if stated is None or not garment.segmentation or rle.KEPT in garment.extra:
            continue
        area = geometry.mask_area(garment.segmentation, image.width, image.height)
        if abs(stated - area) > max(10, 0.02 * area):
            here = Place(place.findings, place.file, garment.item)
            here.note("area_mismatch", f"area: expected {area}, the mask's, got {stated}", "computed anew")


def _category_names(value: object, place: Place) -> dict[Key, str] | None:
    """The document's own table by normalised ids; None where it has none, and ids mean ours."""
    if not isinstance(value, list) or not value:
        return None
    names: dict[Key, str] = {}
    for row in value:
        number = identity.key(row.get("id")) if isinstance(row, dict) else None
        if number is None or not isinstance(row.get("name"), str):
            place.note("bad_field", "categories: expected objects with id and name", "left out")
            continue
        if number in names:
            place.note("duplicate_id", f"category id {number!r:.40} stands twice", "the last one is read")
        names[number] = row["name"]
    if any(type(row.get("id")) is not int for row in value if isinstance(row, dict)):
        place.note("foreign_id", "category ids that are no whole numbers", "read as they stand")
    return names


def _by_image(rows: Sequence[object], place: Place) -> dict[Key, array[int]]:
    """Where in ``rows`` each image's annotations stand."""
    by_image: dict[Key, array[int]] = defaultdict(lambda: array("q"))
    ids: set[Key] = set()
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            place.note("bad_field", f"annotations: expected an object, got {type(row).__name__}", "left out")
            continue
        number = identity.key(row.get("id"))
        if number is not None and number in ids:
            place.note("duplicate_id", f"annotation id {number!r:.40} stands twice", "both are kept")
        if number is not None:
            ids.add(number)
        image_id = identity.key(row.get("image_id"))
        if image_id is None:
            place.note("orphan_annotation", f"annotation {number!r:.40}: expected an image_id, got none", "left out")
        else:
            by_image[image_id].append(index)
    return by_image


class _Listed:
    """The rows of ``images`` one after the other: which ids are taken, and which pictures they mean."""

    def __init__(self, pictures: Pictures, place: Place) -> None:
        self._pictures, self._place = pictures, place
        self._keys: set[Key] = set()
        self._made: set[int] = set()
        self._foreign = False

    def read(self, record: object) -> tuple[Key, AnnotatedImage, Header | None] | None:
        """What annotations call the picture, the picture without garments, and its header where it is there."""
        place = self._place
        if not isinstance(record, dict):
            place.note("bad_field", f"images: expected an object, got {type(record).__name__}", "left out")
            return None
        found = self._pictures.of_row(record.get("file_name"), "file_name", place)
        if found is None:
            return None
        name, header = found
        here = Place(place.findings, name)
        key = identity.key(record.get("id"))
        if key is None:
            key = identity.image_id(name)
            here.note("bad_field", "id: expected a number, got none", f"read as {key}")
        if key in self._keys:
            here.note("duplicate_id", f"image id {key!r:.60} stands twice", "this image is left out")
            return None
        self._keys.add(key)
        if not identity.is_six_digits(name):
            here.note("image_name", f"expected six digits, got {name[:60]!r}", "kept")
        width, height = fields.size(record.get("width"), record.get("height"), here)
        image = AnnotatedImage(
            file_name=name,
            image_id=self._number(key, name),
            width=width,
            height=height,
            source=fields.text(record.get("source"), "source", here),
            pair_id=fields.integer(record.get("pair_id"), "pair_id", here),
            extra=_extra_of(record, IMAGE_FIELDS, here),
        )
        return key, image, header

    def _number(self, key: Key, name: str) -> int:
        """The picture's number with us: its id where that is one, or else made from its name."""
        if type(key) is int and abs(key) <= fields.LARGEST and key not in self._made:
            return key
        if not isinstance(key, int) and not self._foreign:
            self._foreign = True
            self._place.note("foreign_id", f"image ids such as {key!r:.60}", "numbered by the pictures' names")
        number = identity.image_id(name)
        if number in self._keys or number in self._made:
            number = identity.hashed_id(name)
        while number in self._keys or number in self._made:
            number += 1
        self._made.add(number)
        return number


def _with_garments(image: AnnotatedImage, garments: tuple[GarmentAnnotation, ...], place: Place) -> AnnotatedImage:
    ordered = tuple(sorted(garments, key=lambda garment: (len(garment.item), garment.item)))
    if len({garment.item for garment in ordered}) < len(ordered):
        place.note("duplicate_id", "two annotations of one item", "numbered anew")
        ordered = tuple(replace(garment, item=f"item{index}") for index, garment in enumerate(ordered, start=1))
    return replace(image, garments=ordered)


def _item(row: Mapping[str, Any], index: int, taken: set[str]) -> str:
    item = row.get("item")
    if isinstance(item, str) and item.removeprefix("item").isdecimal() and item.startswith("item"):
        return item
    while f"item{index}" in taken:
        index += 1
    taken.add(f"item{index}")
    return f"item{index}"


def _read_garment(
    row: dict[str, Any], item: str, names: Mapping[Key, str] | None, image_place: Place
) -> GarmentAnnotation | None:
    place = Place(image_place.findings, image_place.file, item)
    category_id = _category(identity.key(row.get("category_id")), names, place)
    if category_id is None:
        return None
    extra = _extra_of(row, GARMENT_FIELDS, place)
    stated, segmentation = row.get("segmentation"), tuple[Polygon, ...]()
    if isinstance(stated, dict):
        extra.update(_kept_rle(stated, row, place))
    else:
        segmentation = fields.segmentation(stated, place)
    points = _own_keypoints(row.get("keypoints"), category_id, place)
    return fields.garment(category_id, segmentation, points, _stated_box(row, place), row, extra, place)


def _category(number: Key | None, names: Mapping[Key, str] | None, place: Place) -> int | None:
    """By the document's own table where it has one, in which numbers mean what it says and never ours."""
    if names is None:
        if isinstance(number, str):
            return identity.category(None, number, place, trust_name=True)
        return identity.category(number, None, place)
    name = names.get(number) if number is not None else None
    if name is None and isinstance(number, str) and number in names.values():
        name = number  # the name where its id belongs
    if name is None:
        message = f"category_id {number!r:.40}: not in the document's own table"
        place.note("unknown_category", message, "garment left out")
        return None
    return identity.category(None, name, place, trust_name=True)


def _own_keypoints(value: object, category_id: int, place: Place) -> object:
    """A category's own part of a row of all categories' landmarks, as the dataset's conversion script writes it."""
    if not isinstance(value, list) or len(value) != 3 * _ALL_LANDMARKS:
        return value
    start = 3 * sum(count for category, count in LANDMARK_COUNTS.items() if category < category_id)
    end = start + 3 * LANDMARK_COUNTS[category_id]
    if any(value[:start]) or any(value[end:]):
        return value  # not that script's: its rows are 0 but for the category's own part
    place.note(
        "shared_landmarks", f"{_ALL_LANDMARKS} landmarks, expected {LANDMARK_COUNTS[category_id]}", "own part read"
    )
    return value[start:end]


def _shared_pair(rows: Sequence[Mapping[str, Any]]) -> int | None:
    """The ``pair_id`` on which all of a picture's annotations agree: the dataset's conversion script puts it there."""
    stated = {None if "item" in row else row.get("pair_id") for row in rows}  # with an item it is not that script's
    pair = stated.pop() if len(stated) == 1 else None
    return pair if type(pair) is int else None


def _stated_box(row: Mapping[str, Any], place: Place) -> object:
    if "item" in row or "bounding_box" in row:  # written by us: bbox is computed, and absent means absent
        return row.get("bounding_box")
    value = row.get("bbox")
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 4:
        place.note("bad_box", "bbox: expected x, y, width, height", "left out")
        return None
    found = fields.numbers(value, "bbox", place)
    return None if found is None else list(xywh_to_xyxy((found[0], found[1], found[2], found[3])))


def _kept_rle(stated: dict[str, Any], row: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """A run-length mask, for `fit.fitted` to outline."""
    try:
        mask = rle.decode(stated)
    except ValueError as error:
        place.note("bad_segmentation", str(error), "segmentation left out")
        return {}
    if not mask.any():
        place.note("empty_segmentation", "a run-length mask of no pixel")
        return {}
    place.note("rle_segmentation", "a run-length mask", "outlined as polygons, the original kept")
    return {rle.KEPT: {"iscrowd": 1 if row.get("iscrowd") else 0, "segmentation": stated}}


def _extra_of(record: Mapping[str, Any], reserved: frozenset[str], place: Place) -> dict[str, Any]:
    extra = {key: value for key, value in record.items() if key not in reserved}
    kept = record.get("extra")
    if isinstance(kept, dict):
        extra.update(kept)
    elif kept is not None:
        extra["extra"] = kept
    jsonfile.refuse_deep(extra, place.file)
    return extra


FORMAT = Format(
    name="coco",
    looks_like="COCO (images, annotations)",
    sniff=sniff,
    read=read,
    rows=lambda document: document["images"],
    writer=WRITER,
)
