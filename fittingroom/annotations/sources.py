"""What a path holds (DeepFashion2, COCO or VIA), and every picture in it, whichever it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from fittingroom.annotations import coco, deepfashion2, documents, jsonfile, layouts, via, via_rows
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.model import AnnotatedImage
from fittingroom.annotations.pictures import Pictures
from fittingroom.errors import AnnotationError, MissingInputError

Format = Literal["deepfashion2", "coco", "via"]
FORMATS: tuple[Format, ...] = ("deepfashion2", "coco", "via")


@dataclass(frozen=True)
class Source:
    """An opened source: annotation files (DeepFashion2) or one document (COCO, VIA), and where its pictures are.

    ``images_dir`` is the folder that file names are relative to; None when no such folder was found.
    """

    path: Path
    format: Format
    images_dir: Path | None
    files: Sequence[Path] = ()
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)


def open_source(path: Path, findings: Findings, images_dir: Path | None = None) -> Source:
    """Find out what ``path`` is: a DeepFashion2 folder or file, or a COCO or VIA document.

    Raises:
        MissingInputError: not there. AnnotationError: none of the three.
    """
    path = Path(path)
    if images_dir is not None and not Path(images_dir).is_dir():
        raise MissingInputError("folder of pictures", images_dir)
    if path.is_dir():
        return _open_folder(path, findings, images_dir)
    if not path.exists():
        raise MissingInputError("annotations", path)
    value = _value(path, findings)
    if isinstance(value, Mapping) and coco.is_coco(value):
        names = [row.get("file_name") for row in _sample(value["images"]) if isinstance(row, dict)]
        return Source(path, "coco", images_dir or layouts.folder_of_pictures(path, names), document=value)
    if via.is_via(value):
        value = via_rows.as_project(value)
        rows = islice(via.pictures_of(value).values(), layouts.SAMPLE)
        names = [row.get("filename") for row in rows if isinstance(row, dict)]
        return Source(path, "via", images_dir or layouts.folder_of_pictures(path, names), document=value)
    if isinstance(value, Mapping) and (path.parent.name == "annos" or any(key.startswith("item") for key in value)):
        beside = path.parent.parent if path.parent.name == "annos" else path.parent
        return Source(path, "deepfashion2", images_dir or deepfashion2.images_folder(beside), files=(path,))
    raise AnnotationError(
        f"{path}: expected COCO (images, annotations), VIA (regions) or DeepFashion2 (item1, ...), got none of these"
    )


def _value(path: Path, findings: Findings) -> object:
    try:
        return documents.parse(jsonfile.read_bytes(path, jsonfile.MAX_DOCUMENT_BYTES), path.name, findings)
    except jsonfile.UnreadableAnnotation as error:
        raise jsonfile.UnreadableAnnotation(error.kind, error.file, error.detail, path) from None


def _open_folder(path: Path, findings: Findings, images_dir: Path | None) -> Source:
    if path.name == "annos" or (path / "annos").is_dir():
        _, beside = deepfashion2.folders(path)
        files = deepfashion2.annotation_files(path)
        if not files:
            raise AnnotationError(f"{path}: expected annotation files in annos/, got an empty folder")
        return Source(path, "deepfashion2", images_dir or beside, files=files)
    documents = sorted(p for p in path.iterdir() if p.suffix.lower() == ".json" and not p.name.startswith("."))
    if len(documents) == 1:
        return open_source(documents[0], findings, images_dir)
    raise AnnotationError(
        f"{path}: expected annos/ with one JSON file a picture, or one COCO or VIA document, "
        f"got {len(documents)} documents"
    )


def _sample(rows: Sequence[Any]) -> list[Any]:
    """Some of a document's pictures, from all over it."""
    step = -(-len(rows) // layouts.SAMPLE) or 1
    return [rows[index] for index in range(0, len(rows), step)]


def count(source: Source) -> int:
    """Annotation files, or the pictures that a document lists."""
    if source.format == "deepfashion2":
        return len(source.files)
    listed = source.document.get("images") if source.format == "coco" else via.pictures_of(source.document)
    return len(listed or ())


def read(source: Source, findings: Findings, *, verify_area: bool = False) -> Iterator[AnnotatedImage]:
    """Every picture of an opened source; one bad picture is a finding.

    ``verify_area``: for a check, which compares a document's areas and wants its pictures to be there.
    """
    name = source.path.name
    if source.format == "coco":
        pictures = Pictures(source.images_dir, expected=verify_area)
        yield from coco.read(source.document, name, findings, verify_area=verify_area, pictures=pictures)
    elif source.format == "via":
        yield from via.read(source.document, name, findings, pictures=Pictures(source.images_dir, expected=verify_area))
    else:
        yield from deepfashion2.read_files(source.files, findings, source.images_dir)
