"""Convert annotations from any of the three formats to any other, with a report in which nothing is missing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.table import Table

from fittingroom.annotations import deepfashion2, shards, sources
from fittingroom.annotations.check import check_names, inspect_garments
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.processes import OnProgress, run_jobs
from fittingroom.annotations.shards import ConvertSettings, ShardResult
from fittingroom.annotations.sources import FORMATS, Format, Source
from fittingroom.errors import InputError, NothingProduced, SettingError
from fittingroom.names import printable
from fittingroom.outputs import made_folder

_DEFAULT_NAMES = {"coco": "instances.json", "via": "via_project.json"}


@dataclass(frozen=True)
class ConversionReport:
    """What was read, what was written where, and every finding's kind with its count.

    ``files_read`` counts annotation files, or the pictures a document lists.
    """

    source: Path
    source_format: Format
    target: Path
    target_format: Format
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
        return {
            "source": printable(self.source),
            "source_format": self.source_format,
            "target": printable(self.target),
            "target_format": self.target_format,
            "files_read": self.files_read,
            "images": self.images,
            "garments": self.garments,
            "polygons": self.polygons,
            "findings": self.findings.to_json(),
        }

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
    to: Format,
    *,
    settings: ConvertSettings = ConvertSettings(),  # noqa: B008  frozen
    images_dir: Path | None = None,
    workers: int = 1,
    shard_size: int = shards.SHARD_SIZE,
    on_progress: OnProgress | None = None,
) -> ConversionReport:
    """Convert ``src`` (the format is detected) to ``dst``: a JSON file for COCO and VIA, a folder for DeepFashion2.

    A ``dst`` without a suffix, or an existing folder, is a folder that gets ``instances.json`` or
    ``via_project.json``. Pictures stay where they are. Files that cannot be read are findings; the rest is converted.
    Every finding is written, one JSON line each, beside the output: all that `fittingroom.annotations.check` finds in
    ``src``, and what the settings changed.

    Args:
        images_dir: where the pictures are, when they are not beside the annotations.
        workers: processes that read DeepFashion2 files; documents are read by one.

    Raises:
        MissingInputError: no ``src``. AnnotationError: not one of the three formats. SettingError: a wrong setting.
        NothingProduced: not one picture could be read.
    """
    if to not in FORMATS:
        raise SettingError("to", to, " | ".join(FORMATS))
    if workers < 1:
        raise SettingError("workers", workers, "at least 1")
    src, dst = Path(src), Path(dst)
    target = dst
    if to != "deepfashion2" and (dst.is_dir() or not dst.suffix):
        target = dst / _DEFAULT_NAMES[to]
    if to == "deepfashion2" and not dst.is_dir() and (dst.is_file() or dst.suffix.lower() == ".json"):
        got = "a file" if dst.is_file() else "a file's name"
        raise InputError(f"{dst}: expected a folder for DeepFashion2 files, got {got}")
    findings = Findings(per_kind=None)
    source = sources.open_source(src, findings, images_dir)
    _check_apart(source, target, to)
    work_parent = target if to == "deepfashion2" else target.parent
    with made_folder(work_parent), tempfile.TemporaryDirectory(dir=work_parent, prefix=".convert-") as work:
        results = _run(source, to, Path(work), findings, settings, workers, shard_size, on_progress)
        if not any(result.images for result in results):
            first = next((row for result in results for row in result.examples), None)
            why = f"; the first finding: {first.file}: {first.message}" if first else ""
            raise NothingProduced(f"{src}: not one picture could be read{why}")
        merged = shards.merge(results, to, target, settings, source.images_dir)
    return ConversionReport(
        source=src,
        source_format=source.format,
        target=target,
        target_format=to,
        files_read=sources.count(source),
        images=sum(result.images for result in results),
        garments=sum(result.garments for result in results),
        polygons=sum(result.polygons for result in results),
        findings=merged,
    )


def _check_apart(source: Source, target: Path, to: Format) -> None:
    """Refuse to write over what is being read."""
    here = source.path.resolve()
    if to == "deepfashion2":
        clash = source.format == "deepfashion2" and (target / "annos").resolve() == source.files[0].parent.resolve()
    else:
        clash = target.resolve() == here
    if clash:
        raise InputError(f"{target}: expected another place than the source's, got the source itself")


def _run(
    source: Source,
    to: Format,
    work: Path,
    findings: Findings,
    settings: ConvertSettings,
    workers: int,
    shard_size: int,
    on_progress: OnProgress | None,
) -> list[ShardResult]:
    total = sources.count(source)
    report = on_progress or (lambda _done, _total: None)
    if source.format != "deepfashion2":
        images = _counted(source, findings, report, total)
        return [
            shards.write_parts(
                images,
                to,
                work,
                "shard-00000",
                findings,
                settings=settings,
                images_dir=source.images_dir,
                inspect=inspect_garments,
            )
        ]
    pieces = shards.split(source.files, shard_size)
    new_ids = deepfashion2.new_ids(source.files)
    jobs = [
        partial(
            shards.convert_files,
            piece,
            to,
            work,
            f"shard-{index:05d}",
            settings=settings,
            images_dir=source.images_dir,
            new_ids={path.name: new_ids[path.name] for path in piece if path.name in new_ids} if new_ids else {},
            inspect=inspect_garments,
        )
        for index, piece in enumerate(pieces)
    ]
    results = run_jobs(jobs, workers, lambda done: report(min(done * shard_size, total), total))
    check_names(source, {name for result in results for name in result.names}, new_ids, findings)
    return [*results, shards.write_parts([], to, work, "whole-set", findings)]


def _counted(source: Source, findings: Findings, report: OnProgress, total: int) -> Iterator[Any]:
    for done, image in enumerate(sources.read(source, findings, verify_area=True), start=1):
        yield image
        if done % 500 == 0 or done == total:
            report(done, total)
