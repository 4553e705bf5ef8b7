"""What a picture's first bytes say of its geometry: how its pixels are stored, and how a viewer turns them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from fittingroom import opening
from fittingroom.errors import ImageRejected

_FIRST_BYTES = 4096
_HEADER_BYTES = 65_536
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Without waiting: a pipe that is named like a picture would hold up everything."""
_ORIENTATION = 0x0112
_PNG = b"\x89PNG\r\n\x1a\n"
_MOST_CHUNKS = 20_000


class Header(NamedTuple):
    """``width`` and ``height`` of the stored pixels, and EXIF's ``orientation`` (1 to 8: how a viewer turns them)."""

    width: int
    height: int
    orientation: int = 1

    @property
    def stored(self) -> tuple[int, int]:
        """Width and height as stored."""
        return self.width, self.height

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as seen: what `fittingroom.images.read_rgb` gives."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


def read_header(path: str | Path) -> Header:
    """The header of a picture file from its first bytes; nothing is decoded.

    Raises:
        ImageRejected: not a picture we accept. OSError: cannot be opened.
    """
    file = os.open(path, _READ)
    try:
        head = os.read(file, _FIRST_BYTES)
        found = jpeg_header(head)
        if found:
            return found
        head += os.read(file, _HEADER_BYTES)
        try:
            header = opening.probe(head)
        except ImageRejected:
            if len(head) < _FIRST_BYTES + _HEADER_BYTES:
                raise ImageRejected("unreadable", Path(path).name, "its header cannot be read") from None
            header = opening.probe(Path(path))  # a header behind a long preview or profile
        turned = header.orientation
        if turned == 1 and head.startswith(_PNG):
            turned = _late_orientation(file)
    finally:
        os.close(file)
    return Header(header.width, header.height, turned)


def jpeg_header(head: bytes) -> Header | None:
    """A JPEG's header from its frame header (ITU T.81, B.2.2); None when ``head`` does not reach it, or XMP or EXIF
    wants a real reader.

    Pillow reads the same and a good deal more; over 200,000 pictures that is most of the time of a conversion.
    """
    if head[:3] != b"\xff\xd8\xff":
        return None
    at, orientation = 2, 1
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # those three are no frames
            height, width = int.from_bytes(head[at + 5 : at + 7]), int.from_bytes(head[at + 7 : at + 9])
            return Header(width, height, orientation) if 0 < width * height <= opening.MAX_PIXELS else None
        if marker in (0xD8, 0xD9, 0xDA, 0xFF) or length < 2:
            return None
        if marker == 0xE1:
            exif = head[at + 4 : at + 2 + length]
            stated = _orientation(exif) if exif.startswith(b"Exif\0\0") and len(exif) == length - 2 else None
            if stated is None:
                return None  # XMP may state it instead
            orientation = stated
        at += 2 + length
    return None


def _orientation(exif: bytes) -> int | None:
    """What EXIF states, 1 where that is none of 1 to 8; None where it states nothing or cannot be read."""
    reader = Image.Exif()
    with contextlib.suppress(Exception):  # Pillow's EXIF reader raises anything on hostile bytes
        reader.load(exif)
        found = reader.get(_ORIENTATION)
        return found if found is None or (isinstance(found, int) and 1 <= found <= 8) else 1
    return None


def _late_orientation(file: int) -> int:
    """The orientation in a PNG's EXIF chunk, wherever it stands: exiftool puts it behind the pixels."""
    at = len(_PNG)
    for _ in range(_MOST_CHUNKS):
        os.lseek(file, at, os.SEEK_SET)
        start = os.read(file, 8)
        length, name = int.from_bytes(start[:4]), start[4:]
        if len(start) < 8 or name == b"IEND":
            break
        if name == b"eXIf":
            return _orientation(os.read(file, min(length, _HEADER_BYTES))) or 1
        at += 12 + length
    return 1
