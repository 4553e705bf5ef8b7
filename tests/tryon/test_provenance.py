"""What a result says of itself: IPTC's words for it, where others look for them, and nothing of whose photo it was."""

from __future__ import annotations

import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fittingroom import __version__
from fittingroom.boxes import Box
from fittingroom.images import encode_jpeg, encode_png, read_xmp
from fittingroom.masks import bounding_box
from fittingroom.tryon.photo import encode_result, read_photo, try_on_photo, write_result
from fittingroom.tryon.provenance import SOURCE_TYPE, MadeBy, read_mark, write_mark
from tests.tryon.test_photo import Finder, Painter, noise, saved, wide_profile

MADE_BY = MadeBy("red <&\" 'solid", {"segmenter": "starter, sha256 0a", "style red": "version 2, sha256 1b"})


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", png, at + 8 + length)[0] == zlib.crc32(kind + data)
        found.append((kind, data))
        at += 12 + length
    return found


def test_a_png_says_what_was_changed_by_what(tmp_path: Path) -> None:
    image = noise()
    photo = read_photo(saved(image, tmp_path / "anna.png"))
    result = try_on_photo(photo, Finder(), Painter())
    assert write_result(tmp_path / "out.png", result, photo, MADE_BY) == ""
    mark = read_mark(tmp_path / "out.png")
    assert mark is not None
    assert (mark.tool, mark.style) == (f"Fittingroom {__version__}", MADE_BY.style)
    assert mark.models == "segmenter: starter, sha256 0a; style red: version 2, sha256 1b"
    changed = result.alpha > 0
    assert mark.box_xyxy == bounding_box(changed) == Box(12, 15, 32, 45)
    assert mark.mask is not None
    assert (mark.mask == changed[15:45, 12:32]).all()
    with Image.open(tmp_path / "out.png") as out:
        assert (np.array(out) == result.image).all(), "the pixels are what they were without"


def test_the_packet_is_where_xmp_readers_look(tmp_path: Path) -> None:
    """PNG: an iTXt chunk of that keyword, not compressed, before the pixels (XMP part 3, 1.1.5). JPEG: an APP1."""
    photo = read_photo(saved(noise(), tmp_path / "anna.png"))
    result = try_on_photo(photo, Finder(), Painter())
    png = chunks(encode_result(result, photo, MADE_BY))
    (packet,) = [data for kind, data in png if kind == b"iTXt"]
    assert packet.startswith(b"XML:com.adobe.xmp\0\0\0\0\0<?xpacket begin=")
    assert [kind for kind, _ in png].index(b"iTXt") < [kind for kind, _ in png].index(b"IDAT")
    jpeg = encode_result(result, photo, MADE_BY, lossless=False)
    head = b"http://ns.adobe.com/xap/1.0/\0<?xpacket"
    assert jpeg.count(head) == 1
    assert jpeg[jpeg.index(head) - 4 : jpeg.index(head) - 2] == b"\xff\xe1"
    with Image.open(io.BytesIO(jpeg)) as out:
        assert f'Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"' in out.info["xmp"].decode()
    mark = read_mark(jpeg)
    assert mark is not None
    assert (mark.box_xyxy, mark.mask) == (Box(12, 15, 32, 45), None)


def test_nothing_in_it_names_a_file_or_a_person(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x8298] = "Anna at home", "Anna"
    photo = read_photo(saved(noise(), tmp_path / "anna.jpg", exif=exif))
    result = try_on_photo(photo, Finder(), Painter())
    for lossless in (True, False):
        packet = read_xmp(encode_result(result, photo, MADE_BY, lossless)).decode()
        assert "anna" not in packet.lower()
        assert str(tmp_path) not in packet
        told = set(re.findall(r"[A-Za-z0-9]+:([A-Za-z]+)=", packet)) - {"x", "rdf", "Iptc4xmpExt", "xmp", "fittingroom"}
        assert told - {"ChangedMask"} == {
            "about", "DigitalSourceType", "AISystemUsed", "AISystemVersionUsed", "CreatorTool", "Style", "Models",
            "ChangedBox",
        }  # fmt: skip


