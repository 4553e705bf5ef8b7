"""What a kind of source is to the crawler."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from fittingroom.catalog import SourceEntry
from fittingroom.crawl.candidates import RETRYABLE, Candidate
from fittingroom.crawl.http.failures import FetchFailed
from fittingroom.crawl.http.fetcher import Fetcher
from fittingroom.crawl.settings import CrawlSettings
from fittingroom.errors import HostUnavailable
from fittingroom.settings import Settings

E = TypeVar("E", bound=SourceEntry)


@dataclass(frozen=True)
class SearchKeys:
    """What the image searches that need one are asked with; empty where there is none."""

    google_api_key: str = field(default="", repr=False)
    google_engine_id: str = field(default="", repr=False)
    bing_api_key: str = field(default="", repr=False)

    @classmethod
    def from_installation(cls, installation: Settings) -> SearchKeys:
        """Those of ``FITTINGROOM_GOOGLE_API_KEY`` and the like."""
        return cls(*(getattr(installation, one.name) or "" for one in fields(cls)))


@dataclass(frozen=True)
class Asking:
    """What a source is asked with: the one way to the web, which holds every check, and how much may be taken."""

    fetcher: Fetcher
    settings: CrawlSettings
    keys: SearchKeys
    most: int | None
    """Pictures that are taken; None is all. What is offered beyond has its row all the same."""


@dataclass(frozen=True)
class LocalFiles:
    """What a source has on this machine."""

    pictures: list[Path] = field(default_factory=list)
    lists: list[Path] = field(default_factory=list)


class Source(ABC, Generic[E]):
    """The ``index``-th source of a style. A kind of source is a module of this package: an entry of the catalog
    (`fittingroom.catalog.SourceEntry`), and a subclass for it, which is thereby known::

        class FeedEntry(SourceEntry):
            kind: Literal["feed"] = "feed"
            url: WebAddress


        class Feed(Source[FeedEntry], of=FeedEntry):
            def discover(self, asking):
                for address in ...:
                    yield self.candidate(address, page=self.entry.url)
    """

    most: ClassVar[int | None] = None
    """Pictures taken where ``max_images`` says nothing; None is all."""
    kinds: ClassVar[dict[type[SourceEntry], type[Source[SourceEntry]]]] = {}

    def __init_subclass__(cls, of: type[E]) -> None:
        Source.kinds[of] = cls  # type: ignore[assignment]  # made for entries of this type only

    def __init__(self, entry: E, index: int) -> None:
        self.entry, self.index = entry, index

    def check(self, where: str) -> None:
        """Make sure, before any request, that files it needs are there; ``where`` is its path in the catalog.

        Raises:
            MissingInputError, CatalogError: they are not, or cannot be read.
        """

    def local_files(self) -> LocalFiles:
        """What it has on this machine; their contents are part of what the style is."""
        return LocalFiles()

    @abstractmethod
    def discover(self, asking: Asking) -> Iterator[Candidate]:
        """Everything it offers.

        Raises:
            HostUnavailable: it cannot be reached for now. CatalogError, MissingInputError: a bad file.
        """

    def candidate(self, url: str, page: str = "", licence: str = "") -> Candidate:
        """One picture that it offers."""
        return Candidate(url, page, self.index, licence or self.entry.licence)

    def unreadable(self, failure: FetchFailed, url: str, page: str = "", first: bool = True) -> Candidate:
        """A row for a page or answer that gave nothing.

        Raises:
            HostUnavailable: the ``first`` one, which is all of the source, and it may be back later.
        """
        if first and failure.reason in RETRYABLE:
            raise HostUnavailable(f"source {url}: {failure}", failure.retry_after) from None
        return Candidate(
            url,
            page,
            self.index,
            status=failure.status,
            reason=failure.reason,
            detail=failure.detail,
            http_status=failure.http_status,
        )
