"""What one visitor may take of the page, so that the others still get theirs. A visitor is an address.

All of it lives on the event loop: nothing here is for several threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UPLOADS_AT_ONCE = 16
"""Uploads under way: with those that wait for their turn, all that may lie in temporary files."""
UPLOAD_SECONDS = 120.0
"""For a whole upload: what the largest photo takes over a slow line."""
SILENCE_SECONDS = 15.0
"""The longest silence in the middle of an upload."""


def client_of(scope: Scope) -> str:
    """Who sent a request: an IPv4 address, or the network that one IPv6 customer has."""
    host = str((scope.get("client") or ("",))[0])
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    return str(address.ipv4_mapped or ipaddress.IPv6Network((address.packed[:8] + bytes(8), 64)))


class Places:
    """So many places at most. Where none is left, the client that has most of them gives up its oldest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: dict[str, dict[object, Callable[[], None]]] = {}

    def enter(self, client: str, who: object, end: Callable[[], None]) -> None:
        """Take a place, the newest of the client's. ``end`` is called when it is wanted for another."""
        self.leave(client, who)
        if sum(map(len, self._taken.values())) >= self._most:
            greediest = max(self._taken, key=lambda name: len(self._taken[name]))
            oldest, give_up = next(iter(self._taken[greediest].items()))
            self.leave(greediest, oldest)
            give_up()
        self._taken.setdefault(client, {})[who] = end

    def leave(self, client: str, who: object) -> None:
        """Give the place back; nothing happens where there is none."""
        if own := self._taken.get(client):
            own.pop(who, None)
            if not own:
                del self._taken[client]


class Line:
    """So many are served at once, and so many may wait, whose clients take turns.

    Where the line is full, a client that has fewer in it takes the last place of the one that has most.
    """

    def __init__(self, at_once: int, waiting: int, seconds: float) -> None:
        self._free, self._most_waiting, self._seconds = at_once, waiting, seconds
        self._line: dict[str, deque[asyncio.Future[None]]] = {}
        self._told: dict[asyncio.Future[None], Callable[[int], None]] = {}
        self._closed = False

    @contextlib.asynccontextmanager
    async def turn(
        self, client: str, tell: Callable[[int], None] = lambda _: None, seconds: float | None = None
    ) -> AsyncIterator[None]:
        """Wait for a turn, and have it for the block. ``tell`` hears the place in the line, 1 is next; ``seconds`` is
        the longest wait, where it is another than the line's.

        Raises:
            HTTPException: 503, the line is full, or the wait is too long.
        """
        await self._wait(client, tell, self._seconds if seconds is None else seconds)
        try:
            yield
        finally:
            self._free += 1
            self._call_next()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._told)

    def close(self) -> None:
        """Send all who wait away, and those who come later."""
        self._closed = True
        for future in [future for own in self._line.values() for future in own]:
            _refuse(future)

    async def _wait(self, client: str, tell: Callable[[int], None], seconds: float) -> None:
        if self._closed:
            raise HTTPException(503)
        if self._free:
            self._free -= 1
            return
        mine = len(self._line.get(client, ()))
        if sum(map(len, self._line.values())) >= self._most_waiting:
            longest = max(self._line.values(), key=len)
            if len(longest) < mine + 2:
                raise HTTPException(503)
            _refuse(longest.pop())
        called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.setdefault(client, deque()).append(called)
        self._told[called] = tell
        self._say_places()
        try:
            async with asyncio.timeout(seconds):
                await called
        except BaseException as error:
            self._forget(client, called)
            if called.done() and not called.cancelled() and called.exception() is None:  # called at the same moment
                self._free += 1
                self._call_next()
            if isinstance(error, TimeoutError):
                raise HTTPException(503) from None
            raise
        finally:
            del self._told[called]
            self._say_places()

    def _say_places(self) -> None:
        """In each round of turns every client that waits has one."""
        rounds = itertools.zip_longest(*self._line.values())
        waiting = (called for each in rounds for called in each if called is not None)
        for place, called in enumerate(waiting, 1):
            self._told[called](place)

    def _forget(self, client: str, called: asyncio.Future[None]) -> None:
        own = self._line.get(client)
        if own and called in own:
            own.remove(called)
            if not own:
                del self._line[client]

    def _call_next(self) -> None:
        while self._free and self._line:
            client, own = next(iter(self._line.items()))
            del self._line[client]
            called = own.popleft()
            if own:
                self._line[client] = own  # behind the others
            if not called.done():
                self._free -= 1
                called.set_result(None)


def _refuse(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_exception(HTTPException(503))


class LimitUploads:
    """Ends requests whose body is larger than ``limit`` bytes, takes too long, or whose place another client needs.

    Refused by what their header says where that is enough, else where the application reads them.
    """

    def __init__(
        self, app: ASGIApp, limit: int, refusal: Callable[[Request, HTTPException], Awaitable[ASGIApp]]
    ) -> None:
        self.app, self.limit, self.refusal = app, limit, refusal
        self.places = Places(UPLOADS_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        size = int(announced) if announced.isdigit() else -1
        upload = _Upload(receive, max(size, self.limit))
        client = client_of(scope)
        self.places.enter(client, upload, upload.give_up)
        upload.on_end = lambda: self.places.leave(client, upload)
        try:
            if 0 <= size <= self.limit:
                await self.app(scope, upload.receive, send)
                return
            if size > 0:
                await upload.pass_over()
            response = await self.refusal(Request(scope), HTTPException(413))
            await response(scope, receive, send)
        finally:
            upload.on_end()


class _Upload:
    """A request's body on its way in."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._left = receive, limit
        self._deadline = asyncio.get_running_loop().time() + UPLOAD_SECONDS
        self._pause: asyncio.Timeout | None = None
        self._given_up = self._whole = False
        self.on_end: Callable[[], None] = lambda: None

    def give_up(self) -> None:
        """Another needs the place."""
        self._given_up = True
        if self._pause is not None and not self._pause.expired():
            self._pause.reschedule(0)

    async def pass_over(self) -> None:
        """Let it come to its end and keep nothing: a browser shows no answer to what it is still sending."""
        with contextlib.suppress(HTTPException):
            while not self._whole:
                await self.receive()

    async def receive(self) -> Message:
        """The next message of the body.

        Raises:
            HTTPException: 408 or 503 and 413.
        """
        if self._whole:
            return await self._receive()
        with self._refused():
            until = min(self._deadline, asyncio.get_running_loop().time() + SILENCE_SECONDS)
            async with asyncio.timeout_at(0 if self._given_up else until) as self._pause:
                try:
                    message = await self._receive()
                finally:
                    self._pause = None
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise HTTPException(413)
        if not message.get("more_body"):
            self._whole = True
            self.on_end()
        return message

    @contextlib.contextmanager
    def _refused(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            if self._given_up:
                raise HTTPException(503) from None
            raise HTTPException(408) from None
