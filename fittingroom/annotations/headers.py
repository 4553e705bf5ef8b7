"""What a picture's first bytes say of its geometry: how its pixels are stored, and how a viewer turns them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from fittingroom import images
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
            header = images.probe(head)
        except ImageRejected:
            if len(head) < _FIRST_BYTES + _HEADER_BYTES:
                raise ImageRejected("unreadable", Path(path).name, "its header cannot be read") from None
            header = images.probe(Path(path))  # a header behind a long preview or profile
        turned = header.orientation
        if turned == 1 and head.startswith(_PNG):
            turned = _late_orientation(file)
    finally:
        os.close(file)
    return Header(header.width, header.height, turned)


def image_size(path: str | Path) -> tuple[int, int]:
    """Width and height of a picture as it is seen, from its first bytes.

    Raises:
        ImageRejected: not a picture we accept. OSError: cannot be opened.
    """
    return read_header(path).upright


def jpeg_header(head: bytes) -> Header | None:
    """A JPEG's header from its frame header (ITU T.81, B.2.2); None when ``head`` does not reach it, or holds EXIF or
    XMP that wants a real reader.

    Pillow reads the same and a good deal more; over 200,000 pictures that is most of the time of a conversion.
    """
    if head[:3] != b"\xff\xd8\xff":
        return None
    at, orientation = 2, 1
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # those three are no frames
            height, width = int.from_bytes(head[at + 5 : at + 7]), int.from_bytes(head[at + 7 : at + 9])
            return Header(width, height, orientation) if 0 < width * height <= images.MAX_PIXELS else None
        if marker in (0xD8, 0xD9, 0xDA, 0xFF) or length < 2:
            return None
        if marker == 0xE1:
            stated = _app1_orientation(head[at + 4 : at + 2 + length])
            if stated is None:
                return None
            orientation = stated
        at += 2 + length
    return None


def _app1_orientation(segment: bytes) -> int | None:
    """The orientation in an EXIF segment of the plainest kind, 1 where it states none; None for all others."""
    if segment[:6] != b"Exif\0\0" or segment[6:10] not in (b"II*\0", b"MM\0*"):
        return None
    order = "little" if segment[6:8] == b"II" else "big"
    tiff = segment[6:]
    at = int.from_bytes(tiff[4:8], order)  # type: ignore[arg-type]
    entries = int.from_bytes(tiff[at : at + 2], order)  # type: ignore[arg-type]
    if at < 8 or at + 2 + 12 * entries > len(tiff):
        return None
    for entry in range(at + 2, at + 2 + 12 * entries, 12):
        if int.from_bytes(tiff[entry : entry + 2], order) == _ORIENTATION:  # type: ignore[arg-type]
            kind_and_count = int.from_bytes(tiff[entry + 2 : entry + 4], order), tiff[entry + 4 : entry + 8]  # type: ignore[arg-type]
            if kind_and_count != (3, (1).to_bytes(4, order)):  # type: ignore[arg-type]
                return None
            value = int.from_bytes(tiff[entry + 8 : entry + 10], order)  # type: ignore[arg-type]
            return value if 1 <= value <= 8 else 1
    return None  # XMP may state it instead


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
            exif = Image.Exif()
            with contextlib.suppress(Exception):  # Pillow's EXIF reader raises anything on hostile bytes
                exif.load(os.read(file, min(length, _HEADER_BYTES)))
                found = exif.get(_ORIENTATION, 1)
                return found if isinstance(found, int) and 1 <= found <= 8 else 1
            break
        at += 12 + length
    return 1
