"""Safe opening of pictures: everything from outside is hostile until it has been accepted here.

The format comes from the bytes, never from the name; bytes, pixels and formats are limited before a pixel is decoded.
What promises much work by its header is decoded in a process that can be ended (`is_costly`).
"""

from __future__ import annotations

import contextlib
import io
import math
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from PIL import Image, UnidentifiedImageError

from fittingroom.errors import ImageRejected, MissingInputError
from fittingroom.names import NOT_UTF8, is_utf8
from fittingroom.signatures import HEAD, recognise
from fittingroom.workers import run_here

T = TypeVar("T")

ALLOWED_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
MAX_PIXELS = 50_000_000
"""Pixels in one picture: a 50-megapixel camera passes, a decompression bomb does not."""
MAX_BYTES = 40_000_000

MAX_SCANS = 100
"""Scans of a JPEG; encoders write up to some 20."""
MAX_SCANNED_PIXELS = 1_500_000_000
"""Pixels of a JPEG over all of its scans: what 30 scans of the largest picture have, some seconds of decoding."""
COSTLY_PIXELS, COSTLY_SCANNED_PIXELS = 16_000_000, 200_000_000
"""What is decoded in this process at most, by `is_costly`. Measured at their worst (WebP of noise), Pillow's decoders
take 125 ns of processor time a pixel, 7 more for each further scan of a JPEG, and at most 18 bytes: 2 s and 290 MB."""
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_SCANS = "fittingroom: scans"
"""In the `info` of an opened JPEG: how many there are."""
_SCAN, _END, _ALONE = 0xDA, 0xD9, 0x01
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class ImageHeader:
    """What the header says, before any pixel is decoded. Width and height are those of the stored, unrotated pixels;
    ``orientation`` is EXIF's, 1 to 8: how a viewer turns them."""

    width: int
    height: int
    format: str
    mode: str
    orientation: int = 1


@contextmanager
def opened(
    source: Path | bytes | BinaryIO,
    *,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    header_only: bool = False,
) -> Iterator[Image.Image]:
    """A picture whose header was read and found acceptable, no pixel decoded yet.

    What goes wrong while the block decodes it is raised as `ImageRejected`, too. With ``header_only`` the block must
    not decode it: how much work that would be was not looked at.

    Raises:
        ImageRejected: not a picture we accept. MissingInputError: no such file.
    """
    name, fault = str(source) if isinstance(source, Path) else "image", "its header cannot be read"
    with _stream(source, name, max_bytes) as stream:
        try:
            with Image.open(stream, formats=ALLOWED_FORMATS) as image:
                fault = "it cannot be decoded"
                _refuse_size(image, name, max_pixels)
                if not header_only and image.format in ("JPEG", "MPO"):
                    image.info[_SCANS] = _acceptable_scans(stream, image, name)
                image.seek(0)
                _refuse_size(image, name, max_pixels)  # a GIF's first frame may reach beyond what its header says
                yield image
        except ImageRejected:
            raise
        except UnidentifiedImageError:
            stream.seek(0)
            raise _unopened(stream.read(HEAD), name) from None
        except MemoryError:
            raise ImageRejected(
                "too_much_memory", name, "decoding it takes more memory than there is for it; make it smaller"
            ) from None
        except Image.DecompressionBombError as error:
            raise _too_large(name, max_pixels, str(error)) from None
        except Exception as error:  # noqa: BLE001  Pillow's parsers raise anything on hostile bytes
            reason = "truncated" if isinstance(error, OSError) and "truncated" in str(error) else "unreadable"
            raise ImageRejected(reason, name, f"the file is damaged, {fault}: {error}") from None


@contextmanager
def _stream(source: Path | bytes | BinaryIO, name: str, max_bytes: int) -> Iterator[BinaryIO]:
    try:
        with contextlib.ExitStack() as stack:
            if isinstance(source, bytes):
                stream: BinaryIO = io.BytesIO(source)
            elif isinstance(source, Path):
                refuse_name(source)
                stream = stack.enter_context(source.open("rb"))
            else:
                stream = source
            size = stream.seek(0, io.SEEK_END)
            if not size:
                raise ImageRejected("empty", name, "expected an image, got an empty file")
            if size > max_bytes:
                raise ImageRejected(
                    "too_many_bytes", name, f"expected at most {max_bytes:,} bytes, got {size:,}; make it smaller"
                )
            stream.seek(0)
            yield stream
    except FileNotFoundError:
        raise MissingInputError("image", name) from None
    except IsADirectoryError:
        raise ImageRejected("unreadable", name, "expected a picture, got a folder") from None
    except OSError as error:
        raise ImageRejected("unreadable", name, f"cannot be read: {error.strerror}") from None


def refuse_name(path: Path) -> None:
    """Refuse a file whose name is not text: neither a manifest nor a database could hold what becomes of it.

    Raises:
        ImageRejected: its name is not UTF-8.
    """
    if not is_utf8(path.name):
        raise ImageRejected("name_not_utf8", str(path), NOT_UTF8)


def _too_large(name: str, max_pixels: int, pillow: str) -> ImageRejected:
    """What Pillow itself refuses; its words hold the only number there is."""
    found = re.search(r"[0-9]+", pillow)
    got = f"{int(found[0]):,}" if found else "more"
    detail = f"expected at most {max_pixels:,} pixels, got {got}; make the picture smaller"
    return ImageRejected("too_many_pixels", name, detail)


