"""Check annotations of any format: everything that is wrong, by kind, and never a crash."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from fittingroom.annotations import jsonfile, parts, sources
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.formats import Source
from fittingroom.annotations.parts import OnProgress, ReadPart
from fittingroom.names import printable


@dataclass(frozen=True)
class CheckReport:
    """What was read and everything found. ``broken`` when at least one finding is an error."""

    source: Path
    source_format: str | None
    images: int
    garments: int
    findings: Findings

    @property
    def broken(self) -> bool:
        """Whether the command line ends with exit code 1."""
        return self.findings.total("error") > 0

    def to_json(self) -> dict[str, Any]:
        """A JSON value."""
        named = {"source": printable(self.source), "broken": self.broken}
        return vars(self) | named | {"findings": self.findings.to_json()}

    def table(self) -> Table | str:
        """The findings by kind, for `rich`."""
        kind = self.source_format or "unreadable"
        return self.findings.table(
            f"{printable(self.source)}: {kind}, {self.images:,} images, {self.garments:,} garments"
        )


def check(
    src: Path, *, images_dir: Path | None = None, workers: int = 1, on_progress: OnProgress | None = None
) -> CheckReport:
    """Read everything in ``src`` and report what is wrong with it; files are read one at a time.

    Args:
        workers: processes that read a folder's files; documents are read by one.

    Raises:
        MissingInputError: no ``src``. AnnotationError: readable, but in none of the formats.
    """
    src, findings = Path(src), Findings()
    try:
        source = sources.open_source(src, findings, images_dir)
    except jsonfile.UnreadableAnnotation as error:
        findings.add(error.kind, error.file, message=error.detail)
        return CheckReport(src, None, 0, 0, findings)
    found = parts.in_parts(source, _check_part, workers, on_progress)
    for part in found:
        findings.merge(part.findings)
    parts.check_whole(source, found, source.path.name, findings)
    images, garments = sum(len(part.names) for part in found), sum(part.garments for part in found)
    return CheckReport(src, source.format, images, garments, findings)


def _check_part(_index: int, source: Source, on_progress: OnProgress | None = None) -> ReadPart:
    part = ReadPart(Findings())
    try:
        for batch, _ in parts.read_judged(source, part.findings, on_progress):
            part.add(batch)
    except jsonfile.UnreadableAnnotation as error:
        part.findings.add(error.kind, error.file, message=error.detail, action="the rest of the document is not read")
    return part
