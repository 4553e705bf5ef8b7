"""Who may use the API, and how much of it: by API keys, or without them this machine's own programs."""

from __future__ import annotations

import contextlib
import ipaddress
import math
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp

from fittingroom.api_keys import Key, Keys
from fittingroom.app.arriving import from_elsewhere
from fittingroom.app.codes import Problem
from fittingroom.app.limits import client_of
from fittingroom.app.rendering import RETRY_SECONDS

METHODS = ("GET", "POST", "DELETE")
SENT = ("Authorization", "Content-Type", "Prefer", "Idempotency-Key", "X-Request-ID")
"""Headers that other sites' pages may send."""
READ = (
    "Location", "Retry-After", "X-Request-ID", "Preference-Applied", "Fittingroom-Models", "Fittingroom-Style",
    "Fittingroom-Warning",
)  # fmt: skip
"""Headers that they may read."""

_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
"""Headers of proxies."""


@dataclass(frozen=True)
class Caller:
    """Who asks: ``name`` is the key's, or the address of a program on this machine, which has no ``key``."""

    name: str
    key: Key | None = None


class Gate:
    """Looks at who asks. Lives on the event loop.

    Args:
        keys: None is none, and the API is this machine's own.
        on_loopback: whether the server can be reached from this machine alone.
    """

    def __init__(self, keys: Keys | None, on_loopback: bool) -> None:
        self._keys, self._on_loopback = keys, on_loopback
        self._buckets: dict[str, tuple[float, float]] = {}
        self._under_way: Counter[str] = Counter()

    def caller(self, request: Request) -> Caller:
        """Who asks.

        Raises:
            Problem: no key that is known (401), or the page of a site that may not (403); without keys, anybody from
                elsewhere (403).
        """
        if self._keys is None:
            if not self._on_loopback or not _is_from_here(request):
                raise Problem("closed")
            if from_elsewhere(request):
                raise Problem("foreign_origin")
            return Caller(client_of(request.scope))
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        found = self._keys.find(token.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            raise Problem("no_key", headers={"WWW-Authenticate": 'Bearer realm="fittingroom"'})
        name, key = found
        if from_elsewhere(request) and request.headers["origin"] not in key.origins:
            raise Problem("foreign_origin")
        return Caller(f"key {name}", key)

    def count(self, caller: Caller) -> None:
        """One more try-on is asked for.

        Raises:
            Problem: 429, the key has used its requests.
        """
        if caller.key is None:
            return
        most, now = caller.key.requests_per_minute, time.monotonic()
        left, since = self._buckets.get(caller.name, (float(most), now))
        left = min(left + (now - since) * most / 60, most)
        if left < 1:
            raise Problem("rate_limited", headers={"Retry-After": str(math.ceil((1 - left) * 60 / most))})
        self._buckets[caller.name] = left - 1, now

    def give_back(self, caller: Caller) -> None:
        """What `count` counted was no try-on."""
        if caller.key is not None:
            left, since = self._buckets[caller.name]
            self._buckets[caller.name] = left + 1, since

    @contextlib.contextmanager
    def under_way(self, caller: Caller) -> Iterator[None]:
        """A try-on is under way for the block.

        Raises:
            Problem: 429, the key has as many as it may.
        """
        if caller.key is not None and self._under_way[caller.name] >= caller.key.at_once:
            raise Problem("too_many_at_once", headers={"Retry-After": RETRY_SECONDS})
        self._under_way[caller.name] += 1
        try:
            yield
        finally:
            self._under_way[caller.name] -= 1
            if not self._under_way[caller.name]:
                del self._under_way[caller.name]

    def origins(self) -> set[str]:
        """Sites whose pages may use a key."""
        keys = self._keys.all().values() if self._keys is not None else ()
        return {origin for key in keys for origin in key.origins}

    def with_cors(self, app: ASGIApp) -> ASGIApp:
        """Browsers let the pages of those sites ask, and read the answers. `caller` looks whether it is the key's."""
        return _Cors(app, self)


class _Cors(CORSMiddleware):
    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        super().__init__(app, allow_methods=METHODS, allow_headers=SENT, expose_headers=READ)
        self._gate = gate

    def is_allowed_origin(self, origin: str) -> bool:
        return origin in self._gate.origins()

    @staticmethod
    def allow_explicit_origin(headers: MutableHeaders, origin: str) -> None:
        """What anybody may read stays so."""
        if headers.get("Access-Control-Allow-Origin") != "*":
            CORSMiddleware.allow_explicit_origin(headers, origin)


def _is_from_here(request: Request) -> bool:
    """Whether a program on this machine asks, and not somebody behind a proxy on it."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client.host if request.client else "").is_loopback
    except ValueError:
        return False
