"""DeepFashion2's own layout: ``image/000001.jpg`` and ``annos/000001.json``, one JSON file a picture.

Format: Ge et al., "DeepFashion2", CVPR 2019, and the dataset's README. Files seen in the wild differ from it (gaps in
``itemN``, byte-order marks, other spellings, reversed boxes); what that means is decided here.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, overload

import orjson

from fittingroom.annotations import fields, fit, identity, jsonfile, sound
from fittingroom.annotations.fields import Place
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.jsonfile import UnreadableAnnotation
from fittingroom.annotations.model import AnnotatedImage, GarmentAnnotation
from fittingroom.annotations.pictures import Pictures
from fittingroom.errors import MissingInputError
from fittingroom.names import NOT_UTF8, is_utf8
from fittingroom.workspace import atomic_path

DIFFICULTY = ("scale", "occlusion", "zoom_in", "viewpoint")

_ITEM = re.compile(r"item([0-9]+)")
_ITEM_IN_TEXT = re.compile(rb'"(item[0-9]+)"\s*:')
_GARMENT_FIELDS = frozenset(
    {"category_id", "category_name", "segmentation", "landmarks", "bounding_box", "style", *DIFFICULTY}
)


def folders(folder: Path) -> tuple[Path, Path]:
    """The folders of annotations and of pictures: ``annos`` and ``image`` (or ``images``) in ``folder``.

    Raises:
        MissingInputError: no such folder, or it holds no ``annos``.
    """
    folder = Path(folder)
    annos = folder if folder.name == "annos" and not (folder / "annos").is_dir() else folder / "annos"
    if not annos.is_dir():
        raise MissingInputError("folder of annotations", annos, "a DeepFashion2 folder holds image/ and annos/")
    return annos, images_folder(annos.parent)


def images_folder(folder: Path) -> Path:
    """The folder of pictures in a dataset's folder: ``images`` where there is one, else ``image``."""
    return folder / "images" if (folder / "images").is_dir() else folder / "image"


class AnnotationFiles(Sequence[Path]):
    """Annotation files of one folder, kept as names: 200,000 `Path` objects would take more memory than all else."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder, self.names = folder, tuple(names)

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> AnnotationFiles: ...
    def __getitem__(self, index: int | slice) -> Path | AnnotationFiles:
        if isinstance(index, slice):
            return AnnotationFiles(self.folder, self.names[index])
        return self.folder / self.names[index]


def annotation_files(folder: Path) -> AnnotationFiles:
    """Every annotation file of a DeepFashion2 folder, sorted by name.

    Raises:
        MissingInputError: no such folder.
    """
    annos, _ = folders(folder)
    names = (entry.name for entry in os.scandir(annos))
    return AnnotationFiles(annos, sorted(n for n in names if n.lower().endswith(".json") and not n.startswith(".")))


def read_folder(folder: Path, findings: Findings | None = None) -> Iterator[AnnotatedImage]:
    """Every readable picture of a folder, by name; one unreadable file is a finding, never an end.

    Raises:
        MissingInputError: no such folder.
    """
    findings = Findings() if findings is None else findings
    yield from read_files(annotation_files(folder), findings)


def read_files(files: Sequence[Path], findings: Findings, images_dir: Path | None = None) -> Iterator[AnnotatedImage]:
    """Every readable picture of a whole set of files, each with an image id of its own."""
    seen: set[int] = set()
    for image in read_some(files, findings, new_ids(files), images_dir):
        if image.image_id in seen:
            message = f"image_id {image.image_id} is another file's too"
            findings.add("duplicate_id", image.file_name, message=message, action="a new one is made from the name")
            image = replace(image, image_id=identity.hashed_id(image.file_name))
        seen.add(image.image_id)
        yield image


def read_some(
    files: Sequence[Path], findings: Findings, new_ids: Mapping[str, int], images_dir: Path | None = None
) -> Iterator[AnnotatedImage]:
    """Every readable picture of some files of a set, whose `new_ids` must be known: they follow from the whole set."""
    pictures = None if images_dir is None else Pictures(images_dir)
    for path in files:
        image = try_read_file(path, findings, new_ids.get(path.name), pictures)
        if image is not None:
            yield image


def new_ids(files: Sequence[Path]) -> dict[str, int]:
    """Image ids for the annotation files whose names share a number with another's, by file name."""
    names = files.names if isinstance(files, AnnotationFiles) else [path.name for path in files]
    stems = identity.clashing_ids(f"{os.path.splitext(name)[0]}.jpg" for name in names)  # noqa: PTH122  no slow Path
    return {f"{PurePosixPath(name).stem}.json": number for name, number in stems.items()}


