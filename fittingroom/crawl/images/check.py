"""One fetched picture: decoded once to prove it whole, stripped of its metadata, and measured to tell it from others.

Where the stored bytes are the fetched ones less their metadata, nothing needs the full-size pixels: a JPEG is decoded
wholly, which proves it, but into a small picture, which is several times faster and takes almost no budget.
"""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import imagehash
import numpy as np
from PIL import Image

from fittingroom import images, opening
from fittingroom.crawl.images import budget
from fittingroom.crawl.images.budget import BUDGET
from fittingroom.crawl.images.metadata import encode, strip
from fittingroom.crawl.settings import CrawlSettings
from fittingroom.errors import ImageRejected, MissingInputError
from fittingroom.workspace import digest_bytes

_SMALL = 128
"""Side of the small picture that is hashed."""
_LOOK = 32
_TOO_MUCH = ("too_slow", "too_much_memory")
"""Reasons to give a picture up at once: another way of decoding it would take as much again."""


@dataclass(frozen=True)
class Checked:
    """A picture that passed every check: what to store, and what to tell it from others by."""

    data: bytes
    format: str
    width: int
    height: int
    source_sha256: str
    phash: str
    look: images.RGB
    """(32, 32, 3) thumbnail on white."""


class TooSmall(Exception):
    """A picture with a side below the setting."""

    def __init__(self, width: int, height: int, least: int) -> None:
        super().__init__(f"expected at least {least} pixels a side, got {width} x {height}")


@contextlib.contextmanager
def checked(source: bytes | BinaryIO, settings: CrawlSettings) -> Iterator[Checked]:
    """Check a picture; its memory is held for the block, so that many at once stay within `budget.BUDGET`.

    Raises:
        ImageRejected: not a picture we accept. TooSmall: it is, but too small.
    """
    limits = {"max_pixels": settings.max_pixels, "max_bytes": settings.max_image_bytes}
    with opening.opened(source, **limits, header_only=True) as image:  # decoded below, when there is memory for it
        header, as_stored = opening.header_of(image), images.is_srgb_as_stored(image)
    size = len(source) if isinstance(source, bytes) else source.seek(0, io.SEEK_END)
    if min(header.width, header.height) < settings.min_side:
        raise TooSmall(header.width, header.height, settings.min_side)
    with BUDGET.hold(_need(header, as_stored) + 2 * size):
        data = source if isinstance(source, bytes) else _whole(source)
        yield (_as_stored(data, header) if as_stored else None) or _encoded_anew(data, header)


def look_of(source: Path) -> images.RGB | None:
    """The look of a stored picture, or None where it cannot be read any more."""
    small = _small_of(source)
    return None if small is None else _look(small)


def seen(source: Path) -> tuple[int, images.RGB] | None:
    """The perceptual hash and the look of a picture file, or None where it cannot be read."""
    small = _small_of(source)
    return None if small is None else (int(_hash(small), 16), _look(small))


def _small_of(source: Path) -> Image.Image | None:
    try:
        return opening.decoded(source, _small)
    except (ImageRejected, MissingInputError):
        return None


def _need(header: opening.ImageHeader, as_stored: bool) -> int:
    """Bytes that decoding a picture may take.

    Raises:
        ImageRejected: more than all pictures together may have.
    """
    per_pixel = (budget.PROVING if as_stored else {}).get(header.format, budget.DECODING[header.format])
    need = header.width * header.height * per_pixel
    if need > BUDGET.total:
        most = f"{BUDGET.total // per_pixel:,} pixels of a {header.format} such as this"
        raise ImageRejected(
            "too_many_pixels", "image", f"expected at most {most}, got {header.width} x {header.height}"
        )
    return need


def _whole(stream: BinaryIO) -> bytes:
    stream.seek(0)
    return stream.read()


def _as_stored(data: bytes, header: opening.ImageHeader) -> Checked | None:
    """With the compressed pixels kept, or None where the file is too oddly built to part metadata from pixels."""
    stripped = strip(data, header.format)
    if stripped is None:
        return None
    try:
        small = opening.decoded(stripped, _small, max_pixels=header.width * header.height)
    except ImageRejected as error:
        if error.reason in _TOO_MUCH:
            raise
        return None
    return _measured(data, stripped, header.format, (header.width, header.height), small)


def _encoded_anew(data: bytes, header: opening.ImageHeader) -> Checked:
    anew = functools.partial(_anew, header.format)
    stored, kind, size, small = opening.decoded(data, anew, max_pixels=header.width * header.height)
    return _measured(data, stored, kind, size, small)


def _anew(kind: str, image: Image.Image) -> tuple[bytes, str, tuple[int, int], Image.Image]:
    upright = images.to_upright_srgb(image)
    return *encode(upright, kind), upright.size, _small(upright)


def _small(image: Image.Image) -> Image.Image:
    """All of the picture decoded, and shrunk to `_SMALL` x `_SMALL` on white."""
    if image.format == "JPEG":
        image.draft(image.mode, (_SMALL, _SMALL))
    image.load()
    small = image.resize((_SMALL, _SMALL), Image.Resampling.BOX, reducing_gap=2.0)
    return Image.fromarray(images.flatten_on_white(np.asarray(small.convert("RGBA"))))


def _look(small: Image.Image) -> images.RGB:
    return np.asarray(small.resize((_LOOK, _LOOK), Image.Resampling.BOX), np.uint8)


def _hash(small: Image.Image) -> str:
    return str(imagehash.phash(small))


def _measured(data: bytes, stored: bytes, kind: str, size: tuple[int, int], small: Image.Image) -> Checked:
    return Checked(
        data=stored,
        format=kind,
        width=size[0],
        height=size[1],
        source_sha256=digest_bytes(data),
        phash=_hash(small),
        look=_look(small),
    )
