"""Files that are no picture of ours are called by their name, and their owner is told what to do."""

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fittingroom import images
from fittingroom.errors import ImageRejected
from fittingroom.signatures import HEAD, recognise


def media(brand: bytes, *compatible: bytes) -> bytes:
    """The first box of an ISO media file, and something behind it."""
    brands = brand + b"\0\0\0\0" + b"".join(compatible)
    return struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands + b"\0\0\0\x10meta" + bytes(100)


def tiff(order: str, *tags: int) -> bytes:
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    rows = b"".join(struct.pack(order + "HHII", tag, 4, 1, 0) for tag in tags)
    return start + struct.pack(order + "H", len(tags)) + rows + bytes(64)


def saved(format: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, format)
    return buffer.getvalue()


KNOWN = [
    (media(b"heic", b"mif1", b"heic"), "HEIC picture, as iPhones save", "JPEG"),
    (media(b"mif1", b"mif1", b"heic"), "HEIC picture", "JPEG"),
    (media(b"hevc", b"msf1", b"hevc"), "HEIC picture", "JPEG"),
    (media(b"mif1", b"mif1", b"miaf"), "HEIF picture", "JPEG"),
    (media(b"crx ", b"crx ", b"isom"), "camera's raw picture", "JPEG"),
    (media(b"isom", b"isom", b"mp41"), "a video", "frame"),
    (media(b"qt  "), "a video", "frame"),
    (b"\x1aE\xdf\xa3" + bytes(40), "a video", "frame"),
    (b"RIFF\x10\0\0\0AVI LIST" + bytes(40), "a video", "frame"),
    (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "PDF document", "export"),
    (b"8BPS\0\1" + bytes(40), "Photoshop", "export"),
    (b"<?xml version='1.0'?>\n<!-- drawn -->\n<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG", "export"),
    (b"\xef\xbb\xbf<svg/>", "SVG", "export"),
    (tiff("<", 0x100, 0x101), "a TIFF picture", "JPEG"),
    (saved("TIFF"), "a TIFF picture", "JPEG"),
    (tiff(">", 0x100, 0xC612), "raw picture", "develop"),
    (tiff("<", 0x10F, 0x14A), "raw picture", "develop"),
    (b"II*\0\x10\0\0\0CR\2\0" + bytes(40), "raw picture", "develop"),
    (b"FUJIFILMCCD-RAW 0201", "raw picture", "develop"),
    (saved("BMP"), "BMP", "PNG"),
    (saved("ICO"), "icon", "PNG"),
    (b"\xff\x0a\xfa\x7f", "JPEG XL", "JPEG"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000", "JPEG"),
    (b"<!DOCTYPE html><html><body>404</body></html>", "web page", "picture itself"),
    (b"\r\n<HTML>", "web page", "picture itself"),
    (b"PK\3\4" + bytes(40), "ZIP archive", "unpack"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS pointer", "git lfs pull"),
    (bytes(500), "zeros", "copy"),
    ("für später: ein Foto\n".encode() * 400, "text file", "choose"),
]


@pytest.mark.parametrize(("data", "name", "advice"), KNOWN)
def test_another_format_is_named_with_what_to_do(data: bytes, name: str, advice: str, tmp_path: Path) -> None:
    path = tmp_path / "IMG_0042.jpg"
    path.write_bytes(data)
    with pytest.raises(ImageRejected) as refused:
        images.read_rgb(path)
    assert refused.value.reason == "format_not_allowed"
    words = str(refused.value)
    assert words.startswith(f"{path}: expected JPEG, PNG, WEBP, GIF or AVIF; this is ")
    assert name in words
    assert advice in words.split(name)[1]


def test_what_nothing_is_known_of_is_said_so() -> None:
    with pytest.raises(ImageRejected, match="no format known here: save it as JPEG"):
        images.read_rgb(b"\x93\x01\xfe\x88 nobody knows")


@given(st.binary(max_size=HEAD) | st.sampled_from([data for data, *_ in KNOWN]).map(lambda data: data[:21]))
def test_no_bytes_break_it(head: bytes) -> None:
    recognise(head)


def test_moving_avif_is_read_as_its_first_picture() -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "AVIF", save_all=True, append_images=frames[1:])
    assert b"avis" in buffer.getvalue()[:32]
    red, green, blue = images.read_rgb(buffer.getvalue())[8, 8]
    assert red > 200 > 60 > max(green, blue)


def test_too_many_pixels_say_how_many_and_what_would_fit(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    Image.new("L", (4000, 300)).save(path)
    with pytest.raises(ImageRejected) as refused:
        images.read_rgb(path, max_pixels=300_000)
    assert str(refused.value) == (
        f"{path}: expected at most 300,000 pixels, got 4,000 x 300 (1,200,000); "
        "make the picture smaller, to 2,000 x 150 or less"
    )


def test_a_folder_is_called_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageRejected, match="expected a picture, got a folder"):
        images.read_rgb(tmp_path)