def try_read_file(
    path: Path, findings: Findings, image_id: int | None = None, pictures: Pictures | None = None
) -> AnnotatedImage | None:
    """`read_file`, with a finding and None where that raises, or where the file's name is not UTF-8."""
    if not is_utf8(path.name):
        findings.add("name_not_utf8", path.name, message=NOT_UTF8, action="file left out")
        return None
    try:
        return read_file(path, findings, image_id, pictures)
    except UnreadableAnnotation as error:
        findings.add(error.kind, path.name, message=error.detail, action="file left out")
    except MissingInputError:
        findings.add("unreadable_json", path.name, message="the file has gone", action="file left out")
    return None


def read_file(
    path: Path, findings: Findings | None = None, image_id: int | None = None, pictures: Pictures | None = None
) -> AnnotatedImage:
    """One annotation file. Its picture, by default in ``../image/``, is asked only for its size and orientation.

    ``image_id`` takes the place of the number in the file's name.

    Raises:
        AnnotationError: not an annotation at all. MissingInputError: no such file.
    """
    findings = Findings() if findings is None else findings
    data = jsonfile.read_bytes(path, jsonfile.MAX_FILE_BYTES)
    if pictures is None:
        pictures = Pictures(images_folder(path.parent.parent if path.parent.name == "annos" else path.parent))
    sound_image = _read_sound(data, path.stem, image_id, pictures)
    if sound_image is not None:
        return sound_image
    value = jsonfile.parse(data, path.name, findings)
    if not isinstance(value, dict):
        raise UnreadableAnnotation("not_an_annotation", path.name, f"expected an object, got {type(value).__name__}")
    place = Place(findings, path.name)
    keys = Counter(_ITEM_IN_TEXT.findall(data))
    for key, count in keys.items():
        if count > 1 and key.decode() in value:
            place.note("duplicate_id", f"{key.decode()} stands {count} times", "the last one is read")
    image = from_json(value, path.stem, place, image_id)
    return _on_picture(image, pictures, place)


def _read_sound(data: bytes, stem: str, image_id: int | None, pictures: Pictures) -> AnnotatedImage | None:
    """The fast way: for a picture named and annotated as the README says; None otherwise."""
    if not identity.is_six_digits(stem):
        return None
    name = f"{stem}.jpg"
    found = pictures.exactly(name) or pictures.look(name, any_suffix=True)
    if found is None or found.header is None or found.header.orientation != 1 or "/" in found.name:
        return None
    return sound.read(data, found.name, int(stem) if image_id is None else image_id, found.header.stored)


def _on_picture(image: AnnotatedImage, pictures: Pictures, place: Place) -> AnnotatedImage:
    """``image`` with its picture's name on the disk, in pixels of that picture as it is seen."""
    name = image.file_name
    found = pictures.look(name, any_suffix=True)
    if found is None:
        place.note(
            "missing_image", f"expected {pictures.folder.name if pictures.folder else ''}/{name}", "size unknown"
        )
        return fit.fitted(image, None, place)
    if PurePosixPath(found.name).with_suffix("") != PurePosixPath(name).with_suffix(""):
        place.note("other_name", f"expected {name[:200]!r}", f"read as {found.name}")
    if found.header is None:
        place.note("image_unreadable", found.problem, "size unknown")
    return fit.fitted(replace(image, file_name=found.name), found.header, place)


