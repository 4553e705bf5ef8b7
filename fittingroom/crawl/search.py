"""Image search through official APIs: Openverse (licensed pictures, no key), Google Programmable Search, Bing-style.

An API is made to be called by programs, so robots.txt is not asked; the pictures it names are fetched as any other,
with all the manners. Keys are given by the caller or come from the installation's settings, and appear in no message,
no row and no ``repr``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from fittingroom.catalog import SearchSource
from fittingroom.crawl.candidates import Candidate
from fittingroom.crawl.fetcher import Fetcher, FetchFailed
from fittingroom.crawl.written import address_of
from fittingroom.errors import SettingError
from fittingroom.redaction import redacted
from fittingroom.settings import Settings

_MAX_BYTES = 4_000_000


@dataclass(frozen=True)
class SearchKeys:
    """What the image searches that need one are asked with; empty where there is none."""

    google_api_key: str = field(default="", repr=False)
    google_engine_id: str = field(default="", repr=False)
    bing_api_key: str = field(default="", repr=False)

    @classmethod
    def from_installation(cls, installation: Settings) -> SearchKeys:
        """Those of ``FITTINGROOM_GOOGLE_API_KEY`` and the like."""
        return cls(
            installation.google_api_key or "", installation.google_engine_id or "", installation.bing_api_key or ""
        )


@dataclass(frozen=True)
class _Call:
    address: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class _Provider:
    """One API: the call for the pictures from number ``start`` on, and how its answer is read."""

    page_size: int
    most: int
    """Pictures the API gives in all."""
    call: Callable[[SearchSource, SearchKeys, int, int], _Call]
    results: str
    url: str
    read: Callable[[Mapping[str, Any]], tuple[str, str]]
    """Page and licence of one result."""


def search(source: SearchSource, index: int, fetcher: Fetcher, keys: SearchKeys, most: int) -> Iterator[Candidate]:
    """What the API finds for the source's query, up to its limit and ``most``.

    Raises:
        FetchFailed: the API did not answer, or not in its shape. SettingError: its key is missing.
    """
    provider = _PROVIDERS[source.provider]
    given, start = 0, 0
    limit = min(source.limit, provider.most, most)
    while given < limit:
        size = min(provider.page_size, limit - given)
        call = provider.call(source, keys, start, size)
        results = _results(_ask(fetcher, call, source), provider.results)
        for result in results:
            url = result.get(provider.url)
            address = address_of(url, "") if isinstance(url, str) else None
            if address is not None and given < limit:
                page, licence = provider.read(result)
                given += 1
                yield Candidate(address, page, index, licence)
        if len(results) < size:
            return
        start += size


def _ask(fetcher: Fetcher, call: _Call, source: SearchSource) -> bytes:
    try:
        return fetcher.get(
            call.address,
            max_bytes=_MAX_BYTES,
            accept="application/json",
            headers=call.headers,
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


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""


def _key(value: str, name: str) -> str:
    if not value:
        raise SettingError(f"FITTINGROOM_{name}", None, "a key for this image search")
    return value


def _openverse(source: SearchSource, _: SearchKeys, start: int, size: int) -> _Call:
    values: dict[str, str | int] = {"q": source.query, "page": start // 20 + 1, "page_size": size}
    if source.licences:
        values["license"] = source.licences
    return _Call(f"{source.endpoint or 'https://api.openverse.org/v1/images/'}?{urlencode(values)}", {})


def _openverse_result(result: Mapping[str, Any]) -> tuple[str, str]:
    licence = " ".join(part for part in (_text(result, "license"), _text(result, "license_version")) if part)
    creator = _text(result, "creator")
    return _text(result, "foreign_landing_url"), f"{licence}, {creator}" if creator else licence


def _google(source: SearchSource, keys: SearchKeys, start: int, size: int) -> _Call:
    values: dict[str, str | int] = {
        "key": _key(keys.google_api_key, "GOOGLE_API_KEY"),
        "cx": _key(keys.google_engine_id, "GOOGLE_ENGINE_ID"),
        "q": source.query,
        "searchType": "image",
        "start": start + 1,
        "num": size,
    }
    return _Call(f"{source.endpoint or 'https://www.googleapis.com/customsearch/v1'}?{urlencode(values)}", {})


def _google_result(result: Mapping[str, Any]) -> tuple[str, str]:
    image = result.get("image")
    return (_text(image, "contextLink") if isinstance(image, dict) else ""), ""


def _bing(source: SearchSource, keys: SearchKeys, start: int, size: int) -> _Call:
    values: dict[str, str | int] = {"q": source.query, "offset": start, "count": size}
    key = _key(keys.bing_api_key, "BING_API_KEY")
    return _Call(f"{source.endpoint}?{urlencode(values)}", {"Ocp-Apim-Subscription-Key": key})


def _bing_result(result: Mapping[str, Any]) -> tuple[str, str]:
    return _text(result, "hostPageUrl"), ""


_PROVIDERS: Mapping[str, _Provider] = {
    "openverse": _Provider(20, 240, _openverse, "results", "url", _openverse_result),
    "google": _Provider(10, 100, _google, "items", "link", _google_result),
    "bing": _Provider(50, 1000, _bing, "value", "contentUrl", _bing_result),
}
