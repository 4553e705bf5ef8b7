"""A picture that a source offers, before anyone asked for it, and the closed list of what can become of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from urllib.parse import urlsplit

REASONS: Mapping[str, str] = MappingProxyType(
    {
        # skipped: not asked for
        "robots": "the host's robots.txt forbids it",
        "opt_out": "page or picture says noai, noimageai, noindex or noimageindex, or TDMRep reserves the rights",
        "address": "the address is private, loopback, link-local or otherwise not a public host's",
        "scheme": "not http or https, or not an address at all",
        "crawl_delay": "the host asks for a longer pause than the settings allow",
        "limit": "the source gave more than the settings allow",
        # withdrawn
        "withdrawn": "taken out for good by `fittingroom withdraw`, which says why",
        # failed, and may be retried: asked for again by the next run
        "timeout": "no answer, or silence in the middle of one",
        "too_slow": "the whole answer took longer than allowed",
        "unreachable": "the name does not resolve, or the connection was refused or broke",
        "rate_limited": "429 to the last try",
        "server_error": "5xx to the last try",
        "robots_unavailable": "robots.txt cannot be had for now, which RFC 9309 treats as forbidden",
        "incomplete": "fewer bytes than promised",
        "damaged": "kept once, and its file is lost or has other bytes",
        # failed for good
        "not_found": "404 or 410",
        "http_status": "another status that is not 200",
        "tls": "the certificate is not valid for the host",
        "too_many_redirects": "more redirects than allowed, or a loop",
        "bad_redirect": "a redirect without a usable address",
        "encoding": "a Content-Encoding that was not asked for, or broken",
        "protocol": "not HTTP",
        "not_html": "a page that is no HTML",
        "no_pictures": "a page or answer with no picture in it",
        "bad_answer": "a search API's answer that is not of its shape",
        # failed: the bytes are not a picture we accept (`fittingroom.errors.ImageRejected`)
        "empty": "no bytes",
        "too_many_bytes": "more bytes than allowed",
        "too_many_pixels": "more pixels than allowed",
        "too_many_scans": "a JPEG made to be decoded again and again",
        "format_not_allowed": "none of JPEG, PNG, WebP, GIF, AVIF",
        "unreadable": "a damaged file",
        "truncated": "a picture that ends early",
        "zero_size": "no pixels",
        # refused
        "too_small": "a side shorter than allowed",
        # duplicate
        "exact": "the same bytes, metadata aside, as duplicate_of",
        "near": "nearly the same picture as duplicate_of",
    }
)
"""Every ``reason`` a row of a crawl's manifest can have, and what it means."""

RETRYABLE = frozenset(
    {
        "timeout",
        "too_slow",
        "unreachable",
        "rate_limited",
        "server_error",
        "robots_unavailable",
        "incomplete",
        "damaged",
    }
)
"""Reasons that a later run tries again."""


@dataclass(frozen=True)
class Candidate:
    """A picture's address (``url``: http, https, or a file's absolute path) and where it was found.

    A page that could not be read is a candidate too, one whose fate (``status`` and ``reason``) is already known, so
    that it also ends as a row of the manifest. JSON-able: `to_json`, ``Candidate(**value)``.
    """

    url: str
    page: str = ""
    source: int = 0
    licence: str = ""
    status: str = ""
    reason: str = ""
    detail: str = ""
    http_status: int = 0

    @property
    def is_file(self) -> bool:
        """Whether ``url`` is a path on this machine's disk."""
        return not self.url.lower().startswith(("http://", "https://"))

    @property
    def host(self) -> str:
        """Name and port of the host that is asked for it; empty for a file."""
        return "" if self.is_file else urlsplit(self.url).netloc.lower()

    def to_json(self) -> dict[str, str | int]:
        """Plain values."""
        return asdict(self)


def over_limit(candidate: Candidate, detail: str) -> Candidate:
    """``candidate``, which is not taken because there are enough."""
    return replace(candidate, status="skipped", reason="limit", detail=detail)


def without_repeats(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Each address once, as the first source gave it that has room for it."""
    found: dict[str, Candidate] = {}
    for candidate in candidates:
        if found.setdefault(candidate.url, candidate).reason == "limit":
            found[candidate.url] = candidate
    return list(found.values())
