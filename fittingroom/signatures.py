"""What a file is that is no picture we read, told by its first bytes, and what its owner can do about it."""

from __future__ import annotations

import struct
from typing import NamedTuple

HEAD = 4096
"""Bytes that `recognise` wants to see."""

_AS_JPEG = "save or export it as JPEG"


class Kind(NamedTuple):
    """``name`` with its article, as in "this is a PDF document"; ``advice`` as an order, as in "save it as JPEG"."""

    name: str
    advice: str = _AS_JPEG


_HEIC = Kind(
    "a HEIC picture, as iPhones save them",
    "save or export it as JPEG (on the iPhone: Settings, Camera, Formats, Most Compatible)",
)
_HEIF = Kind("a HEIF picture")
_VIDEO = Kind("a video", "save one frame of it as JPEG")
_RAW = Kind("a camera's raw picture", "develop it and save it as JPEG")
_TIFF = Kind("a TIFF picture", "save it as JPEG or PNG")
_ARCHIVE = "unpack it and take a picture out of it"

_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), _HEIC),
    **dict.fromkeys((b"avif", b"avis"), Kind("an AVIF picture that cannot be read here")),
    b"crx ": _RAW,
    **dict.fromkeys((b"mif1", b"msf1", b"mif2", b"miaf", b"jpeg", b"jpgs", b"avci", b"avcs"), _HEIF),
}
"""Of an ISO media file's brands the first found here says what it is; all other such files are videos."""

_BEGINNINGS: tuple[tuple[bytes, Kind], ...] = (
    (b"%PDF-", Kind("a PDF document", "export the page as JPEG or PNG")),
    (b"%!PS", Kind("a PostScript document", "export the page as JPEG or PNG")),
    (b"8BPS", Kind("a Photoshop document (PSD)", "export it as JPEG or PNG")),
    (b"gimp xcf", Kind("a GIMP document (XCF)", "export it as JPEG or PNG")),
    (b"BM", Kind("a BMP picture", "save it as PNG or JPEG")),
    (b"\0\0\1\0", Kind("an icon (ICO)", "save it as PNG")),
    (b"\0\0\0\x0cjP  \r\n", Kind("a JPEG 2000 picture")),
    (b"\xff\x4f\xff\x51", Kind("a JPEG 2000 picture")),
    (b"\0\0\0\x0cJXL \r\n", Kind("a JPEG XL picture")),
    (b"\xff\x0a", Kind("a JPEG XL picture")),
    (b"FUJIFILMCCD-RAW", _RAW),
    (b"IIRO", _RAW),
    (b"IIRS", _RAW),
    (b"MMOR", _RAW),
    (b"IIU\0", _RAW),
    (b"FOVb", _RAW),
    (b"II+\0", _TIFF),
    (b"MM\0+", _TIFF),
    (b"\x76\x2f\x31\x01", Kind("an OpenEXR picture")),
    (b"#?RADIANCE", Kind("a Radiance picture (HDR)")),
    (b"\x1aE\xdf\xa3", _VIDEO),
    (b"\0\0\1\xba", _VIDEO),
    (b"\0\0\1\xb3", _VIDEO),
    (b"FLV\1", _VIDEO),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _VIDEO),
    (b"PK\3\4", Kind("a ZIP archive or an office document", _ARCHIVE)),
    (b"Rar!\x1a\7", Kind("a RAR archive", _ARCHIVE)),
    (b"7z\xbc\xaf\x27\x1c", Kind("a 7z archive", _ARCHIVE)),
    (b"\x1f\x8b", Kind("a gzip archive", _ARCHIVE)),
    (b"version https://git-lfs", Kind("a Git LFS pointer, not the picture itself", "fetch it with `git lfs pull`")),
)


def recognise(head: bytes) -> Kind | None:
    """What a file with these first bytes is; None where they say nothing. Never raises, whatever the bytes."""
    if head[4:8] == b"ftyp":
        return _media(head)
    if head[4:8] in (b"moov", b"mdat", b"wide"):
        return _VIDEO
    if head[:4] in (b"II*\0", b"MM\0*"):
        return _RAW if _is_raw(head) else _TIFF
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return _VIDEO
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head and not head.strip(b"\0"):
        return Kind("a file of zeros, as broken copies are", "copy it again")
    return _text(head)


def _media(head: bytes) -> Kind:
    length = min(max(struct.unpack_from(">I", head)[0], 16), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, length, 4))]
    return next((kind for brand, kind in _BRANDS.items() if brand in brands), _VIDEO)


_DNG_VERSION, _SUB_IFDS, _MAKE = 0xC612, 0x014A, 0x010F


def _is_raw(head: bytes) -> bool:
    """Cameras' raw pictures are TIFF files: with Adobe's mark, Canon's, or a maker's name and pictures in pictures."""
    if head[8:10] == b"CR":
        return True
    order = "<" if head[:2] == b"II" else ">"
    tags = set()
    try:
        (place,) = struct.unpack_from(order + "I", head, 4)
        (count,) = struct.unpack_from(order + "H", head, place)
        for number in range(min(count, 200)):
            tags.add(struct.unpack_from(order + "H", head, place + 2 + 12 * number)[0])
    except struct.error:
        pass  # further on than these bytes: what was seen decides
    return _DNG_VERSION in tags or {_SUB_IFDS, _MAKE} <= tags


def _text(head: bytes) -> Kind | None:
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"", "utf-8")):
        if head.startswith(mark):
            text = head.decode(encoding, errors="replace").removeprefix("\ufeff")
            break
    start = text.lstrip().lower()
    if start.startswith("<") and "<svg" in start:
        return Kind("an SVG drawing", "export it as PNG")
    if start.startswith(("<!doctype html", "<html", "<head", "<body")):
        return Kind("a web page, not a picture", "save the picture itself, not the page")
    # The last bytes may be half a character.
    if (
        start
        and text[:-1].replace("\n", " ").replace("\r", " ").replace("\t", " ").isprintable()
        and "\ufffd" not in text[:-4]
    ):
        return Kind("a text file", "choose a picture")
    return None
