"""A list of pictures' addresses (`fittingroom.crawl.lists`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fittingroom.catalog import UrlsSource
from fittingroom.crawl.candidates import Candidate
from fittingroom.crawl.html.urls import address_of
from fittingroom.crawl.lists import check_list, read_list
from fittingroom.crawl.sources.source import Asking, LocalFiles, Source
from fittingroom.errors import CatalogError, MissingInputError

_MAX_BYTES = 50_000_000


class Urls(Source[UrlsSource], of=UrlsSource):
    """Its rows."""

    def check(self, where: str) -> None:
        if not self.entry.location.is_file():
            raise MissingInputError("list of addresses", self.entry.location, where)
        check_list(self.entry.location, where)

    def local_files(self) -> LocalFiles:
        return LocalFiles(lists=[self.entry.location])

    def discover(self, asking: Asking) -> Iterator[Candidate]:  # noqa: ARG002
        path = self.entry.location
        if path.stat().st_size > _MAX_BYTES:
            raise CatalogError(f"{path}: expected at most {_MAX_BYTES:,} bytes, got {path.stat().st_size:,}")
        for row in read_list(path):
            url = row["url"]
            address = address_of(url, "")
            candidate = self.candidate(address or url[:2000], row.get("page", ""), row.get("licence", ""))
            detail = f"expected an http or https address, got {url[:200]!r}"
            yield candidate if address else replace(candidate, status="skipped", reason="scheme", detail=detail)
