"""What an annotation format is. Each module in here that has a ``FORMAT`` is one; nothing else knows which there are.

A format is one JSON document of many pictures, or one JSON file a picture. Reading goes through `Format.read`, writing,
where a format is written at all, through its `Writer`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from pathlib import Path, PurePosixPath
from pkgutil import iter_modules
from typing import Any, Literal, overload

from fittingroom.annotations import identity
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.geometry import Measured
from fittingroom.annotations.model import AnnotatedImage
from fittingroom.errors import SettingError
from fittingroom.fields import CheckedSettings


class Files(Sequence[Path]):
    """Annotation files of one folder, kept as names: 200,000 `Path` objects would take more memory than all else."""

    def __init__(self, folder: Path, names: Iterable[str] | None = None) -> None:
        self.folder = folder
        found = (entry.name for entry in os.scandir(folder)) if names is None else names
        self.names = tuple(found if names is not None else sorted(filter(_is_json, found)))

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> Files: ...
    def __getitem__(self, index: int | slice) -> Path | Files:
        if isinstance(index, slice):
            return Files(self.folder, self.names[index])
        return self.folder / self.names[index]

    def new_ids(self) -> dict[str, int]:
        """Image ids for files whose names share a number with another's, by file name."""
        stems = identity.clashing_ids(f"{os.path.splitext(name)[0]}.jpg" for name in self.names)  # noqa: PTH122  no slow Path
        return {f"{PurePosixPath(name).stem}.json": number for name, number in stems.items()}


def _is_json(name: str) -> bool:
    return name.lower().endswith(".json") and not name.startswith(".")


@dataclass(frozen=True)
class Source:
    """Annotations that were opened: files of one picture each, or a document, and where the pictures are.

    ``images_dir`` is the folder that file names are relative to; None when no such folder was found. ``new_ids`` are
    image ids, by file name, for files whose names share a number with another's: they follow from the whole set.
    """

    path: Path
    format: str
    images_dir: Path | None = None
    files: Files | None = None
    document: Any = field(default_factory=dict, repr=False)
    new_ids: Mapping[str, int] = field(default_factory=dict, repr=False)

    def only(self, files: Files | None) -> Source:
        """Some of the files, which are read apart from the others; a document stays whole."""
        if self.files is None or files is None:
            return self
        ids = {name: self.new_ids[name] for name in files.names if name in self.new_ids} if self.new_ids else {}
        return replace(self, files=files, new_ids=ids)

    def parts(self, size: int) -> list[Source]:
        """The source in parts of at most ``size`` files; a document is one part."""
        if size < 1:
            raise SettingError("shard_size", size, "at least 1")
        files = self.files
        return [self] if files is None else [self.only(files[at : at + size]) for at in range(0, len(files), size)]


@dataclass(frozen=True)
class ConvertSettings(CheckedSettings):
    """What a conversion changes on purpose; each change is a finding."""

    clip: bool = False
    """Cut polygons at the picture's edges."""
    without_polygons: Literal["keep", "skip"] = "keep"
    """Keep or skip garments that have none."""
    via_plain: bool = False
    """Write VIA's plain region list, which Mask R-CNN loaders read, instead of a project."""


Rows = Iterator[tuple[str, bytes]]
Encode = Callable[[Sequence[AnnotatedImage], Sequence[Sequence[Measured]], Path | None], Rows]
Frame = Callable[[str, str, ConvertSettings], list[bytes | str]]
WriteFiles = Callable[[Iterable[bytes], Path, Findings], None]


@dataclass(frozen=True)
class Writer:
    """How a format is written: as rows that are finished bytes, so that joining what many shards wrote is copying.

    Attributes:
        kinds: what kinds of rows there are.
        encode: ``(kind, row)`` for some pictures, what `geometry.measure` says of their garments, and the folder of
            pictures if it is known. A row holds no bare newline but between rows: ``,\\n``.
        frame: for a format that is one document: its bytes in order, with a kind's name where its rows stand; made
            from the document's name, the folder of pictures as text, and the settings.
        write_files: for a format that is a folder: writes the rows (one a line) as files, and adds findings.
        file_name: of a document that is written into a folder; of the folder of files in it.
    """

    kinds: tuple[str, ...]
    encode: Encode
    file_name: str
    frame: Frame | None = None
    write_files: WriteFiles | None = None


@dataclass(frozen=True)
class Format:
    """One annotation format.

    Attributes:
        name: what the command line calls it.
        looks_like: for messages: ``COCO (images, annotations)``.
        sniff: the document as the other functions want it, from a parsed file and its path; None if it is another's.
        read: every picture of a source or a part of it; one bad picture is a finding. The flag asks for what only a
            check wants: areas compared with the masks', and pictures that are expected to be there.
        rows: a document's pictures, in a list or by key; None for a format of one file a picture.
        name_field: what a row of those calls the picture's name.
        open_files: for a format of one file a picture: the annotation files of a folder, or of one file, and the
            folder of their pictures; None for a folder that is another's.
        writer: None for a format that is only read.
        rank: the lower, the earlier it is asked whether a file is its own.
    """

    name: str
    looks_like: str
    sniff: Callable[[object, Path], Any]
    read: Callable[[Source, Findings, bool], Iterator[AnnotatedImage]]
    rows: Callable[[Any], Sequence[Any] | Mapping[str, Any]] | None = None
    name_field: str = "file_name"
    open_files: Callable[[Path], tuple[Files, Path] | None] | None = None
    writer: Writer | None = None
    rank: int = 0


@cache
def all_formats() -> Mapping[str, Format]:
    """Every format by its name, in the order in which they are asked whether a file is theirs."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    formats: list[Format] = [module.FORMAT for module in modules if hasattr(module, "FORMAT")]
    return {each.name: each for each in sorted(formats, key=lambda each: (each.rank, each.name))}


def writer_of(name: str) -> Writer:
    """How the format ``name`` is written.

    Raises:
        SettingError: no such format, or one that is only read.
    """
    writers = {each.name: each.writer for each in all_formats().values() if each.writer is not None}
    if name not in writers:
        raise SettingError("to", name, " | ".join(writers))
    return writers[name]
