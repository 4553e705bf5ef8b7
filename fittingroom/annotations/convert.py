"""Convert annotations from any of the three formats to any other, with a report in which nothing is missing."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.table import Table

from fittingroom.annotations import parts, sources
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.formats import ConvertSettings, writer_of
from fittingroom.annotations.parts import OnProgress
from fittingroom.annotations.writer import join, write_part
from fittingroom.errors import InputError, NothingProduced, SettingError
from fittingroom.names import printable
from fittingroom.outputs import made_folder


@dataclass(frozen=True)
class ConversionReport:
    """What was read, what was written where, and every finding's kind with its count.

    ``files_read`` counts annotation files, or the pictures a document lists.
    """

    source: Path
    source_format: str
    target: Path
    target_format: str
    files_read: int
    images: int
    garments: int
    polygons: int
    findings: Findings

    @property
    def fell_short(self) -> bool:
        """Whether anything was wrong enough to be an error."""
        return self.findings.total("error") > 0

    def to_json(self) -> dict[str, Any]:
        """A JSON value."""
        named = {"source": printable(self.source), "target": printable(self.target)}
        return vars(self) | named | {"findings": self.findings.to_json()}

    def table(self) -> Table | str:
        """The findings by kind, for `rich`."""
        title = (
            f"{self.source_format} to {self.target_format}: {self.images:,} of {self.files_read:,} images, "
            f"{self.garments:,} garments, {self.polygons:,} polygons"
        )
        return self.findings.table(title)


def convert(
    src: Path,
    dst: Path,
    to: str,
    *,
    settings: ConvertSettings = ConvertSettings(),  # noqa: B008  frozen
    images_dir: Path | None = None,
    workers: int = 1,
    shard_size: int = parts.SHARD_SIZE,
    on_progress: OnProgress | None = None,
) -> ConversionReport:
    """Convert ``src`` (the format is detected) to ``dst``: a JSON file for COCO and VIA, a folder for DeepFashion2.

    A ``dst`` without a suffix, or an existing folder, is a folder that gets ``instances.json`` or
    ``via_project.json``. Pictures stay where they are. Files that cannot be read are findings; the rest is converted.
    Every finding is written, one JSON line each, next to the output: all that `fittingroom.annotations.check` finds in
    ``src``, and what the settings changed.

    Args:
        images_dir: where the pictures are, when they are not next to the annotations.
        workers: processes that read DeepFashion2 files; documents are read by one.

    Raises:
        MissingInputError: no ``src``. AnnotationError: not one of the three formats. SettingError: a wrong setting.
        NothingProduced: not one picture could be read.
    """
    writer, src, dst = writer_of(to), Path(src), Path(dst)
    if workers < 1:
        raise SettingError("workers", workers, "at least 1")
    target = dst
    if writer.frame is not None and (dst.is_dir() or not dst.suffix):
        target = dst / writer.file_name
    if writer.frame is None and not dst.is_dir() and (dst.is_file() or dst.suffix.lower() == ".json"):
        got = "a file" if dst.is_file() else "a file's name"
        raise InputError(f"{dst}: expected a folder for {to} files, got {got}")
    opening = Findings(per_kind=None)
    source = sources.open_source(src, opening, images_dir)
    place = target if writer.frame is not None else target / writer.file_name
    if place.resolve() in (source.path.resolve(), source.files and source.files.folder.resolve()):
        raise InputError(f"{target}: expected another place than the source's, got the source itself")
    work_parent = target if writer.frame is None else target.parent
    with made_folder(work_parent), tempfile.TemporaryDirectory(dir=work_parent, prefix=".convert-") as work:
        write = partial(write_part, to=to, work=Path(work), settings=settings)
        found = parts.in_parts(source, write, workers, on_progress, shard_size)
        if not any(part.names for part in found):
            first = next((row for part in found for row in part.findings.examples), None)
            why = f"; the first finding: {first.file}: {first.message}" if first else ""
            raise NothingProduced(f"{src}: not one picture could be read{why}")
        whole = Findings(per_kind=None)
        parts.check_whole(source, found, target.name, whole)
        findings = join(found, to, place, settings, source.images_dir, opening, whole)
    return ConversionReport(
        source=src,
        source_format=source.format,
        target=target,
        target_format=to,
        files_read=sources.count(source),
        images=sum(len(part.names) for part in found),
        garments=sum(part.garments for part in found),
        polygons=sum(part.polygons for part in found),
        findings=findings,
    )
