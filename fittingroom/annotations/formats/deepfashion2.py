"""DeepFashion2's own layout: ``image/000001.jpg`` and ``annos/000001.json``, one JSON file a picture.

Format: Ge et al., "DeepFashion2", CVPR 2019, and the dataset's README. Files seen in the wild differ from it (gaps in
``itemN``, byte-order marks, other spellings, reversed boxes); what that means is decided here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from fittingroom.annotations import fields, fit, identity, jsonfile
from fittingroom.annotations.fields import Place
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.formats import Files, Format, Rows, Source, Writer, fast_path
from fittingroom.annotations.jsonfile import UnreadableAnnotation, read_each
from fittingroom.annotations.model import DIFFICULTY, AnnotatedImage, GarmentAnnotation
from fittingroom.annotations.pictures import Pictures
from fittingroom.errors import AnnotationError, MissingInputError
from fittingroom.workspace import atomic_path

_FILES = "files"
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


def files_of(folder: Path) -> Files:
    """Every annotation file of a DeepFashion2 folder, sorted by name.

    Raises:
        MissingInputError: no such folder.
    """
    return Files(folders(folder)[0])


def open_files(path: Path) -> tuple[Files, Path] | None:
    """The annotation files of a folder, or the one file ``path``, and the folder of their pictures; None for another's.

    Raises:
        AnnotationError: an empty folder.
    """
    if not path.is_dir():
        return Files(path.parent, [path.name]), images_folder(_dataset(path))
    if path.name != "annos" and not (path / "annos").is_dir():
        return None
    annos, images = folders(path)
    files = Files(annos)
    if not files:
        raise AnnotationError(f"{path}: expected annotation files in annos/, got an empty folder")
    return files, images


def sniff(value: object, path: Path) -> object:
    """``value`` if it may be an annotation file: an object in ``annos``, or one with ``item1``, ``item2``, ..."""
    if isinstance(value, Mapping) and (path.parent.name == "annos" or any(key.startswith("item") for key in value)):
        return value
    return None


def _dataset(file: Path) -> Path:
    """The folder of the data set that an annotation file belongs to."""
    return file.parent.parent if file.parent.name == "annos" else file.parent


def read(source: Source, findings: Findings, _verify: bool = False) -> Iterator[AnnotatedImage]:
    """Every readable picture of a set's files, or of some of them; one unreadable file is a finding, never an end."""
    pictures = None if source.images_dir is None else Pictures(source.images_dir)

    def read_one(path: Path) -> AnnotatedImage:
        return read_file(path, findings, source.new_ids.get(path.name), pictures)

    yield from read_each(source.files or (), read_one, findings)


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
        pictures = Pictures(images_folder(_dataset(path)))
    sound_image = _read_sound(data, path.stem, image_id, pictures)
    if sound_image is not None:
        return sound_image
    value = jsonfile.parse(data, path.name, findings)
    if not isinstance(value, dict):
        raise UnreadableAnnotation("not_an_annotation", path.name, f"expected an object, got {type(value).__name__}")
    place = Place(findings, path.name)
    keys = Counter(_ITEM_IN_TEXT.findall(data))
    for key, times in keys.items():
        if times > 1 and key.decode() in value:
            place.note("duplicate_id", f"{key.decode()} stands {times} times", "the last one is read")
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
    return fast_path.read(data, found.name, int(stem) if image_id is None else image_id, found.header.stored)


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
    jsonfile.refuse_deep(extra, place.file)
    garments = tuple(
        garment
        for _, key in items
        if (garment := garment_from_json(value[key], Place(place.findings, place.file, key))) is not None
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


def garment_from_json(value: object, place: Place) -> GarmentAnnotation | None:
    """The ``itemN`` object at ``place``, or None with a finding when it is no garment of a known category."""
    if not isinstance(value, dict):
        place.note("bad_field", f"expected an object, got {type(value).__name__}", "garment left out")
        return None
    category_id = identity.category(value.get("category_id"), value.get("category_name"), place)
    if category_id is None:
        return None
    extra = {k: v for k, v in value.items() if k not in _GARMENT_FIELDS}
    jsonfile.refuse_deep(extra, place.file)
    return fields.garment(
        category_id,
        fields.segmentation(value.get("segmentation"), place),
        value.get("landmarks"),
        value.get("bounding_box"),
        value,
        extra,
        place,
    )


def to_json(image: AnnotatedImage) -> dict[str, Any]:
    """The picture as DeepFashion2 writes it, plus the fields we do not know; ``file_name`` and ``image_id`` only where
    the annotation file's name does not say them already."""
    value: dict[str, Any] = {}
    if image.source is not None:
        value["source"] = image.source
    if image.pair_id is not None:
        value["pair_id"] = image.pair_id
    stem = identity.annotation_stem(image.file_name)
    if image.file_name != f"{stem}.jpg":
        value["file_name"] = image.file_name
    if image.image_id != identity.image_id(image.file_name):
        value["image_id"] = image.image_id
    value.update((key, extra) for key, extra in image.extra.items() if key not in value)
    for garment in image.garments:
        value[garment.item] = garment_to_json(garment)
    return value


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


def _encode(images: Sequence[AnnotatedImage], _measures: object, _images_dir: object) -> Rows:
    for image in images:
        names = orjson.dumps([identity.annotation_stem(image.file_name), image.file_name])
        yield _FILES, names + b"\t" + orjson.dumps(to_json(image))  # no bare tab or newline in JSON


def _write_files(rows: Iterable[bytes], annos: Path, findings: Findings) -> None:
    """One file a picture; of two that would share a name (``1.jpg``, ``1.png``) the second gets another."""
    taken: set[str] = set()
    for row in rows:
        names, data = row.split(b"\t", 1)
        stem, file_name = orjson.loads(names)
        if stem in taken:
            stem = next(other for n in count(2) if (other := f"{stem}__{n}") not in taken)
            data = orjson.dumps({**orjson.loads(data), "file_name": file_name})
            findings.add("image_name", file_name, message="its name is taken", action=f"written as {stem}.json")
        taken.add(stem)
        # No fsync for each of 200,000 files: a run after a power loss writes them again.
        with atomic_path(annos / f"{stem}.json") as temporary:
            temporary.write_bytes(data)


FORMAT = Format(
    name="deepfashion2",
    looks_like="DeepFashion2 (item1, ...)",
    sniff=sniff,
    read=read,
    open_files=open_files,
    writer=Writer((_FILES,), _encode, "annos", write_files=_write_files),
    rank=1,
)
