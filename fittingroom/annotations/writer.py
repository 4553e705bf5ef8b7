"""A part of a source in, ready-made rows of the output out; and the rows of all parts joined into the output.

A part knows nothing of the others, so parts are written in any order, in any process, and are done again without harm.
Rows are bytes of the final document: joining them is copying, and no list of all garments is ever in memory.
"""

from __future__ import annotations

import operator
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import BinaryIO

import orjson

from fittingroom.annotations import geometry
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.formats import ConvertSettings, Source, writer_of
from fittingroom.annotations.inspection import batches, measured
from fittingroom.annotations.model import AnnotatedImage, GarmentAnnotation
from fittingroom.annotations.parts import OnProgress, ReadPart, read_judged
from fittingroom.names import printable
from fittingroom.workspace import atomic_path

_FINDINGS = "findings"
_BETWEEN = b",\n"
_DEFAULTS = ConvertSettings()


def write_part(
    index: int,
    source: Source,
    on_progress: OnProgress | None = None,
    *,
    to: str,
    work: Path,
    settings: ConvertSettings,
) -> ReadPart:
    """Write the rows of a part of a source, and all its findings, into the folder ``work``."""
    writer = writer_of(to)
    work.mkdir(parents=True, exist_ok=True)
    paths = {kind: work / f"part-{index:05d}.{kind}" for kind in (*writer.kinds, _FINDINGS)}
    findings, part = Findings(per_kind=None), ReadPart(Findings(per_kind=20), paths=paths)
    with ExitStack() as stack:
        files = {kind: stack.enter_context(path.open("wb")) for kind, path in paths.items()}
        for read, measures in read_judged(source, findings, on_progress):
            batch = [_apply(image, settings, findings) for image in read]
            part.add(batch)
            same = all(map(operator.is_, batch, read))  # else a setting changed them
            for kind, row in writer.encode(batch, measures if same else measured(batch), source.images_dir):
                files[kind].write(row + _BETWEEN)
            _flush(findings, files[_FINDINGS], part.findings)
        _flush(findings, files[_FINDINGS], part.findings)
    return part


def _flush(findings: Findings, file: BinaryIO, few: Findings) -> None:
    """Write what was found since the last time and forget it, so that memory stays flat."""
    file.write(_lines(findings))
    for finding in findings.examples:
        few.put(finding)
    findings.examples.clear()


def _lines(findings: Findings) -> bytes:
    return b"".join(orjson.dumps({**asdict(row), "severity": row.severity}) + b"\n" for row in findings.examples)


def _apply(image: AnnotatedImage, settings: ConvertSettings, findings: Findings) -> AnnotatedImage:
    """What the settings ask for, each change with its finding."""
    garments = image.garments
    if settings.clip and image.width and image.height:
        garments = tuple(_clip(garment, image, findings) for garment in garments)
    if settings.without_polygons == "skip":
        for garment in garments:
            if not garment.segmentation:
                findings.add("left_out", image.file_name, garment.item, "no polygons", "garment left out")
        garments = tuple(garment for garment in garments if garment.segmentation)
    return image if garments is image.garments else replace(image, garments=garments)


def _clip(garment: GarmentAnnotation, image: AnnotatedImage, findings: Findings) -> GarmentAnnotation:
    beyond = geometry.overshoot(garment.segmentation, image.width, image.height)
    if beyond <= 0:
        return garment
    findings.add("clipped", image.file_name, garment.item, f"{beyond:g} pixels outside", "cut at the edge")
    cut = (geometry.clip_polygon(polygon, image.width, image.height) for polygon in garment.segmentation)
    return replace(garment, segmentation=tuple(polygon for polygon in cut if polygon))


def join(
    parts: Sequence[ReadPart],
    to: str,
    dst: Path,
    settings: ConvertSettings,
    images_dir: Path | None,
    opening: Findings,
    whole: Findings,
) -> Findings:
    """Join the rows of all parts, in the order given, into ``dst`` (a file, or the folder of files), atomically.

    All findings, one JSON line each, go next to it when there are any: those of ``opening`` the source, of the parts,
    and of the ``whole`` set, which gets what writing finds. Gives them all, with the first examples of each kind.
    """
    writer = writer_of(to)

    def paths(kind: str) -> list[Path]:
        return [part.paths[kind] for part in parts]

    if writer.frame is not None:
        folder = f"{printable(images_dir.resolve().as_posix())}/" if images_dir else ""
        pieces = writer.frame(printable(dst.stem), folder, settings)
        _join(dst, [piece if isinstance(piece, bytes) else paths(piece) for piece in pieces])
    if writer.write_files is not None:
        writer.write_files(_rows(path for kind in writer.kinds for path in paths(kind)), dst, whole)
    found = Findings()
    for each in (opening, *(part.findings for part in parts), whole):
        found.merge(each)
    log = dst.with_name(f"{dst.name}.findings.jsonl" if writer.frame is not None else "findings.jsonl")
    log.unlink(missing_ok=True)
    if found.total():
        _join(log, [_lines(opening), paths(_FINDINGS), _lines(whole)], separated=False)
    return found


def document(
    to: str,
    images: Iterable[AnnotatedImage],
    name: str = "garments",
    folder: str = "",
    images_dir: Path | None = None,
    settings: ConvertSettings = _DEFAULTS,
) -> bytes:
    """A whole document, for sets that fit in memory; ``folder`` is what it says of where the pictures are."""
    writer = writer_of(to)
    rows: dict[str, list[bytes]] = {kind: [] for kind in writer.kinds}
    for batch in batches(images):
        for kind, row in writer.encode(batch, measured(batch), images_dir):
            rows[kind].append(row)
    pieces = writer.frame(name, folder, settings) if writer.frame is not None else ()
    return b"".join(piece if isinstance(piece, bytes) else _BETWEEN.join(rows[piece]) for piece in pieces)


def _rows(paths: Iterable[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as lines:
            for line in lines:
                yield line.removesuffix(_BETWEEN)


def _join(dst: Path, pieces: Sequence[bytes | list[Path]], separated: bool = True) -> None:
    """Write literal bytes and files one after the other; in a list of files the very last comma goes."""
    with atomic_path(dst) as temporary, temporary.open("wb") as out:
        for piece in pieces:
            if isinstance(piece, bytes):
                out.write(piece)
                continue
            start = out.tell()
            for path in piece:
                with path.open("rb") as part:
                    shutil.copyfileobj(part, out, 2**20)
            if separated and out.tell() > start:
                out.seek(-len(_BETWEEN), os.SEEK_END)
                out.truncate()
        out.flush()
        os.fsync(out.fileno())
