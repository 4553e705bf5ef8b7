"""Pictures as uint8 arrays, (H, W, 3), RGB; RGBA where it says so: decoded to sRGB, right side up, and encoded plainly.

What `fittingroom.opening` accepts is decoded; EXIF's orientation and the colour profile are applied, and no metadata
survives.
"""

from __future__ import annotations

import contextlib
import io
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

from fittingroom.errors import MissingInputError
from fittingroom.opening import MAX_BYTES, MAX_PIXELS, decoded, header_of, opened
from fittingroom.workspace import write_bytes

RGB = NDArray[np.uint8]
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif")
REFUSED_SUFFIXES = (".bmp", ".heic", ".heif", ".ico", ".jp2", ".jxl", ".psd", ".svg", ".tif", ".tiff")
"""Pictures by name that are listed, too, so that whoever put them there is told that they cannot be read."""

_profiles = threading.Lock()
"""LittleCMS profile objects are not shared between threads."""


def read_rgba(source: Path | bytes) -> RGB:
    """Decode to (H, W, 4) uint8: sRGB, right side up, first frame; opaque pictures get alpha 255.

    Raises:
        ImageRejected: not a picture we accept. MissingInputError: no such file.
    """
    return decoded(source, _srgb_rgba)


def read_as_stored(
    source: Path | bytes, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> tuple[RGB, bytes | None]:
    """Decode as `read_rgba` does, but leave RGB pixels in the picture's own colour space.

    Returns:
        (H, W, 4) uint8, and the ICC profile its colours are in; None stands for sRGB.

    Raises:
        ImageRejected: not a picture we accept. MissingInputError: no such file.
    """
    return decoded(source, _as_stored, max_pixels=max_pixels, max_bytes=max_bytes)


def _as_stored(image: Image.Image) -> tuple[RGB, bytes | None]:
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA"):
        return _srgb_rgba(image), None
    return np.array(_upright(image).convert("RGBA")), bytes(profile)


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


def read_rgb(source: Path | bytes, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> RGB:
    """Decode to (H, W, 3) uint8 as `read_rgba` does, transparent parts on white.

    Raises:
        ImageRejected: not a picture we accept. MissingInputError: no such file.
    """
    return decoded(source, _srgb_on_white, max_pixels=max_pixels, max_bytes=max_bytes)


def _srgb_on_white(image: Image.Image) -> RGB:
    pixels = np.array(to_upright_srgb(image))
    return pixels if pixels.shape[2] == 3 else flatten_on_white(pixels)


def is_srgb_as_stored(image: Image.Image) -> bool:
    """Whether the stored pixels of an opened picture are what it looks like: 8-bit sRGB or grey, right side up."""
    if image.mode not in ("L", "RGB", "RGBA") or image.info.get("icc_profile"):
        return False
    return header_of(image).orientation == 1


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


def _srgb_rgba(image: Image.Image) -> RGB:
    return np.array(to_upright_srgb(image).convert("RGBA"))


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
    image.load()
    with contextlib.suppress(Exception):  # Pillow's EXIF reader raises anything on hostile bytes
        ImageOps.exif_transpose(image, in_place=True)
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


def encode_png(
    image: RGB, compress_level: int = 4, profile: bytes | None = None, comment: str = "", xmp: str = ""
) -> bytes:
    """PNG bytes of (H, W, 3) or (H, W, 4) uint8, with no metadata but an ICC ``profile``, a comment and an XMP packet
    where they are given."""
    chunks = PngInfo()
    if comment:
        chunks.add_text("Comment", comment)
    if xmp:
        chunks.add_itxt("XML:com.adobe.xmp", xmp)
    return _encoded(image, "PNG", compress_level=compress_level, icc_profile=profile, pnginfo=chunks)


def encode_jpeg(image: RGB, quality: int = 90, profile: bytes | None = None, comment: str = "", xmp: str = "") -> bytes:
    """JPEG bytes of (H, W, 3) uint8, with no metadata but what `encode_png` takes; an XMP packet has 65,502 bytes at
    most."""
    more = {"xmp": xmp.encode()} if xmp else {}
    return _encoded(image, "JPEG", quality=quality, subsampling=0, icc_profile=profile, comment=comment, **more)


def _encoded(image: RGB, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, kind, **options)
    return buffer.getvalue()


def read_xmp(source: Path | bytes) -> bytes:
    """The XMP packet that stands before a picture's pixels; empty where there is none.

    Raises:
        ImageRejected: not a picture we accept. MissingInputError: no such file.
    """
    with opened(source, header_only=True) as image:
        found = image.info.get("xmp", b"")
        return found if isinstance(found, bytes) else str(found).encode()


def write_png(path: Path, image: RGB, compress_level: int = 4) -> None:
    """Write atomically as PNG, with no metadata."""
    write_bytes(path, encode_png(image, compress_level))


def write_picture(path: Path, image: RGB, xmp: str = "") -> None:
    """Write (H, W, 3) atomically, as JPEG where the name says so, else as PNG; ``xmp`` is an XMP packet."""
    encode = encode_jpeg if path.suffix.lower() in (".jpg", ".jpeg") else encode_png
    write_bytes(path, encode(image, xmp=xmp))


def resize(image: RGB, width: int, height: int) -> RGB:
    """Resize (H, W, C) to (height, width, C): area averaging when shrinking, cubic when growing."""
    if image.shape[:2] == (height, width):
        return image.copy()
    shrinking = width * height < image.shape[0] * image.shape[1]
    result = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC)
    return np.asarray(result, np.uint8)


def at_most(image: RGB, side: int) -> RGB:
    """``image`` (H, W, C), made smaller where its longer side has more than ``side`` pixels."""
    height, width = image.shape[:2]
    times = max(height, width) / side
    return image if times <= 1 else resize(image, max(round(width / times), 1), max(round(height / times), 1))


def shorter_at_most(image: RGB, side: int) -> RGB:
    """``image`` (H, W) or (H, W, C), made smaller where its shorter side has more than ``side`` pixels."""
    height, width = image.shape[:2]
    scale = side / min(height, width)
    return image if scale >= 1 else resize(image, max(round(width * scale), 1), max(round(height * scale), 1))


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