def test_profile_alpha_and_the_sample_worlds_comment_stay(tmp_path: Path) -> None:
    image = noise(4)
    photo = read_photo(saved(image, tmp_path / "p.png", icc_profile=wide_profile()))
    result = try_on_photo(photo, Finder(), Painter())
    for lossless in (True, False):
        with Image.open(io.BytesIO(encode_result(result, photo, MADE_BY, lossless))) as out:
            assert out.info["icc_profile"] == wide_profile()
            if lossless:
                assert (np.array(out)[..., 3] == image[..., 3]).all()


@pytest.mark.parametrize(
    "packet",
    [
        "",
        "no XML <",
        "<a/>",
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        write_mark(MADE_BY, np.ones((2, 2), bool)).replace("compositeWithTrained", "notTrained"),
        write_mark(MADE_BY, np.ones((2, 2), bool))[:-60],
    ],
)
def test_other_packets_are_no_mark(packet: str) -> None:
    assert read_mark(encode_png(noise(), xmp=packet)) is None
    assert read_mark(encode_jpeg(noise(), xmp=packet)) is None


def test_what_cannot_be_read_of_a_mark_is_left_out() -> None:
    whole = write_mark(MADE_BY, np.ones((2, 2), bool), shrunk_from=(40, 30))
    mark = read_mark(encode_png(noise(), xmp=whole))
    assert mark is not None
    assert (mark.box_xyxy, mark.shrunk_from) == (Box(0, 0, 2, 2), (40, 30))
    damaged = re.sub('ChangedBox="[^"]*"', 'ChangedBox="0 0 2 ٢"', re.sub('Mask="[^"]*"', 'Mask="AAAA"', whole))
    mark = read_mark(encode_png(noise(), xmp=damaged))
    assert mark is not None
    assert (mark.box_xyxy, mark.mask) == (None, None)


def test_a_packet_that_another_program_wrote_anew_is_read() -> None:
    """ExifTool and others write properties as elements."""
    packet = write_mark(MadeBy("red"), np.ones((2, 2), bool))
    facts = dict(re.findall(r'\n ([A-Za-z0-9]+:[A-Za-z]+)="([^"]*)"', packet))
    elements = "".join(f"<{name}>\n{value}</{name}>" for name, value in facts.items())
    anew = re.sub(r"(xmlns:fittingroom=\"[^\"]*\")[^>]*/>", rf"\1>{elements}</rdf:Description>", packet)
    assert '="red"' not in anew
    mark = read_mark(encode_png(noise(), xmp=anew))
    assert mark is not None
    assert (mark.style, mark.box_xyxy) == ("red", Box(0, 0, 2, 2))


def test_what_others_wrote_into_a_mark_is_short_and_harmless_to_a_terminal() -> None:
    packet = write_mark(MadeBy("red\x9b31m\nsolid", {"x": "a" * 1_000_000}))
    mark = read_mark(encode_png(np.zeros((8, 8, 3), np.uint8), xmp=packet))
    assert mark is not None
    assert mark.style.isprintable()
    assert mark.style.startswith("red\\x9b31m")
    assert len(mark.models) == 2000


def test_a_mask_of_another_size_than_its_box_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = write_mark(MADE_BY, np.ones((2, 2), bool))
    picture = encode_png(noise(), xmp=re.sub('ChangedBox="[^"]*"', 'ChangedBox="0 0 3 2"', whole))
    monkeypatch.setattr("fittingroom.tryon.provenance.read_rgb", lambda _: pytest.fail("it is not to be decoded"))
    mark = read_mark(picture)
    assert mark is not None
    assert (mark.box_xyxy, mark.mask) == (Box(0, 0, 3, 2), None)