def _refuse_size(image: Image.Image, name: str, max_pixels: int) -> None:
    width, height = image.size
    if width <= 0 or height <= 0:
        raise ImageRejected("zero_size", name, f"expected a picture, got {width} x {height} pixels")
    if width * height > max_pixels:
        scale = math.sqrt(max_pixels / (width * height))
        fits = f"{max(int(width * scale), 1):,} x {max(int(height * scale), 1):,}"
        raise ImageRejected(
            "too_many_pixels",
            name,
            f"expected at most {max_pixels:,} pixels, got {width:,} x {height:,} ({width * height:,}); "
            f"make the picture smaller, to {fits} or less",
        )


def _acceptable_scans(stream: BinaryIO, image: Image.Image, name: str) -> int:
    """The scans of a JPEG that is not decoded again and again: every scan is a pass over all pixels of a progressive
    one, and half a megabyte can hold thousands of them. Cameras and encoders write up to some 20.

    Raises:
        ImageRejected: there are too many.
    """
    position = stream.tell()
    stream.seek(0)
    scans = count_scans(stream.read())
    stream.seek(position)
    if scans > MAX_SCANS or scans * image.width * image.height > MAX_SCANNED_PIXELS:
        raise ImageRejected(
            "too_many_scans",
            name,
            f"expected a JPEG of at most {MAX_SCANS} scans and {MAX_SCANNED_PIXELS:,} pixels over all of them, got "
            f"{scans:,} scans of {image.width * image.height:,}; save it again as a plain JPEG",
        )
    return scans


def count_scans(jpeg: bytes) -> int:
    """The scans of the first picture in a JPEG (ITU T.81, B.1.1): its SOS markers, without those in other segments."""
    scans, position = 0, 2
    while marker := _MARKER.search(jpeg, position):
        code, position = marker[1][0], marker.end()
        if code == _END:
            break
        if code != _ALONE:
            scans += code == _SCAN
            position += max(int.from_bytes(jpeg[position : position + 2], "big"), 2)
    return scans


def _unopened(data: bytes, name: str) -> ImageRejected:
    """Why Pillow's readers all passed: another format, or one of ours whose first bytes lie about the rest."""
    if data[:4] == b"GIF8" and len(data) >= 10:
        width, height = struct.unpack_from("<HH", data, 6)
        if not width or not height:
            return ImageRejected("zero_size", name, f"expected a picture, got {width} x {height} pixels")
    begins = data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8"))
    if begins or (data[:4] == b"RIFF" and data[8:12] == b"WEBP") or data[4:12] in (b"ftypavif", b"ftypavis"):
        return ImageRejected("unreadable", name, "the file is damaged, its header cannot be read")
    expected = f"expected {', '.join(ALLOWED_FORMATS[:-1])} or {ALLOWED_FORMATS[-1]}"
    kind = recognise(data)
    if kind is None:
        return ImageRejected(
            "format_not_allowed", name, f"{expected}; its first bytes are of no format known here: save it as JPEG"
        )
    return ImageRejected("format_not_allowed", name, f"{expected}; this is {kind.name}: {kind.advice}")


def probe(source: Path | bytes) -> ImageHeader:
    """Read the header only.

    Raises:
        ImageRejected: not a picture we accept. MissingInputError: no such file.
    """
    with opened(source, header_only=True) as image:
        return header_of(image)


def header_of(image: Image.Image) -> ImageHeader:
    """The header of an opened picture. A camera's several pictures in one JPEG (MPO) are a JPEG, of the first one."""
    stored = "JPEG" if image.format == "MPO" else str(image.format)
    return ImageHeader(image.width, image.height, stored, image.mode, _orientation(image))


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, as far as it stands before the pixels: a PNG's own `getexif` would decode them to look
    behind."""
    try:
        found = Image.Image.getexif(image).get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001  Pillow's EXIF reader raises anything on hostile bytes
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def decoded(
    source: Path | bytes,
    convert: Callable[[Image.Image], T],
    *,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
) -> T:
    """What ``convert``, a function that can be pickled, makes of an opened picture: here, or in a process that can be
    ended where decoding it may be much work.

    Raises:
        ImageRejected: not a picture we accept, or it took too long or too much memory. MissingInputError: no such file.
    """
    with opened(source, max_pixels=max_pixels, max_bytes=max_bytes) as image:
        if not is_costly(image):
            return convert(image)
    place = source.absolute() if isinstance(source, Path) else source
    try:
        made: T = run_here(_decoded, place, convert, max_pixels, max_bytes)
    except ImageRejected as error:
        name = str(source) if isinstance(source, Path) else error.name
        raise ImageRejected(error.reason, name, error.detail) from None
    return made


def _decoded(source: Path | bytes, convert: Callable[[Image.Image], T], max_pixels: int, max_bytes: int) -> T:
    with opened(source, max_pixels=max_pixels, max_bytes=max_bytes) as image:
        return convert(image)


def is_costly(image: Image.Image) -> bool:
    """Whether decoding an opened picture may take more than some 2 seconds or 290 MB.

    Pillow's decoders do work in proportion to pixels, and for a JPEG to its scans; but in an AVIF any number of whole
    frames can be hidden behind the one that is shown, for a few bytes each.
    """
    pixels = image.width * image.height
    scanned = pixels * image.info.get(_SCANS, 1)
    return image.format == "AVIF" or pixels > COSTLY_PIXELS or bool(scanned > COSTLY_SCANNED_PIXELS)
