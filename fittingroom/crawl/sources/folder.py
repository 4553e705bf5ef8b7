"""A folder of pictures on this machine."""

from __future__ import annotations

from collections.abc import Iterator

from fittingroom import images
from fittingroom.catalog import FolderSource
from fittingroom.crawl.candidates import Candidate
from fittingroom.crawl.sources.source import Asking, LocalFiles, Source
from fittingroom.errors import MissingInputError


class Folder(Source[FolderSource], of=FolderSource):
    """Its picture files, its own before those of folders in it."""

    def check(self, where: str) -> None:
        if not self.entry.location.is_dir():
            raise MissingInputError("folder", self.entry.location, where)

    def local_files(self) -> LocalFiles:
        folders = [self.entry.location]
        if self.entry.recursive:
            folders += sorted(p for p in self.entry.location.rglob("*") if p.is_dir() and not p.is_symlink())
        return LocalFiles(pictures=[file for folder in folders for file in images.list_images(folder)])

    def discover(self, asking: Asking) -> Iterator[Candidate]:  # noqa: ARG002
        for file in self.local_files().pictures:
            yield self.candidate(str(file), str(self.entry.location))
