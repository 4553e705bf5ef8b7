"""One polite, bounded GET: robots.txt, pace, vetted addresses, caps on everything; what can pass is tried again."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from typing import BinaryIO
from urllib.parse import urlsplit

import urllib3
from requests.utils import parse_header_links

from fittingroom.crawl.html.urls import LONGEST, address_of, resolve
from fittingroom.crawl.http.addresses import AddressRefused
from fittingroom.crawl.http.body import CHUNK, BadEncoding, TooManyBytes, read_body
from fittingroom.crawl.http.connections import vetted_pools
from fittingroom.crawl.http.deadline import limit
from fittingroom.crawl.http.failures import FetchFailed, failure_of, refuse_status
from fittingroom.crawl.http.opt_out import opts_out, reserves
from fittingroom.crawl.http.pace import shared_pace
from fittingroom.crawl.http.robots import MAX_BYTES as MAX_ROBOTS_BYTES
from fittingroom.crawl.http.robots import Robots, RobotsFile, robots_text
from fittingroom.crawl.settings import CrawlSettings
from fittingroom.redaction import redact_logs

_RETRIED = frozenset({"timeout", "unreachable", "rate_limited", "server_error", "incomplete"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class Answer:
    """A complete answer. ``content`` is decompressed; empty for 304."""

    content: BinaryIO
    final_url: str
    http_status: int
    headers: urllib3.HTTPHeaderDict
    attempts: int = 1
    links: Mapping[str, str] = field(default_factory=dict)
    """Link headers: relation to absolute URL."""

    @property
    def body(self) -> bytes:
        """All of the content at once."""
        self.content.seek(0)
        return self.content.read()

    def check_opt_out(self, words: frozenset[str]) -> None:
        """Make sure that no X-Robots-Tag says one of ``words``, and that no rights are reserved.

        Raises:
            FetchFailed: they do.
        """
        for name, out in (
            ("X-Robots-Tag", opts_out(self.headers.getlist("X-Robots-Tag"), words)),
            ("tdm-reservation", any(map(reserves, self.headers.getlist("tdm-reservation")))),
        ):
            if out:
                raise FetchFailed("opt_out", name, http_status=self.http_status, final_url=self.final_url)


class Fetcher:
    """Fetches over http and https for as long as it is open; safe for many threads.

    Example::

        with Fetcher(CrawlSettings(contact="me@shop.example")) as fetcher:
            answer = fetcher.get("https://shop.example/t-shirts", max_bytes=8_000_000)
    """

    def __init__(self, settings: CrawlSettings) -> None:
        redact_logs()
        self._settings = settings
        self._pace = shared_pace(settings.connections_per_host)
        self._robots = Robots(self._robots_file)
        self._pools = vetted_pools(allow_loopback=settings.allow_loopback, pool_size=settings.connections_per_host)

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._pools.clear()

    def get(
        self,
        url: str,
        *,
        max_bytes: int,
        accept: str = "*/*",
        headers: Mapping[str, str] | None = None,
        ask_robots: bool = True,
        is_robots: bool = False,
        has_secret: bool = False,
    ) -> Answer:
        """Fetch ``url``. ``ask_robots`` is False only for robots.txt itself and for official APIs; of robots.txt itself
        (``is_robots``) no more than ``max_bytes`` are read. Where the address or a header ``has_secret``, it goes to
        that scheme, host and port only, whatever redirects say, and over https unless to this machine.

        Raises:
            FetchFailed: with what the manifest's row shall say.
        """
        settings = self._settings
        if has_secret and not _is_private_way(url):
            raise FetchFailed("scheme", "expected https, for a key is sent along", final_url=_origin(url))
        sent = {"User-Agent": settings.user_agent, "Accept": accept, "Accept-Encoding": "gzip", **(headers or {})}
        for attempt in range(1, settings.attempts + 1):
            try:
                return replace(self._follow(url, sent, max_bytes, ask_robots, is_robots, has_secret), attempts=attempt)
            except FetchFailed as failure:
                failure.attempts = attempt
                wait = failure.retry_after or 0.0
                if failure.reason not in _RETRIED or attempt == settings.attempts or wait > settings.max_retry_after:
                    raise
                if wait:
                    self._pace.back_off(_host(failure.final_url or url), wait)
                else:
                    grown = min(settings.backoff * 2 ** (attempt - 1), settings.max_backoff)
                    time.sleep(grown * random.uniform(0.5, 1.0))
        raise AssertionError("unreachable")  # pragma: no cover

    def _follow(
        self,
        url: str,
        headers: Mapping[str, str],
        max_bytes: int,
        ask_robots: bool,
        is_robots: bool,
        has_secret: bool,
    ) -> Answer:
        """Redirects, each hop checked as if it were the first."""
        seen: set[str] = set()
        for _ in range(self._settings.max_redirects + 1):
            seen.add(url)
            answer = self._once(url, headers, max_bytes, self._leave(url) if ask_robots else 0.0, is_robots)
            if answer.http_status not in _REDIRECTS:
                return answer
            target = answer.headers.get("Location", "").strip()
            if not target:
                raise FetchFailed(
                    "bad_redirect", "a redirect that says not where", final_url=url, http_status=answer.http_status
                )
            to = resolve(_as_utf8(target), url) if len(target) <= LONGEST else None
            if to is None:
                raise FetchFailed("bad_redirect", "" if has_secret else f"to {target[:200]!r}", final_url=url)
            if has_secret and _origin(to) != _origin(url):
                raise FetchFailed("bad_redirect", "to another host, which is not sent the key", final_url=_origin(url))
            url = to
            if url in seen:
                raise FetchFailed("too_many_redirects", "a redirect loop", final_url=url)
        raise FetchFailed(
            "too_many_redirects", f"expected at most {self._settings.max_redirects} redirects", final_url=url
        )

    def _leave(self, url: str) -> float:
        """The pause that the host of ``url`` wants between requests."""
        check_scheme(url)
        try:
            leave = self._robots.leave(url)
        except FetchFailed as failure:  # met on the way to robots.txt, and as true of the page itself
            raise FetchFailed(failure.reason, failure.detail, final_url=url) from None
        if not leave.available:
            raise FetchFailed("robots_unavailable", leave.detail, final_url=url)
        if not leave.allowed:
            raise FetchFailed("robots", "robots.txt forbids it", final_url=url)
        if leave.delay > self._settings.max_crawl_delay:
            raise FetchFailed("crawl_delay", f"the host asks for {leave.delay:g} s between requests", final_url=url)
        if self._robots.reserved(url, leave.delay):
            raise FetchFailed("opt_out", "the host's tdmrep.json reserves its rights", final_url=url)
        return leave.delay

    def _robots_file(self, url: str, delay: float) -> RobotsFile:
        if delay:
            self._pace.back_off(_host(url), delay)
        try:
            answer = self.get(url, max_bytes=MAX_ROBOTS_BYTES, ask_robots=False, is_robots=True)
            if answer.http_status == 304:
                return RobotsFile(None, "robots.txt: not modified (HTTP 304), and nothing was asked about before")
            return robots_text(answer.body)
        except FetchFailed as failure:
            if failure.status == "skipped" or failure.reason == "tls":
                raise  # an address we do not go to: the picture's row says so
            if 400 <= failure.http_status < 500 and failure.reason in ("not_found", "http_status"):
                return RobotsFile("")
            return RobotsFile(None, f"robots.txt: {failure}")

    def _once(
        self, url: str, headers: Mapping[str, str], max_bytes: int, crawl_delay: float, is_robots: bool
    ) -> Answer:
        """One request, one answer."""
        check_scheme(url)
        settings = self._settings
        delay = max(settings.per_host_delay, crawl_delay)
        with self._pace.acquire(_host(url), delay), limit(settings.total_timeout) as deadline:
            try:
                answer = self._exchange(url, headers, max_bytes, is_robots)
                if deadline.expired:  # a body without a length just ends when it is cut off
                    raise TimeoutError
                return answer
            except AddressRefused as error:
                raise FetchFailed("address", str(error), final_url=url) from None
            except FetchFailed:
                raise
            except (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError) as error:
                if deadline.expired:
                    detail = f"not complete after {settings.total_timeout:g} s"
                    raise FetchFailed("too_slow", detail, final_url=url) from None
                raise failure_of(error, url) from None

    def _exchange(self, url: str, headers: Mapping[str, str], max_bytes: int, is_robots: bool) -> Answer:
        timeout = urllib3.Timeout(connect=self._settings.connect_timeout, read=self._settings.read_timeout)
        with contextlib.closing(
            self._pools.request(
                "GET", url, headers=headers, timeout=timeout, retries=False, redirect=False, preload_content=False
            )
        ) as response:
            status, found = response.status, response.headers
            if status in _REDIRECTS or status == 304:
                return Answer(io.BytesIO(), url, status, found)
            if not (is_robots and status in (203, 206)):
                refuse_status(status, found, url)
            try:
                promised = found.get("Content-Length", "")
                if not is_robots and promised.isdecimal() and int(promised[:20]) > max_bytes:
                    raise TooManyBytes
                chunks = response.stream(CHUNK, decode_content=False)
                content = read_body(chunks, found.get("Content-Encoding", ""), max_bytes, cut=is_robots)
            except TooManyBytes:
                raise FetchFailed(
                    "too_many_bytes", f"expected at most {max_bytes:,} bytes", final_url=url, http_status=status
                ) from None
            except BadEncoding as error:
                raise FetchFailed("encoding", str(error), final_url=url, http_status=status) from None
            return Answer(content, url, status, found, links=_links(found, url))


def _as_utf8(header: str) -> str:
    """A header's text, whose bytes are read as Latin-1 though they often are UTF-8."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header


def _links(headers: Mapping[str, str], url: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for link in parse_header_links(headers.get("Link", "")[:20_000]):
        address = address_of(_as_utf8(link["url"]), url)
        if address is not None:
            relations = next((value for name, value in link.items() if name.lower() == "rel"), "")
            for relation in relations.lower().split():
                found.setdefault(relation, address)
    return found


def check_scheme(url: str) -> None:
    """Let http and https URLs with a host and without a password pass.

    Raises:
        FetchFailed: anything else.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        usable = usable and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise FetchFailed("scheme", f"expected an http or https address, got {url[:200]!r}", final_url=url[:2000])


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _is_private_way(url: str) -> bool:
    """Whether nobody between here and there can read what is sent."""
    check_scheme(url)
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost"
    return parts.scheme == "https" or here
