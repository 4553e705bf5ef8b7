"""A source read in parts, by several processes where it has several, and what only all parts together can tell."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

import numpy as np

from fittingroom.annotations.findings import Findings
from fittingroom.annotations.formats import Source
from fittingroom.annotations.geometry import Measured
from fittingroom.annotations.inspection import BATCH, batches, inspect_garments
from fittingroom.annotations.model import AnnotatedImage
from fittingroom.annotations.sources import count, read
from fittingroom.images import list_images
from fittingroom.workers import quiet_decoders

OnProgress = Callable[[int, int], None]
"""Called with the pictures done and the pictures in all."""
SHARD_SIZE = 250
"""Files: some 30 ms of work, so that many processes end together."""


def read_judged(
    source: Source, findings: Findings, on_progress: OnProgress | None = None
) -> Iterator[tuple[list[AnnotatedImage], list[list[Measured]]]]:
    """The pictures of a source, or a part of one, a batch at a time, with what is wrong with their garments in
    ``findings`` and what their polygons cover."""
    total = count(source)
    for done, batch in enumerate(batches(read(source, findings, verify=True)), start=1):
        yield batch, inspect_garments(batch, findings)
        if on_progress is not None:
            on_progress(min(done * BATCH, total), total)


@dataclass
class ReadPart:
    """What was read of a part of a source, and found in it. ``paths`` are the files that a conversion made of it."""

    findings: Findings
    names: list[str] = field(default_factory=list)
    image_ids: list[int] = field(default_factory=list)
    garments: int = 0
    polygons: int = 0
    paths: dict[str, Path] = field(default_factory=dict)

    def add(self, images: Sequence[AnnotatedImage]) -> None:
        """Count them."""
        self.names += [image.file_name for image in images]
        self.image_ids += [image.image_id for image in images]
        self.garments += sum([len(image.garments) for image in images])
        self.polygons += sum([len(garment.segmentation) for image in images for garment in image.garments])


Work = Callable[[int, Source, OnProgress | None], ReadPart]
"""Called with a part's number, the part and, for a document, whom to tell of the progress."""


def in_parts(
    source: Source, work: Work, workers: int = 1, on_progress: OnProgress | None = None, size: int = SHARD_SIZE
) -> list[ReadPart]:
    """What ``work`` gives for each part of ``size`` files, in their order; a document is one part, and read here.

    Processes are spawned, not forked: the caller may hold threads (a GUI, Prefect, torch) that do not survive a fork.
    So a script that asks for more than one worker needs the usual ``if __name__ == "__main__":``.
    """
    if source.files is None:
        return [work(0, source, on_progress)]
    parts, total = source.parts(size), count(source)
    found: list[ReadPart] = []
    with closing(_worked(work, parts, min(workers, len(parts)))) as results:
        for part in results:
            found.append(part)
            if on_progress is not None:
                on_progress(min(len(found) * size, total), total)
    return found


def _worked(work: Work, parts: Sequence[Source], workers: int) -> Generator[ReadPart, None, None]:
    if workers < 2:
        yield from map(work, range(len(parts)), parts, repeat(None))
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=quiet_decoders)
    try:
        # Inherited: a terminal sends Ctrl-C to all processes, but only this one is to hear it, and ends the others.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            results = pool.map(work, range(len(parts)), parts, repeat(None))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield from results
    finally:
        pool.shutdown(cancel_futures=True)


def check_whole(source: Source, parts: Sequence[ReadPart], name: str, findings: Findings) -> None:
    """What no part can see: pictures without an annotation file, and numbers that stand twice, under ``name``."""
    files, folder = source.files, source.images_dir
    if files is not None and folder is not None and folder.is_dir() and source.path.is_dir():
        stems, names = {Path(file).stem for file in files.names}, {name for part in parts for name in part.names}
        for path in list_images(folder):
            if path.name not in names and path.stem not in stems:
                findings.add("image_without_annotation", path.name, message="no annotation file of this name")
    for file in source.new_ids:
        findings.add("duplicate_id", file, message="its number is another file's too", action="a new id is made")
    # Only files that state an id of their own can come to this.
    ids = np.array([number for part in parts for number in part.image_ids], np.int64)
    numbers, times = np.unique(ids, return_counts=True)
    for number, often in zip(numbers[times > 1].tolist(), times[times > 1].tolist(), strict=True):
        findings.add("duplicate_id", name, message=f"{often} files state image_id {number}", action="kept")
