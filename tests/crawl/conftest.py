"""A local shop that misbehaves on request, and a net under every test: nothing may leave this machine."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fittingroom.crawl import CrawlSettings
from fittingroom.crawl.http import addresses


@dataclass
class Network:
    """What the crawler's resolver and connector were asked for; names resolve to what a test says."""

    names: dict[str, list[list[str]]] = field(default_factory=dict)
    looked_up: list[str] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """Replaces resolver and connector. A connection beyond loopback is never made, and fails the test."""
    network, real_open = Network(), addresses.open_socket

    def look_up(host: str, port: int) -> list[addresses.IPAddress]:
        network.looked_up.append(host)
        if host in network.names:
            answers = network.names[host]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            return [ipaddress.ip_address(one) for one in answer]
        # Numbers in any spelling are read by the system without asking anyone; names raise.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return [ipaddress.ip_address(entry[4][0]) for entry in found]

    def open_socket(address: addresses.IPAddress, port: int, timeout: float | None) -> socket.socket:
        network.connected.append(str(address))
        if not address.is_loopback:
            raise ConnectionRefusedError("beyond loopback")
        return real_open(address, port, timeout)

    monkeypatch.setattr(addresses, "look_up", look_up)
    monkeypatch.setattr(addresses, "open_socket", open_socket)
    yield network
    assert all(ipaddress.ip_address(address).is_loopback for address in network.connected)


class Handler(BaseHTTPRequestHandler):
    """One request, answered by the shop's routes."""

    protocol_version = "HTTP/1.1"
    server: ShopServer

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        shop = self.server.shop
        shop.hits[self.path] += 1
        shop.headers[self.path].append(dict(self.headers.items()))
        route = shop.routes.get(self.path)
        try:
            if route is None:
                self.answer(404, b"")
            elif callable(route):
                route(self)
            else:
                self.answer(200, *route)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def answer(self, status: int, body: bytes, kind: str = "image/jpeg", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


class ShopServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    shop: Shop


Route = tuple[bytes, str] | Callable[[Handler], None]


class Shop:
    """Routes to answers, and what was asked for."""

    def __init__(self) -> None:
        self.routes: dict[str, Route] = {}
        self.hits: Counter[str] = Counter()
        self.headers: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
        self.over = threading.Event()
        self._server = ShopServer(("127.0.0.1", 0), Handler)
        self._server.shop = self
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def port(self) -> int:
        return self._server.server_port

    def html(self, path: str, body: str) -> str:
        self.routes[path] = (body.encode(), "text/html; charset=utf-8")
        return self.url + path

    def image(self, path: str, data: bytes, kind: str = "image/jpeg") -> str:
        self.routes[path] = (data, kind)
        return self.url + path

    def redirect(self, path: str, target: str) -> str:
        self.routes[path] = lambda handler: handler.answer(302, b"", Location=target)
        return self.url + path

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.close()


@pytest.fixture
def quick() -> CrawlSettings:
    """Settings for a shop on this machine: no pauses, small limits."""
    return CrawlSettings(
        contact="tests@fittingroom.example",
        allow_loopback=True,
        per_host_delay=0,
        backoff=0.01,
        max_backoff=0.05,
        attempts=3,
        connect_timeout=2,
        read_timeout=2,
        total_timeout=5,
        max_image_bytes=500_000,
        max_page_bytes=500_000,
    )
