"""A request on its way in: its form, the site it was sent from, and whether who sent it is still there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar
from urllib.parse import urlsplit

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

T = TypeVar("T")


@contextlib.asynccontextmanager
async def form_of(request: Request) -> AsyncIterator[FormData]:
    """The form's fields; its files are deleted at the end of the block.

    Raises:
        HTTPException: 400, it cannot be read as a form; and what `LimitUploads` raises. ClientDisconnect.
    """
    try:
        fields = await request.form(max_files=2, max_fields=9, max_part_size=4096)
    except ValueError as error:  # a charset that decodes nothing, a header that is none
        raise HTTPException(400, f"it cannot be read as a form ({type(error).__name__})") from None
    try:
        yield fields
    finally:
        await request.close()


async def while_there(request: Request, work: Awaitable[T]) -> T:
    """The result of ``work``, which is cancelled when the client goes.

    Raises:
        ClientDisconnect: it went.
    """

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    task, leaving = asyncio.ensure_future(work), asyncio.ensure_future(gone())
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        for each in (task, leaving):
            each.cancel()
        await asyncio.wait({task, leaving})


def from_elsewhere(request: Request) -> bool:
    """Whether another site's page sends this, or one that hides where it is from."""
    origin = request.headers.get("origin")
    if origin is None:
        return False
    sent_from = _place(origin)
    return sent_from is None or sent_from != _place(f"{urlsplit(origin).scheme}://{request.headers.get('host', '')}")


def _place(address: str) -> tuple[str, int] | None:
    """Host and port of an address; None where there is none."""
    try:
        parts = urlsplit(address)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.hostname, port) if parts.hostname else None
