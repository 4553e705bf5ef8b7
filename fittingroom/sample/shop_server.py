"""The sample shop on the loopback: listing and garment pages with real shops' quirks, and a record of requests."""

from __future__ import annotations

import html
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qs

from fittingroom.errors import InputError
from fittingroom.sample.shop import SHOP_STYLES, ShopFiles, near_duplicate, thumbnail
from fittingroom.workspace import digest_bytes, write_text

FORBIDDEN = "/private/"
"""The folder that robots.txt closes."""


@dataclass(frozen=True)
class Quirks:
    """How the shop misbehaves. They sit on the listing of the first style and do a polite crawler no harm."""

    page_size: int = 12
    slow_seconds: float = 1.0
    failures_before_healing: int = 2
    retry_after: int = 1
    broken: bool = True
    """Also sell a 404, a 503 that passes, a corrupt JPEG, duplicates and a forbidden photo."""


@dataclass(frozen=True)
class Request:
    """One request as the shop saw it; ``time`` is monotonic seconds."""

    path: str
    status: int
    user_agent: str
    time: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class _Reply:
    body: bytes
    kind: str = "text/html; charset=utf-8"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


class ShopServer:
    """Serves a shop's files with the standard library's threading server; a context manager.

    ::

        with ShopServer(files) as shop:
            requests.get(shop.url + "/styles/navy-striped/")
    """

    def __init__(self, files: ShopFiles, port: int = 0, quirks: Quirks | None = None) -> None:
        self.files, self.quirks = files, quirks or Quirks()
        self._port = port
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._failures: Counter[str] = Counter()

    # Life.

    def start(self) -> ShopServer:
        """Bind to 127.0.0.1 and serve from a thread of its own.

        Raises:
            InputError: the port is taken.
        """
        if self._server is not None:
            return self
        shop = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                shop._answer(self, with_body=True)

            def do_HEAD(self) -> None:
                shop._answer(self, with_body=False)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet: `ShopServer.requests` is the log."""

        try:
            self._server = _QuietServer(("127.0.0.1", self._port), Handler)
        except OSError as error:
            raise InputError(f"shop port {self._port}: cannot be opened: {error.strerror}") from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="sample-shop", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving and free the port; harmless when not started."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    def __enter__(self) -> ShopServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port in use."""
        if self._server is None:
            raise InputError("shop server: expected to be started before its port is asked for")
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """``http://127.0.0.1:port``, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    # What happened.

    @property
    def requests(self) -> list[Request]:
        """All requests so far, oldest first (a copy)."""
        with self._lock:
            return list(self._requests)

    # Answers.

    def _answer(self, handler: BaseHTTPRequestHandler, with_body: bool) -> None:
        path, _, query = handler.path.partition("?")
        reply = self._reply(path, query)
        if reply.status == 200 and ("ETag", handler.headers.get("If-None-Match", "")) in reply.headers:
            reply = _Reply(b"", reply.kind, 304, reply.headers)
        with self._lock:
            self._requests.append(Request(handler.path, reply.status, handler.headers.get("User-Agent", "")))
        try:
            handler.send_response(reply.status)
            handler.send_header("Content-Type", reply.kind)
            handler.send_header("Content-Length", str(len(reply.body)))
            for name, value in reply.headers:
                handler.send_header(name, value)
            handler.end_headers()
            if with_body:
                handler.wfile.write(reply.body)
        except (BrokenPipeError, ConnectionResetError):
            handler.close_connection = True  # the visitor left

    def _reply(self, path: str, query: str) -> _Reply:
        parts = [part for part in path.split("/") if part]
        if path == "/robots.txt":
            return _Reply(f"User-agent: *\nDisallow: {FORBIDDEN}\n".encode(), "text/plain; charset=utf-8")
        if not parts:
            return self._page(
                "Sample shop", "".join(f'<li><a href="/styles/{s}/">{s}</a></li>' for s in self.files.styles)
            )
        match parts:
            case ["styles", style] if style in self.files.photos:
                return self._listing(style, query)
            case ["garments", style, number] if style in self.files.photos:
                return self._garment(style, number)
            case ["photos", style, name] if style in self.files.photos:
                return self._photo(style, name)
            case ["private", name]:
                return _Reply(
                    self.files.photos[self.files.styles[0]][0].read_bytes(), "image/jpeg", headers=(("X-Name", name),)
                )
            case ["api", "search"]:
                return self._search(query)
        return _Reply(b"<h1>404</h1>not here", status=404)

    def _names(self, style: str) -> list[str]:
        """The garment pages of a style: its photos, and on the first style the quirks after them."""
        names = [photo.stem for photo in self.files.photos[style]]
        if self.quirks.broken and style == self.files.styles[0]:
            names += ["same", "again", "missing", "healing", "corrupt", "slow", "private"]
        return names

    def _listing(self, style: str, query: str) -> _Reply:
        page = _number(query, "page", 1)
        names, size = self._names(style), self.quirks.page_size
        pages = max(-(-len(names) // size), 1)
        if not 1 <= page <= pages:
            return _Reply(b"<h1>404</h1>no such page", status=404)
        shown = names[(page - 1) * size : page * size]
        tiles = "".join(
            f'<li class="garment"><a href="/garments/{style}/{name}">'
            f'<img src="{self._photo_url(style, name, thumb=True)}" alt="{style} {name}" width="100"></a></li>'
            for name in shown
        )
        here = f"/styles/{style}/"
        links = ""
        if page > 1:
            links += f'<a rel="prev" href="{here}?page={page - 1}">back</a> '
        if page < pages:
            links += f'<a rel="next" href="{here}?page={page + 1}">more</a>'
        head = f'<link rel="next" href="{here}?page={page + 1}">' if page < pages else ""
        entries = [self._entry(style, name, place) for place, name in enumerate(shown, start=1)]
        head += _json_ld({"@type": "ItemList", "itemListElement": entries})
        return self._page(f"{style}, page {page} of {pages}", f"<ul>{tiles}</ul><nav>{links}</nav>", head)

    def _entry(self, style: str, name: str, place: int) -> dict[str, object]:
        """A garment in a listing's JSON-LD: most come with their photo, every sixth and the odd ones as a page only."""
        page = f"/garments/{style}/{name}"
        entry: dict[str, object] = {"@type": "ListItem", "position": place, "url": page}
        if name.isdecimal() and int(name) % 6:
            product = {"@type": "Product", "name": f"{style} {name}", "url": page}
            entry["item"] = {**product, "image": self._photo_url(style, name)}
        return entry

    def _photo_url(self, style: str, name: str, thumb: bool = False) -> str:
        if name == "private":
            return f"{FORBIDDEN}sample.jpg"
        return f"/photos/{style}/{name}{'-small' if thumb else ''}.jpg"

    def _garment(self, style: str, name: str) -> _Reply:
        if name not in self._names(style):
            return _Reply(b"<h1>404</h1>sold out", status=404)
        if name == "slow":
            time.sleep(self.quirks.slow_seconds)
        photo = self._photo_url(style, name)
        title = f"{style} {name}"
        about: dict[str, object] = {
            "@type": "Product",
            "name": title,
            "image": [photo],
            "license": "https://creativecommons.org/publicdomain/zero/1.0/",
        }
        head = (
            f'<meta property="og:title" content="{title}"><meta property="og:image" content="{photo}">{_json_ld(about)}'
        )
        small = self._photo_url(style, name, thumb=True)
        body = (
            f'<p><img class="logo" src="/photos/{style}/logo.png" alt="" width="16" height="16">'
            f'<img src="{small}" srcset="{small} 100w, {photo} 400w" sizes="400px" alt="{html.escape(title)}"></p>'
        )
        return self._page(title, body, head)

    def _photo(self, style: str, name: str) -> _Reply:
        photos = self.files.photos[style]
        stem, _, suffix = name.rpartition(".")
        small, stem = stem.endswith("-small"), stem.removesuffix("-small")
        if suffix != "jpg" or stem == "missing" or stem not in self._names(style):
            return _Reply(b"<h1>404</h1>no such photo", status=404)
        if small:
            known = next((photo for photo in photos if photo.stem == stem), photos[0])
            return _Reply(thumbnail(known), "image/jpeg")
        if stem == "healing" and self._still_fails(name):
            return _Reply(b"<h1>503</h1>busy", status=503, headers=(("Retry-After", str(self.quirks.retry_after)),))
        made: dict[str, Callable[[], bytes]] = {
            "same": lambda: photos[0].read_bytes(),
            "again": lambda: near_duplicate(photos[min(1, len(photos) - 1)]),
            "healing": (self.files.root / "extras" / "healing.jpg").read_bytes,
            "slow": (self.files.root / "extras" / "slow.jpg").read_bytes,
            "corrupt": lambda: photos[0].read_bytes()[:900] + b"\x00not a jpeg any more",
        }
        data = made[stem]() if stem in made else next(photo for photo in photos if photo.stem == stem).read_bytes()
        etag = f'"{digest_bytes(data)[:16]}"'
        return _Reply(data, "image/jpeg", headers=(("Cache-Control", "max-age=3600"), ("ETag", etag)))

    def _still_fails(self, name: str) -> bool:
        with self._lock:
            self._failures[name] += 1
            return self._failures[name] <= self.quirks.failures_before_healing

    def _search(self, query: str) -> _Reply:
        """An image search in Openverse's shape (https://api.openverse.org/v1/): ``q`` is a style's name."""
        style = next(iter(parse_qs(query).get("q", [])), "")
        names = [photo.stem for photo in self.files.photos.get(style, ())]
        page, size = _number(query, "page", 1), _number(query, "page_size", 20)
        results = [
            {
                "title": f"{style} {name}",
                "url": f"{self.url}/photos/{style}/{name}.jpg",
                "foreign_landing_url": f"{self.url}/garments/{style}/{name}",
                "license": "cc0",
                "license_version": "1.0",
                "creator": "Sample shop",
            }
            for name in names[(page - 1) * size : page * size]
        ]
        answer = {"result_count": len(names), "page_count": -(-len(names) // size), "page": page, "results": results}
        return _Reply(json.dumps(answer).encode(), "application/json")

    def _page(self, title: str, body: str, head: str = "") -> _Reply:
        text = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>{head}</head>'
            f"<body><h1>{title}</h1>{body}</body></html>"
        )
        return _Reply(text.encode())


def _json_ld(about: dict[str, object]) -> str:
    text = json.dumps({"@context": "https://schema.org", **about})
    return f'<script type="application/ld+json">{text}</script>'


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A visitor who hangs up in the middle is no news."""


def _number(query: str, name: str, otherwise: int) -> int:
    value = next(iter(parse_qs(query).get(name, [])), "")
    return max(int(value), 1) if value.isdecimal() else otherwise


def write_catalog(path: Path, base_url: str, styles: Sequence[str] | None = None) -> Path:
    """Write a catalog of the shop's styles (all, or those named); the sources are the listing pages at ``base_url``."""
    lines = ["# The sample shop's styles.", "styles:"]
    for style in SHOP_STYLES:
        if styles is not None and style.name not in styles:
            continue
        lines += [
            f"  - name: {style.name}",
            f"    category: {style.category}",
            f"    colour: {style.colour}",
            f"    pattern: {style.pattern}",
            "    sources:",
            "      - kind: page",
            f"        url: {base_url}/styles/{style.name}/",
            "        images: structured  # what the pages call a product's picture, no thumbnails",
            "        max_pages: 60",
            "        licence: CC0, rendered",
        ]
    write_text(path, "\n".join(lines) + "\n")
    return path