def from_json(value: dict[str, Any], stem: str, place: Place, image_id: int | None = None) -> AnnotatedImage:
    """One picture from its parsed JSON; what cannot be used goes to ``place`` as findings.

    Raises:
        UnreadableAnnotation: nested deeper than any annotation.
    """
    items = sorted((int(found[1][:18]), key) for key in value if (found := _ITEM.fullmatch(key)))
    extra = {k: v for k, v in value.items() if k not in ("source", "pair_id") and not _ITEM.fullmatch(k)}
    file_name = extra.pop("file_name", None)
    if file_name is not None and not (isinstance(file_name, str) and identity.is_safe(file_name)):
        place.note("unsafe_name", f"file_name: {file_name!r:.60}", "the annotation file's own name is used")
        file_name = None
    stated_id = fields.integer(extra.pop("image_id", None), "image_id", place)
    name = file_name or f"{stem}.jpg"
    if not identity.is_six_digits(name):
        place.note("image_name", f"expected six digits, got {name[:60]!r}", "kept")
    if items and [number for number, _ in items] != list(range(1, len(items) + 1)):
        place.note("item_gap", ", ".join(key for _, key in items)[:100], "kept")
    if not items:
        place.note("no_garments", "expected item1, item2, ..., got none")
    if extra and jsonfile.too_deep(extra):
        raise UnreadableAnnotation("too_deep", place.file, "nested deeper than 200 levels")
    garments = tuple(
        garment
        for _, key in items
        if (garment := garment_from_json(value[key], key, Place(place.findings, place.file, key))) is not None
    )
    if image_id is None:
        image_id = identity.image_id(name) if stated_id is None else stated_id
    return AnnotatedImage(
        file_name=name,
        image_id=image_id,
        source=fields.text(value.get("source"), "source", place),
        pair_id=fields.integer(value.get("pair_id"), "pair_id", place),
        garments=garments,
        extra=extra,
    )


def garment_from_json(value: object, item: str, place: Place) -> GarmentAnnotation | None:
    """One ``itemN`` object, or None with a finding when it is no garment of a known category."""
    if not isinstance(value, dict):
        place.note("bad_field", f"expected an object, got {type(value).__name__}", "garment left out")
        return None
    category_id = identity.category(value.get("category_id"), value.get("category_name"), place)
    if category_id is None:
        return None
    extra = {k: v for k, v in value.items() if k not in _GARMENT_FIELDS}
    if extra and jsonfile.too_deep(extra):
        raise UnreadableAnnotation("too_deep", place.file, "nested deeper than 200 levels")
    return GarmentAnnotation(
        item=item,
        category_id=category_id,
        segmentation=fields.segmentation(value.get("segmentation"), place),
        landmarks=fields.landmarks(value.get("landmarks"), place),
        box_xyxy=fields.box_xyxy(value.get("bounding_box"), place),
        style=fields.integer(value.get("style"), "style", place),
        **fields.difficulty(((name, value.get(name)) for name in DIFFICULTY), place),
        extra=extra,
    )


def to_json(image: AnnotatedImage) -> dict[str, Any]:
    """The picture as DeepFashion2 writes it, plus the fields we do not know; ``file_name`` and ``image_id`` only where
    the annotation file's name does not say them already."""
    value: dict[str, Any] = {}
    if image.source is not None:
        value["source"] = image.source
    if image.pair_id is not None:
        value["pair_id"] = image.pair_id
    stem = annotation_stem(image)
    if image.file_name != f"{stem}.jpg":
        value["file_name"] = image.file_name
    if image.image_id != identity.image_id(image.file_name):
        value["image_id"] = image.image_id
    value.update((key, extra) for key, extra in image.extra.items() if key not in value)
    for garment in image.garments:
        value[garment.item] = garment_to_json(garment)
    return value


def annotation_stem(image: AnnotatedImage) -> str:
    """The name of the picture's annotation file without its suffix; pictures in folders keep the folder in the name."""
    return "__".join(PurePosixPath(image.file_name).with_suffix("").parts)


def garment_to_json(garment: GarmentAnnotation) -> dict[str, Any]:
    """One ``itemN`` object; fields that are not known are not written."""
    value: dict[str, Any] = {"category_id": garment.category_id, "category_name": garment.category_name}
    for name in ("style", *DIFFICULTY):
        if getattr(garment, name) is not None:
            value[name] = getattr(garment, name)
    if garment.box_xyxy is not None:
        value["bounding_box"] = list(garment.box_xyxy)
    value["segmentation"] = [list(polygon) for polygon in garment.segmentation]
    if garment.landmarks:
        value["landmarks"] = list(garment.landmarks)
    value.update((key, extra) for key, extra in garment.extra.items() if key not in value)
    return value


def write_file(image: AnnotatedImage, annos: Path) -> Path:
    """Write one picture's annotation into the folder ``annos``, atomically; returns the file."""
    return write_json_bytes(orjson.dumps(to_json(image)), annos, annotation_stem(image))


def write_json_bytes(data: bytes, annos: Path, stem: str) -> Path:
    """Write a finished annotation, atomically; returns the file."""
    path = Path(annos) / f"{stem}.json"
    with atomic_path(
        path
    ) as temporary:  # no fsync for each of 200,000 files: a run after a power loss writes them again
        temporary.write_bytes(data)
    return path
