"""Image search through official APIs: Openverse (licensed pictures, no key), Google Programmable Search, Bing-style.

An API is made to be called by programs, so robots.txt is not asked; the pictures it names are fetched as any other,
with the same politeness. Keys are given by the caller or come from the installation's settings, and appear in no
message, no row and no ``repr``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fittingroom.catalog import SearchSource
from fittingroom.crawl.candidates import Candidate, over_limit
from fittingroom.crawl.html.urls import address_of
from fittingroom.crawl.http.failures import FetchFailed
from fittingroom.crawl.http.fetcher import Fetcher
from fittingroom.crawl.settings import MOST_OF_THE_WEB
from fittingroom.crawl.sources.source import Asking, SearchKeys, Source
from fittingroom.errors import SettingError
from fittingroom.redaction import redacted

_MAX_BYTES = 4_000_000
_Call = tuple[Mapping[str, object], Mapping[str, str]]


@dataclass(frozen=True)
class _Provider:
    """One API."""

    endpoint: str
    page_size: int
    most: int
    """Pictures the API gives in all."""
    call: Callable[[SearchSource, SearchKeys, int, int], _Call]
    """Query and headers for ``size`` pictures from number ``start``, a multiple of it, on."""
    results: str
    url: str
    page: Callable[[Mapping[str, Any]], object]
    licence: Callable[[Mapping[str, Any]], str] = lambda _: ""


class Search(Source[SearchSource], of=SearchSource):
    """What an API finds for a query, up to its limit."""

    most = MOST_OF_THE_WEB

    def discover(self, asking: Asking) -> Iterator[Candidate]:
        entry, most, given = self.entry, asking.most or MOST_OF_THE_WEB, 0
        label = f"search:{entry.provider}:{entry.query}"
        try:
            for given, candidate in enumerate(self._found(asking, min(entry.limit, most)), 1):  # noqa: B007  used below
                yield candidate
        except FetchFailed as failure:
            yield self.unreadable(failure, label, entry.query)
        if given == most < entry.limit:
            detail = f"{entry.limit:,} pictures are asked for, at most {most:,} of a source are taken (max_images)"
            yield over_limit(Candidate(label, entry.query, self.index), detail)

    def _found(self, asking: Asking, wanted: int) -> Iterator[Candidate]:
        """Raises:
        FetchFailed: the API did not answer, or not in its shape. SettingError: its key is missing.
        """
        provider = _PROVIDERS[self.entry.provider]
        wanted = min(wanted, provider.most)
        size = min(provider.page_size, wanted)  # of every page: Openverse counts pages of the size that is asked for
        given = start = 0
        while given < wanted and start < provider.most:
            values, headers = provider.call(self.entry, asking.keys, start, size)
            address = f"{self.entry.endpoint or provider.endpoint}?{urlencode(values)}"
            results = _results(_ask(asking.fetcher, address, headers, self.entry), provider.results)
            for result in results:
                url, page = result.get(provider.url), provider.page(result)
                address_ = address_of(url, "") if isinstance(url, str) else None
                if address_ is not None and given < wanted:
                    given += 1
                    licence = provider.licence(result)
                    yield Candidate(address_, page if isinstance(page, str) else "", self.index, licence)
            if len(results) < size:
                return
            start += size


def _ask(fetcher: Fetcher, address: str, headers: Mapping[str, str], source: SearchSource) -> bytes:
    try:
        return fetcher.get(
            address,
            max_bytes=_MAX_BYTES,
            accept="application/json",
            headers=headers,
            ask_robots=False,
            has_secret=source.provider != "openverse",
        ).body
    except FetchFailed as failure:
        detail = f"{source.provider} search: HTTP {failure.http_status}" if failure.http_status else source.provider
        if failure.reason in ("scheme", "bad_redirect") and not failure.http_status:
            detail = f"{source.provider} search: {redacted(failure.detail)}"
        raise FetchFailed(  # without the address: it holds the key
            failure.reason, detail, http_status=failure.http_status, retry_after=failure.retry_after
        ) from None


def _results(body: bytes, name: str) -> list[Mapping[str, Any]]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise FetchFailed("bad_answer", "expected JSON") from None
    results = answer.get(name, []) if isinstance(answer, dict) else None
    if not isinstance(results, list):
        raise FetchFailed("bad_answer", f"expected an object with a list named {name}")
    return [result for result in results if isinstance(result, dict)]


def _key(value: str, name: str) -> str:
    if not value:
        raise SettingError(f"FITTINGROOM_{name}", None, "a key for this image search")
    return value


def _openverse(source: SearchSource, _: SearchKeys, start: int, size: int) -> _Call:
    values: dict[str, object] = {"q": source.query, "page": start // size + 1, "page_size": size}
    return values | ({"license": source.licences} if source.licences else {}), {}


def _openverse_licence(result: Mapping[str, Any]) -> str:
    name, version, creator = (
        value if isinstance(value := result.get(field), str) else ""
        for field in ("license", "license_version", "creator")
    )
    return ", ".join(part for part in (f"{name} {version}".strip(), creator) if part)


def _google(source: SearchSource, keys: SearchKeys, start: int, size: int) -> _Call:
    key, engine = _key(keys.google_api_key, "GOOGLE_API_KEY"), _key(keys.google_engine_id, "GOOGLE_ENGINE_ID")
    asked: dict[str, object] = {"q": source.query, "searchType": "image", "start": start + 1, "num": size}
    return {"key": key, "cx": engine, **asked}, {}


def _google_page(result: Mapping[str, Any]) -> object:
    image = result.get("image")
    return image.get("contextLink") if isinstance(image, dict) else ""


def _bing(source: SearchSource, keys: SearchKeys, start: int, size: int) -> _Call:
    key = _key(keys.bing_api_key, "BING_API_KEY")
    return {"q": source.query, "offset": start, "count": size}, {"Ocp-Apim-Subscription-Key": key}


_PROVIDERS: Mapping[str, _Provider] = {
    "openverse": _Provider(
        "https://api.openverse.org/v1/images/", 20, 240, _openverse, "results", "url",
        lambda result: result.get("foreign_landing_url"), _openverse_licence,
    ),
    "google": _Provider(
        "https://www.googleapis.com/customsearch/v1", 10, 100, _google, "items", "link", _google_page
    ),
    "bing": _Provider("", 50, 1000, _bing, "value", "contentUrl", lambda result: result.get("hostPageUrl")),
}  # fmt: skip
"""By the name that the catalog calls them."""
