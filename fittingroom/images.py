"""Safe decoding and plain encoding of pictures. Images are uint8 arrays (H, W, 3), RGB; RGBA where it says so.

Everything from outside is hostile until `read` has accepted it: the format comes from the bytes, never from the name;
bytes, pixels and formats are limited before a pixel is decoded; EXIF orientation is applied and no metadata survives.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from fittingroom.errors import ImageRejected, MissingInputError
from fittingroom.names import NOT_UTF8, is_utf8
from fittingroom.signatures import HEAD, recognise
from fittingroom.workspace import write_bytes

RGB = NDArray[np.uint8]

ALLOWED_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
MAX_PIXELS = 50_000_000
"""Pixels in one picture: a 50-megapixel camera passes, a decompression bomb does not."""
MAX_BYTES = 40_000_000
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif")
REFUSED_SUFFIXES = (".bmp", ".heic", ".heif", ".ico", ".jp2", ".jxl", ".psd", ".svg", ".tif", ".tiff")
"""Pictures by name that are listed, too, so that whoever put them there is told that they cannot be read."""

MAX_SCANS = 100
"""Scans of a JPEG; encoders write up to some 20."""
MAX_SCANNED_PIXELS = 1_500_000_000
"""Pixels of a JPEG over all of its scans: what 30 scans of the largest picture have, some seconds of decoding."""
_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")
_SCAN, _END, _ALONE = 0xDA, 0xD9, 0x01
_ORIENTATION = 0x0112
_profiles = threading.Lock()
"""LittleCMS profile objects are not shared between threads."""

# Our own, lower cap on pixels is an error that names the picture; `catch_warnings` around each decoding would not be
# safe between threads.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\..*")  # damaged EXIF and the like


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
    name = str(source) if isinstance(source, Path) else "image"
    with _stream(source, name, max_bytes) as stream:
        try:
            image = Image.open(stream, formats=ALLOWED_FORMATS)
        except UnidentifiedImageError:
            stream.seek(0)
            raise _unopened(stream.read(HEAD), name) from None
        except Image.DecompressionBombError as error:
            raise _too_large(name, max_pixels, str(error)) from None
        except Exception as error:  # noqa: BLE001  Pillow's parsers raise anything on hostile bytes
            raise ImageRejected(
                "unreadable", name, f"the file is damaged, its header cannot be read: {error}"
            ) from None
        with image:
            _refuse_size(image, name, max_pixels)
            if not header_only and image.format in ("JPEG", "MPO"):
                _refuse_scans(stream, image, name)
            try:
                image.seek(0)
                _refuse_size(image, name, max_pixels)  # a GIF's first frame may reach beyond what its header says
                yield image
            except ImageRejected:
                raise
            except MemoryError:
                raise ImageRejected(
                    "too_much_memory", name, "decoding it takes more memory than there is for it; make it smaller"
                ) from None
            except Image.DecompressionBombError as error:
                raise _too_large(name, max_pixels, str(error)) from None
            except OSError as error:
                reason = "truncated" if "truncated" in str(error) else "unreadable"
                raise ImageRejected(reason, name, f"the file is damaged, it cannot be decoded: {error}") from None
            except Exception as error:  # noqa: BLE001  as above
                raise ImageRejected("unreadable", name, f"the file is damaged, it cannot be decoded: {error}") from None


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
    return ImageRejected(
        "too_many_pixels", name, f"expected at most {max_pixels:,} pixels, got {got}; make the picture smaller"
    )


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


def _refuse_scans(stream: BinaryIO, image: Image.Image, name: str) -> None:
    """Refuse a JPEG that would be decoded again and again: every scan is a pass over all pixels of a progressive one,
    and half a megabyte can hold thousands of them. Cameras and encoders write up to some 20.
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


