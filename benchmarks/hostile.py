"""Pictures that strangers send: fifty that mean harm, and any number of harmless ones, no two alike."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image


def hostile_pictures() -> Iterator[tuple[str, bytes]]:
    """Fifty pictures that are small files, and large or slow to decode, or no pictures at all."""
    black = Image.new("RGB", (6300, 6300))
    whole = {
        "PNG": _encoded(black, "PNG", optimize=True),
        "JPEG": _encoded(black, "JPEG", progressive=True),
        "WEBP": _encoded(black, "WEBP", lossless=True),
        "GIF": _encoded(black, "GIF"),
    }
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), np.uint8))
    whole["PNG of noise"] = _encoded(noise, "PNG")
    bomb = zlib.compress(bytes(100_000_000), 9)
    large = whole["PNG"][:16] + struct.pack(">II", 50_000, 50_000) + whole["PNG"][24:]
    same = [
        ("PNG of 2.5 billion pixels", large),
        ("PNG with a text bomb", _with_chunk(whole["PNG of noise"], b"zTXt", b"Comment\0\0" + bomb)),
        ("JPEG of thousands of scans", _many_scans(whole["JPEG"], 3000)),
        ("JPEG of 30 scans", _many_scans(whole["JPEG"], 30)),
        ("a page", b"<html>" * 1000),
    ]
    for number in range(10):
        kind, data = list(whole.items())[number % len(whole)]
        yield f"{kind} of 40 million pixels" if "noise" not in kind else kind, data
        yield f"{kind} cut off", data[: len(data) * (number + 50) // 100]
        yield f"{kind} with bits turned", _turned(data, number)
        yield same[number % len(same)]
        yield same[(number + 2) % len(same)]


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _with_chunk(png: bytes, name: bytes, data: bytes) -> bytes:
    chunk = struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return png[:33] + chunk + png[33:]


def _many_scans(jpeg: bytes, scans: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:last] + jpeg[last:-2] * scans + jpeg[-2:]


def _turned(data: bytes, number: int) -> bytes:
    random = np.random.default_rng(number)
    turned = bytearray(data)
    for place in random.integers(len(data) // 20, len(data), 20):
        turned[int(place)] ^= 1 << int(random.integers(8))
    return bytes(turned)


def garment(number: int) -> bytes:
    """A picture like no other: blocks of many colours on white."""
    blocks = np.full((14, 12, 3), 255, np.uint8)
    blocks[2:-2, 2:-2] = np.random.default_rng(number).integers(0, 200, (10, 8, 3))
    return _encoded(Image.fromarray(np.kron(blocks, np.ones((25, 25, 1), np.uint8))), "PNG")
