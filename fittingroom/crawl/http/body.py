"""The body of an answer, read in pieces and never beyond its cap, compressed or not; a large one goes to disk."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

CHUNK = 65_536
IN_MEMORY = 1_000_000
"""What is larger goes through a nameless file, so that many slow, large answers at once do not fill the memory."""


class TooManyBytes(Exception):
    """The body, as sent or when decompressed, is larger than its cap."""


_MEMBER = b"\x1f\x8b"
_MOST_MEMBERS = 1000


class BadEncoding(Exception):
    """A Content-Encoding we did not ask for, or that is broken."""


def read_body(chunks: Iterable[bytes], encoding: str, max_bytes: int, *, cut: bool = False) -> BinaryIO:
    """All of ``chunks``, decompressed, as a file to read from its beginning; with ``cut``, no more than ``max_bytes``.

    Raises:
        TooManyBytes: as soon as there are more than ``max_bytes``. BadEncoding: as it says.
    """
    found = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  the caller reads it; it is gone with the answer
    try:
        total = 0
        for piece in _decompressed(chunks if cut else _capped(chunks, max_bytes), encoding.strip().lower()):
            total += len(piece)
            if total > max_bytes and cut:
                found.write(piece[: max_bytes - total or None])
                break
            if total > max_bytes:
                raise TooManyBytes
            found.write(piece)
        found.seek(0)
    except BaseException:
        found.close()
        raise
    return cast(BinaryIO, found)


def _capped(chunks: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > max_bytes:
            raise TooManyBytes
        yield chunk


def _decompressed(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    if encoding in ("", "identity"):
        yield from chunks
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise BadEncoding(f"expected gzip or none, got {encoding[:40]!r}")
    # 32 + 15: zlib or gzip by its header. No more than CHUNK comes out of one call, however good the compression.
    inflater, members, begun = zlib.decompressobj(32 + zlib.MAX_WBITS), 1, b""
    try:
        for chunk in chunks:
            data, begun = begun + chunk, b""
            while data:
                if inflater.eof:  # another member (RFC 1952, 2.2), or what is no part of the answer
                    if data == _MEMBER[:1]:
                        begun = data
                    if not data.startswith(_MEMBER):
                        break
                    members += 1
                    if members > _MOST_MEMBERS:
                        raise BadEncoding(f"expected at most {_MOST_MEMBERS} gzip members")
                    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
                yield inflater.decompress(data, CHUNK)
                data = inflater.unconsumed_tail or inflater.unused_data
        yield inflater.flush()
    except zlib.error as error:
        raise BadEncoding(f"broken {encoding} body: {error}") from None
    if not inflater.eof:
        raise BadEncoding(f"{encoding} body ends early")
