"""What a style is, as far as it can be read here: its entry in the catalog, and what its folders and lists hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fittingroom.catalog import FolderSource, Style, UrlsSource
from fittingroom.crawl.sources import check_sources, pictures_in
from fittingroom.workspace import digest_value


@dataclass(frozen=True)
class StyleContent:
    """Contents, never places or names: the same pictures elsewhere, or under other names, are the same style.

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


def style_content(style: Style, digest_of: Callable[[Path], str]) -> StyleContent:
    """Read it; what pages and searches offer is not asked. ``digest_of`` gives a file's SHA-256, and may remember.

    Raises:
        MissingInputError, CatalogError: a folder or list that is not there, or of a kind that cannot be read.
    """
    check_sources(style)
    pictures: set[str] = set()
    lists: set[str] = set()
    for source in style.sources:
        if isinstance(source, FolderSource):
            pictures.update(map(digest_of, pictures_in(source)))
        elif isinstance(source, UrlsSource):
            lists.add(digest_of(source.location))
    return StyleContent(style.content(), sorted(pictures), sorted(lists))
