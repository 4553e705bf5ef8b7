"""What a path holds, whichever format it is in, and every picture in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fittingroom.annotations import documents, jsonfile
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.formats import Format, Source, all_formats
from fittingroom.annotations.model import AnnotatedImage
from fittingroom.annotations.pictures import folder_of_pictures
from fittingroom.errors import AnnotationError, MissingInputError

_SAMPLE = 20
"""Pictures of a document that are looked for, to find out where they lie."""


def open_source(path: Path, findings: Findings, images_dir: Path | None = None) -> Source:
    """Find out what ``path`` is: a folder of annotation files, one of them, a document, or a folder that holds one.

    Raises:
        MissingInputError: not there. AnnotationError: in none of the formats.
    """
    path = Path(path)
    if images_dir is not None and not Path(images_dir).is_dir():
        raise MissingInputError("folder of pictures", images_dir)
    if path.is_dir():
        return _open_folder(path, findings, images_dir)
    if not path.exists():
        raise MissingInputError("annotations", path)
    value = _value(path, findings)
    for each in all_formats().values():
        if (document := each.sniff(value, path)) is not None:
            if each.rows is None:
                return _of_files(each, path, images_dir) or _none_of_these(path)
            beside = images_dir or folder_of_pictures(path, _some_names(each, document))
            return Source(path, each.name, beside, document=document)
    return _none_of_these(path)


def _none_of_these(path: Path) -> Source:
    *first, last = (each.looks_like for each in all_formats().values())
    raise AnnotationError(f"{path}: expected {', '.join(first)} or {last}, got none of these")


def _value(path: Path, findings: Findings) -> object:
    try:
        return documents.parse(jsonfile.read_bytes(path, jsonfile.MAX_DOCUMENT_BYTES), path.name, findings)
    except jsonfile.UnreadableAnnotation as error:
        raise jsonfile.UnreadableAnnotation(error.kind, error.file, error.detail, path) from None


def _open_folder(path: Path, findings: Findings, images_dir: Path | None) -> Source:
    for each in all_formats().values():
        if (source := _of_files(each, path, images_dir)) is not None:
            return source
    documents = sorted(p for p in path.iterdir() if p.suffix.lower() == ".json" and not p.name.startswith("."))
    if len(documents) == 1:
        return open_source(documents[0], findings, images_dir)
    raise AnnotationError(
        f"{path}: expected annos/ with one JSON file a picture, or one COCO or VIA document, "
        f"got {len(documents)} documents"
    )


def _of_files(each: Format, path: Path, images_dir: Path | None) -> Source | None:
    found = each.open_files(path) if each.open_files is not None else None
    if found is None:
        return None
    files, beside = found
    return Source(path, each.name, images_dir or beside, files, new_ids=files.new_ids())


def _some_names(each: Format, document: Any) -> list[object]:
    """Some of a document's pictures, from all over it."""
    rows = each.rows(document) if each.rows is not None else ()
    places: Sequence[Any] = range(len(rows)) if isinstance(rows, Sequence) else list(rows)
    some = [rows[place] for place in places[:: -(-len(places) // _SAMPLE) or 1]]
    return [row.get(each.name_field) for row in some if isinstance(row, Mapping)]


def count(source: Source) -> int:
    """Annotation files, or the pictures that a document lists."""
    if source.files is not None:
        return len(source.files)
    rows = all_formats()[source.format].rows
    return len(rows(source.document) or ()) if rows is not None else 0


def read(source: Source, findings: Findings, *, verify: bool = False) -> Iterator[AnnotatedImage]:
    """Every picture of an opened source; one bad picture is a finding.

    ``verify``: for a check, which compares a document's areas and wants its pictures to be there.
    """
    return all_formats()[source.format].read(source, findings, verify)
