"""A picture's bytes without their metadata.

JPEG, PNG and WebP keep their compressed pixels: `strip` cuts only the segments out that carry none (EXIF, XMP,
comments, thumbnails, what trails the end). Where that would change what is seen, because of a rotation, a colour
profile, a deeper or animated picture, and for other formats, `encode` writes the decoded pixels anew.
"""

from __future__ import annotations

import io
import re
import struct

from PIL import Image

from fittingroom.domain import MARK

SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}
"""Formats that are stored, and their file names' endings."""


def encode(image: Image.Image, source_format: str) -> tuple[bytes, str]:
    """The bytes to store and their format, for the pixels (RGB or RGBA) of a picture that came as ``source_format``.

    Pixels only: what ``image.info`` says is cleared, so that no writer picks a comment or profile up from there.
    """
    opaque = image.mode == "RGB" or image.getchannel("A").getextrema()[0] == 255
    pixels = image.convert("RGB") if opaque and image.mode != "RGB" else image
    pixels.info.clear()
    buffer = io.BytesIO()
    if opaque and source_format in ("JPEG", "WEBP", "AVIF"):
        pixels.save(buffer, "JPEG", quality=95, subsampling=0)
        return buffer.getvalue(), "JPEG"
    pixels.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue(), "PNG"


def strip(data: bytes, source_format: str) -> bytes | None:
    """``data`` without metadata, or None where the format is not known here or the file is oddly built."""
    try:
        if source_format == "JPEG":
            return _strip_jpeg(data)
        if source_format == "PNG":
            return _strip_png(data)
        if source_format == "WEBP":
            return _strip_webp(data)
    except (struct.error, IndexError, ValueError):
        pass
    return None


_SCAN_END = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""In a JPEG's compressed data, FF is followed by 00 or a restart marker; anything else ends the scan. More FF before it
belong to its end, too."""


def _strip_jpeg(data: bytes) -> bytes | None:
    if data[:2] != b"\xff\xd8":
        return None
    kept, at = [b"\xff\xd8"], 2
    while True:
        if data[at] != 0xFF:
            return None
        while data[at + 1] == 0xFF:
            at += 1
        marker = data[at + 1]
        if marker == 0xD9:
            return b"".join([*kept, b"\xff\xd9"])
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + length
        if length < 2 or end > len(data):
            return None
        # APP0 is JFIF's own, APP14 says how Adobe stored the colours; every other APP and the comments go.
        # A comment that says the picture is rendered stays: models must know what they learnt from.
        rendered = marker == 0xFE and data[at + 4 : end] == MARK.encode()
        if marker in (0xE0, 0xEE) or rendered or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(data[at:end])
        if marker == 0xDA:
            found = _SCAN_END.search(data, end)
            if found is None:
                return None
            stop = found.start()
            while stop > end and data[stop - 1] == 0xFF:
                stop -= 1
            kept.append(data[end:stop])
            end = stop
        at = end


_PNG_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})


def _strip_png(data: bytes) -> bytes | None:
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return None
    kept, at = [data[:8]], 8
    while True:
        (length,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            return None
        if kind == b"IHDR" and data[at + 16] > 8:  # 16 bits a channel: not every reader takes them
            return None
        if kind == b"eXIf" and b"IDAT" in (chunk[4:8] for chunk in kept):
            return None  # found by no one who has not decoded the picture: it may turn it
        if kind in _PNG_PIXELS:
            kept.append(data[at:end])
        if kind == b"IEND":
            return b"".join(kept)
        at = end


def _strip_webp(data: bytes) -> bytes | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    (size,) = struct.unpack_from("<I", data, 4)
    stop = min(len(data), 8 + size)
    kept, at = [], 12
    while at + 8 <= stop:
        kind = data[at : at + 4]
        (length,) = struct.unpack_from("<I", data, at + 4)
        end = at + 8 + length + (length & 1)
        if at + 8 + length > len(data):
            return None
        chunk = data[at:end]
        if kind == b"VP8X":  # flags: only "has alpha" may stay; an animation is encoded anew
            if chunk[8] & 0x02:
                return None
            chunk = chunk[:8] + bytes([chunk[8] & 0x10]) + chunk[9:]
        if kind in (b"VP8X", b"ALPH", b"VP8 ", b"VP8L"):
            kept.append(chunk)
        at = end
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body