def probe(source: Path | bytes, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> ImageHeader:
    """Read the header only.

    Raises:
        ImageRejected: not a picture we accept. MissingInputError: no such file.
    """
    with opened(source, max_pixels=max_pixels, max_bytes=max_bytes, header_only=True) as image:
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
        return _upright(image).convert("RGBA")

    return _decoded(source, max_pixels, max_bytes, convert), profile


def to_srgb(image: RGB, profile: bytes, inverse: bool = False) -> RGB:
    """(H, W, 3) from the colour space of an ICC ``profile`` to sRGB, or back; unchanged where the profile is broken."""
    try:
        with _profiles:
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
    with opened(source, max_pixels=max_pixels, max_bytes=max_bytes) as image:
        image.load()
        return np.array(convert(image))


def read_rgb(source: Path | bytes, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> RGB:
    """Decode to (H, W, 3) uint8 as `read_rgba` does, transparent parts on white.

    Raises:
        ImageRejected: not a picture we accept. MissingInputError: no such file.
    """
    decoded = _decoded(source, max_pixels, max_bytes, to_upright_srgb)
    return decoded if decoded.shape[2] == 3 else flatten_on_white(decoded)


def is_srgb_as_stored(image: Image.Image) -> bool:
    """Whether the stored pixels of an opened picture are what it looks like: 8-bit sRGB or grey, right side up."""
    if image.mode not in ("L", "RGB", "RGBA") or image.info.get("icc_profile"):
        return False
    return _orientation(image) == 1


def to_upright_srgb(image: Image.Image) -> Image.Image:
    """An opened picture as sRGB, right side up: mode RGB, or RGBA where some of it may be see-through."""
    profile = image.info.get("icc_profile")
    turned = _upright(image)
    if turned.mode in ("I", "F") or turned.mode.startswith("I;"):
        return _shallow(turned)
    if turned.mode not in ("L", "RGB", "RGBA", "CMYK") or "transparency" in turned.info:
        turned = turned.convert("RGBA")  # a palette's colours and a 1-bit picture's are in the profile's space
    if profile:
        turned = _apply_profile(turned, profile)
    return turned if turned.mode in ("RGB", "RGBA") else turned.convert("RGB")


def _to_srgb_rgba(image: Image.Image) -> Image.Image:
    return to_upright_srgb(image).convert("RGBA")


_TO_8_BITS = np.round(np.arange(65_536) / 257).astype(np.uint8)


def _shallow(image: Image.Image) -> Image.Image:
    """More than 8 bits of grey as 8, the one value that a PNG calls transparent see-through."""
    deep = np.clip(np.asarray(image), 0, 65_535).astype(np.uint16, copy=False)
    shallow = _TO_8_BITS[deep] if deep.max(initial=0) > 255 else deep.astype(np.uint8)
    clear = image.info.get("transparency")
    if not isinstance(clear, int):
        return Image.fromarray(shallow).convert("RGB")
    opaque = np.where(deep == clear, 0, 255).astype(np.uint8)
    return Image.merge("LA", (Image.fromarray(shallow), Image.fromarray(opaque))).convert("RGBA")


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF says; damaged EXIF is no reason to lose a good picture."""
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:  # noqa: BLE001  as above
        image.load()
    return image


_PROFILE_MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}


def _apply_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Colours from the space of an ICC ``profile`` to sRGB; unchanged where the profile is broken or not for them."""
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    try:
        with _profiles:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            mode = _PROFILE_MODES.get(source.profile.xcolor_space.strip(), "")
            if not mode or (mode == "CMYK") != (image.mode == "CMYK"):
                return image
            colours = image if image.mode == mode else image.convert(mode)
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


def encode_png(image: RGB, compress_level: int = 4, profile: bytes | None = None, comment: str = "") -> bytes:
    """PNG bytes of (H, W, 3) or (H, W, 4) uint8, with no metadata but an ICC ``profile`` and a comment if given."""
    buffer = io.BytesIO()
    more: dict[str, Any] = {"icc_profile": profile} if profile else {}
    if comment:
        more["pnginfo"] = PngInfo()
        more["pnginfo"].add_text("Comment", comment)
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "PNG", compress_level=compress_level, **more)
    return buffer.getvalue()


def encode_jpeg(image: RGB, quality: int = 90, profile: bytes | None = None, comment: str = "") -> bytes:
    """JPEG bytes of (H, W, 3) uint8, with no metadata but an ICC ``profile`` and a comment where they are given."""
    buffer = io.BytesIO()
    more: dict[str, Any] = {"icc_profile": profile} if profile else {}
    if comment:
        more["comment"] = comment
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "JPEG", quality=quality, subsampling=0, **more)
    return buffer.getvalue()


def write_png(path: Path, image: RGB, compress_level: int = 4) -> None:
    """Write atomically as PNG, with no metadata."""
    write_bytes(path, encode_png(image, compress_level))


def write_picture(path: Path, image: RGB) -> None:
    """Write (H, W, 3) atomically, as JPEG where the name says so, else as PNG."""
    write_bytes(path, encode_jpeg(image) if path.suffix.lower() in (".jpg", ".jpeg") else encode_png(image))


def resize(image: RGB, width: int, height: int) -> RGB:
    """Resize (H, W, C) to (height, width, C): area averaging when shrinking, cubic when growing."""
    if image.shape[:2] == (height, width):
        return image.copy()
    shrinking = width * height < image.shape[0] * image.shape[1]
    result = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC)
    return np.asarray(result, np.uint8)


def list_images(folder: Path) -> list[Path]:
    """Picture files directly in ``folder`` by suffix, sorted by name; links and hidden files are left out.

    Among them may be formats that are refused when they are read (`REFUSED_SUFFIXES`).

    Raises:
        MissingInputError: no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MissingInputError("folder", folder)
    named = (*IMAGE_SUFFIXES, *REFUSED_SUFFIXES)
    return sorted(
        p
        for p in folder.iterdir()
        if p.suffix.lower() in named and not p.name.startswith(".") and not p.is_symlink() and p.is_file()
    )
