"""Safe decoding and plain encoding of pictures. Images are uint8 arrays (H, W, 3), RGB; RGBA where it says so.

Everything from outside is hostile until `read` has accepted it: the format comes from the bytes, never from the name;
bytes, pixels and formats are limited before a pixel is decoded; EXIF orientation is applied and no metadata survives.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from fittingroom.errors import ImageRejected, MissingInputError
from fittingroom.workspace import write_bytes

RGB = NDArray[np.uint8]

ALLOWED_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
MAX_PIXELS = 50_000_000
"""Pixels in one picture: a 50-megapixel camera passes, a decompression bomb does not."""
MAX_BYTES = 40_000_000
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif")

_decoding = threading.Lock()

# Our own, lower cap on pixels is an error that names the picture; `catch_warnings` around each decoding would not be
# safe between threads.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


@dataclass(frozen=True)
class ImageHeader:
    """What the header says, before any pixel is decoded. Width and height are those of the stored, unrotated pixels."""

    width: int
    height: int
    format: str
    mode: str


@contextmanager
def _opened(source: Path | bytes, name: str, max_pixels: int, max_bytes: int) -> Iterator[Image.Image]:
    if isinstance(source, bytes):
        data = source
    else:
        try:
            size = source.stat().st_size
        except OSError:
            raise MissingInputError("image", source) from None
        if size > max_bytes:
            raise ImageRejected("too_many_bytes", name, f"expected at most {max_bytes:,} bytes, got {size:,}")
        try:
            data = source.read_bytes()
        except OSError as error:
            raise ImageRejected("unreadable", name, f"cannot be read: {error.strerror}") from None
    if not data:
        raise ImageRejected("empty", name, "expected an image, got an empty file")
    if len(data) > max_bytes:
        raise ImageRejected("too_many_bytes", name, f"expected at most {max_bytes:,} bytes, got {len(data):,}")
    try:
        image = Image.open(io.BytesIO(data), formats=ALLOWED_FORMATS)
    except UnidentifiedImageError:
        allowed = ", ".join(ALLOWED_FORMATS)
        raise ImageRejected("format_not_allowed", name, f"expected one of {allowed}; it is none of these") from None
    except Image.DecompressionBombError:
        raise ImageRejected("too_many_pixels", name, f"expected at most {max_pixels:,} pixels, got more") from None
    except Exception as error:  # noqa: BLE001  Pillow's parsers raise anything on hostile bytes
        raise ImageRejected("unreadable", name, f"its header cannot be read: {error}") from None
    with image:
        width, height = image.size
        if width <= 0 or height <= 0:
            raise ImageRejected("zero_size", name, f"expected a picture, got {width} x {height} pixels")
        if width * height > max_pixels:
            raise ImageRejected(
                "too_many_pixels", name, f"expected at most {max_pixels:,} pixels, got {width} x {height}"
            )
        yield image


def probe(source: Path | bytes, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> ImageHeader:
    """Read the header only.

    Raises:
        ImageRejected: not a picture we accept. MissingInputError: no such file.
    """
    name = "image" if isinstance(source, bytes) else str(source)
    with _opened(source, name, max_pixels, max_bytes) as image:
        return ImageHeader(image.width, image.height, str(image.format), image.mode)


def read_rgba(source: Path | bytes, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> RGB:
    """Decode to (H, W, 4) uint8: sRGB, right side up, first frame; opaque pictures get alpha 255.

    Raises:
        ImageRejected: not a picture we accept. MissingInputError: no such file.
    """
    return _decoded(source, max_pixels, max_bytes, _to_srgb_rgba)


def read_as_stored(
    source: Path | bytes, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> tuple[RGB, bytes | None]:
    """Decode as `read_rgba` does, but leave RGB pixels in the picture's own colour space.

    Returns:
        (H, W, 4) uint8, and the ICC profile its colours are in; None stands for sRGB.

    Raises:
        ImageRejected: not a picture we accept. MissingInputError: no such file.
    """
    profile: bytes | None = None

    def convert(image: Image.Image) -> Image.Image:
        nonlocal profile
        found = image.info.get("icc_profile")
        if not found or image.mode not in ("RGB", "RGBA"):
            return _to_srgb_rgba(image)
        profile = bytes(found)
        return ImageOps.exif_transpose(image).convert("RGBA")

    return _decoded(source, max_pixels, max_bytes, convert), profile


def to_srgb(image: RGB, profile: bytes, inverse: bool = False) -> RGB:
    """(H, W, 3) from the colour space of an ICC ``profile`` to sRGB, or back; unchanged where the profile is broken."""
    try:
        with _decoding:  # LittleCMS profile objects are not shared between threads
            own, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            source, target = (srgb, own) if inverse else (own, srgb)
            converted = ImageCms.profileToProfile(
                Image.fromarray(np.ascontiguousarray(image)), source, target, outputMode="RGB"
            )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return image if converted is None else np.array(converted)


def _decoded(
    source: Path | bytes, max_pixels: int, max_bytes: int, convert: Callable[[Image.Image], Image.Image]
) -> RGB:
    name = "image" if isinstance(source, bytes) else str(source)
    with _opened(source, name, max_pixels, max_bytes) as image:
        try:
            image.seek(0)
            image.load()
            return np.array(convert(image))
        except ImageRejected:
            raise
        except OSError as error:
            reason = "truncated" if "truncated" in str(error) else "unreadable"
            raise ImageRejected(reason, name, f"cannot be decoded: {error}") from None
        except Exception as error:  # noqa: BLE001  as above
            raise ImageRejected("unreadable", name, f"cannot be decoded: {error}") from None


def read_rgb(source: Path | bytes, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> RGB:
    """Decode to (H, W, 3) uint8 as `read_rgba` does, transparent parts on white.

    Raises:
        ImageRejected: not a picture we accept. MissingInputError: no such file.
    """
    return flatten_on_white(read_rgba(source, max_pixels=max_pixels, max_bytes=max_bytes))


def _to_srgb_rgba(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image, np.float64)
        top = 65535.0 if values.max(initial=0) > 255 else 255.0
        image = Image.fromarray((np.clip(values / top, 0, 1) * 255).round().astype(np.uint8))
    profile = image.info.get("icc_profile")
    oriented = ImageOps.exif_transpose(image)
    if profile and oriented.mode in ("RGB", "RGBA", "CMYK"):
        oriented = _apply_profile(oriented, profile)
    return oriented.convert("RGBA")


def _apply_profile(image: Image.Image, profile: bytes) -> Image.Image:
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    colours = image.convert("RGB") if image.mode == "RGBA" else image
    try:
        with _decoding:  # LittleCMS profile objects are not shared between threads
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(colours, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a broken profile is no reason to lose a good picture
    if converted is None:
        return image
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def flatten_on_white(rgba: RGB) -> RGB:
    """(H, W, 4) to (H, W, 3), transparent parts white."""
    alpha = rgba[..., 3:].astype(np.uint16)
    if alpha.min(initial=255) == 255:
        return np.ascontiguousarray(rgba[..., :3])
    blended = (rgba[..., :3].astype(np.uint16) * alpha + 255 * (255 - alpha) + 127) // 255
    return blended.astype(np.uint8)


def encode_png(image: RGB, compress_level: int = 4, profile: bytes | None = None) -> bytes:
    """PNG bytes of (H, W, 3) or (H, W, 4) uint8, with no metadata but an ICC ``profile`` where one is given."""
    buffer = io.BytesIO()
    more = {"icc_profile": profile} if profile else {}
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "PNG", compress_level=compress_level, **more)
    return buffer.getvalue()


def encode_jpeg(image: RGB, quality: int = 90, profile: bytes | None = None) -> bytes:
    """JPEG bytes of (H, W, 3) uint8, with no metadata but an ICC ``profile`` where one is given."""
    buffer = io.BytesIO()
    more = {"icc_profile": profile} if profile else {}
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "JPEG", quality=quality, subsampling=0, **more)
    return buffer.getvalue()


def write_png(path: Path, image: RGB, compress_level: int = 4) -> None:
    """Write atomically as PNG, with no metadata."""
    write_bytes(path, encode_png(image, compress_level))


def resize(image: RGB, width: int, height: int) -> RGB:
    """Resize (H, W, C) to (height, width, C): area averaging when shrinking, cubic when growing."""
    if image.shape[:2] == (height, width):
        return image.copy()
    shrinking = width * height < image.shape[0] * image.shape[1]
    result = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC)
    return np.asarray(result, np.uint8)


def list_images(folder: Path) -> list[Path]:
    """Picture files directly in ``folder`` by suffix, sorted by name; links and hidden files are left out.

    Raises:
        MissingInputError: no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MissingInputError("folder", folder)
    return sorted(
        p
        for p in folder.iterdir()
        if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".") and not p.is_symlink() and p.is_file()
    )
