"""Where pictures come from: each module here is a kind of source (`Source`); a new one is one more module."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from fittingroom.catalog import SourceEntry, Style
from fittingroom.crawl.candidates import Candidate, over_limit, without_repeats
from fittingroom.crawl.http.fetcher import Fetcher
from fittingroom.crawl.settings import CrawlSettings
from fittingroom.crawl.sources.source import Asking, LocalFiles, SearchKeys, Source
from fittingroom.workspace import digest_value


def load_kinds() -> None:
    """Make every kind of this package known."""
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")


load_kinds()


def sources_of(style: Style) -> list[Source[SourceEntry]]:
    """A style's sources, checked before any work.

    Raises:
        MissingInputError, CatalogError: a file or folder that is not there, or of a kind that cannot be read.
    """
    found = [Source.kinds[type(entry)](entry, index) for index, entry in enumerate(style.sources)]
    for source in found:
        source.check(f"style {style.name}, sources[{source.index}].path")
    return found


def local_files(style: Style) -> LocalFiles:
    """What a style's sources have on this machine.

    Raises:
        MissingInputError, CatalogError: as `sources_of`.
    """
    held = [source.local_files() for source in sources_of(style)]
    return LocalFiles([file for one in held for file in one.pictures], [file for one in held for file in one.lists])


@dataclass(frozen=True)
class StyleContent:
    """What a style is, as far as it can be read here: contents, never places or names. The same pictures elsewhere, or
    under other names, are the same style.

    Attributes:
        entry: `fittingroom.catalog.Style.content`.
        pictures: SHA-256 of each different picture in its folders, sorted. lists: of each list of addresses.
    """

    entry: dict[str, Any]
    pictures: list[str]
    lists: list[str]

    @property
    def digest(self) -> str:
        """One digest for all of it."""
        return digest_value([self.entry, self.pictures, self.lists])


def style_content(style: Style, digest_of: Callable[[Path], str], withdrawn: Collection[str] = ()) -> StyleContent:
    """Read it; what pages and searches offer is not asked. ``digest_of`` gives a file's SHA-256, and may remember.
    Pictures whose SHA-256 is ``withdrawn`` are no part of the style, wherever they lie.

    Raises:
        MissingInputError, CatalogError: as `sources_of`.
    """
    files = local_files(style)
    pictures, lists = (set(map(digest_of, part)) for part in (files.pictures, files.lists))
    return StyleContent(style.content(), sorted(pictures.difference(withdrawn)), sorted(lists))


def ask(source: Source[SourceEntry], fetcher: Fetcher, settings: CrawlSettings, keys: SearchKeys) -> list[Candidate]:
    """Everything that one source offers, each address once; what is over its limit is skipped, and says so.

    Raises:
        HostUnavailable: a page or search that cannot be reached for now. CatalogError, MissingInputError: a bad file.
    """
    most = settings.max_images or source.most
    return list(_limited(without_repeats(source.discover(Asking(fetcher, settings, keys, most))), most))


def _limited(offered: Iterable[Candidate], most: int | None) -> Iterator[Candidate]:
    taken = 0
    for candidate in offered:
        taken += not candidate.status
        if most is not None and taken > most and not candidate.status:
            yield over_limit(candidate, f"at most {most:,} pictures of a source are taken (max_images)")
        else:
            yield candidate
