"""Decoding: hostile files are refused with a reason, good ones come out as right-side-up sRGB."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from fittingroom import images, opening
from fittingroom.errors import ImageRejected, MissingInputError


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def huge_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "format_not_allowed"),
        (b"%PDF-1.7 not an image", "format_not_allowed"),
        (encoded(Image.new("RGB", (8, 8)), "BMP"), "format_not_allowed"),
        (encoded(Image.new("RGB", (8, 8)), "TIFF"), "format_not_allowed"),
        (huge_png(20_000, 20_000), "too_many_pixels"),
        (huge_png(2**31 - 1, 2**31 - 1), "too_many_pixels"),
    ],
)
def test_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ImageRejected) as refused:
        images.read_rgb(data)
    assert refused.value.reason == reason
    assert reason in ImageRejected.REASONS


def test_truncated_jpeg_is_refused_not_filled_with_grey() -> None:
    rng = np.random.default_rng(0)
    whole = encoded(Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)), "JPEG")
    with pytest.raises(ImageRejected) as refused:
        images.read_rgb(whole[: len(whole) // 2])
    assert refused.value.reason == "truncated"


def test_byte_cap_is_checked_before_reading(tmp_path: Path) -> None:
    file = tmp_path / "large.png"
    file.write_bytes(encoded(Image.new("RGB", (50, 50))) + b"\0" * 5000)
    with pytest.raises(ImageRejected) as refused:
        images.read_rgb(file, max_bytes=1000)
    assert refused.value.reason == "too_many_bytes"


def test_a_picture_that_memory_is_too_short_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: Image.Image) -> None:
        raise MemoryError

    data = encoded(Image.new("RGB", (9, 9)), "PNG")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    with pytest.raises(ImageRejected, match="takes more memory than there is") as refused:
        images.read_rgb(data)
    assert refused.value.reason == "too_much_memory"


def progressive(scans: int, size: tuple[int, int] = (64, 64)) -> bytes:
    """A progressive JPEG with its last scan written again until there are so many."""
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    data = encoded(Image.fromarray(noise), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * (scans - opening.count_scans(data)) + b"\xff\xd9"


def test_a_jpeg_of_thousands_of_scans_is_refused_undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = progressive(4886)
    assert opening.count_scans(bomb) == 4886
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    for read in (images.read_rgb, images.read_rgba, images.read_as_stored):
        with pytest.raises(ImageRejected, match=r"at most 100 scans .* got 4,886 scans of 4,096; save") as refused:
            read(bomb)
        assert refused.value.reason == "too_many_scans"
    assert opening.probe(bomb).width == 64, "a header costs nothing"


def test_scans_are_counted_in_linear_time() -> None:
    picture = encoded(Image.new("RGB", (32, 32)), "JPEG")
    filled = picture[:-2] + b"\xff" * 5_000_000 + b"\x00" + picture[-2:]
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_CPU, (10, 10)); from fittingroom import opening; "
    code += "print(opening.count_scans(sys.stdin.buffer.read()))"  # going back over the run from each byte takes a day
    done = subprocess.run([sys.executable, "-c", code], input=filled, capture_output=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, b"1"), done.stderr


def test_fewer_scans_are_refused_where_each_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    assert images.read_rgb(progressive(90)).shape == (64, 64, 3)
    monkeypatch.setattr(opening, "MAX_SCANNED_PIXELS", 64 * 64 * 80)
    with pytest.raises(ImageRejected, match="got 90 scans"):
        images.read_rgb(progressive(90))


def test_scans_elsewhere_in_a_jpeg_do_not_count() -> None:
    picture = Image.new("RGB", (32, 32), (10, 200, 30))
    thumbnail = b"Exif\0\0" + progressive(40)  # in EXIF, as cameras write it
    data = encoded(picture, "JPEG", exif=thumbnail, comment=b"\xff\xda" * 200)
    assert opening.count_scans(data) == 1
    motion = data + b"\xff\xda\0\0" * 5000  # a phone's video behind the picture
    assert opening.count_scans(motion) == 1
    assert images.read_rgb(motion).shape == (32, 32, 3)
    assert opening.count_scans(b"") == opening.count_scans(b"\xff\xd8\xff") == 0
    assert opening.count_scans(b"\xff\xd8" + b"\xff\xda" * 9) < 9, "each has a length of two bytes at least"


def test_the_format_comes_from_the_bytes_not_from_the_name(tmp_path: Path) -> None:
    file = tmp_path / "really-a-png.jpg"
    file.write_bytes(encoded(Image.new("RGB", (5, 4), (10, 20, 30))))
    assert opening.probe(file) == opening.ImageHeader(5, 4, "PNG", "RGB")
    assert images.read_rgb(file)[0, 0].tolist() == [10, 20, 30]


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="nowhere"):
        images.read_rgb(tmp_path / "nowhere.png")


def test_exif_orientation_is_applied() -> None:
    picture = Image.new("RGB", (4, 2), "black")
    picture.putpixel((0, 0), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to view
    upright = images.read_rgb(encoded(picture, "PNG", exif=exif.tobytes()))
    assert upright.shape == (4, 2, 3)
    assert upright[0, 1].tolist() == [255, 0, 0]


def test_sixteen_bit_grey_keeps_its_middle() -> None:
    values = np.full((3, 3), 32768, np.uint16)
    assert images.read_rgb(encoded(Image.fromarray(values)))[0, 0].tolist() == [128, 128, 128]


def test_cmyk_and_palette_and_grey_come_out_as_rgb() -> None:
    assert images.read_rgb(encoded(Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "JPEG"))[0, 0, 0] > 200
    assert images.read_rgb(encoded(Image.new("P", (4, 4)))).shape == (4, 4, 3)
    assert images.read_rgb(encoded(Image.new("L", (4, 4), 77)))[0, 0].tolist() == [77, 77, 77]


def test_transparent_parts_are_white_and_alpha_is_kept_in_rgba() -> None:
    picture = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    picture.putpixel((1, 0), (0, 0, 255, 0))
    data = encoded(picture)
    assert images.read_rgb(data)[0].tolist() == [[255, 0, 0], [255, 255, 255]]
    assert images.read_rgba(data)[0, :, 3].tolist() == [255, 0]


def test_embedded_profile_is_converted_to_srgb() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    plain = Image.new("RGB", (2, 2), (90, 120, 30))
    # A profile of another colour space than the pixels is broken: the pixels stay as they are.
    assert images.read_rgb(encoded(plain, "PNG", icc_profile=profile))[0, 0].tolist() == [90, 120, 30]
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.abs(images.read_rgb(encoded(plain, "PNG", icc_profile=srgb))[0, 0].astype(int) - [90, 120, 30]).max() <= 1


def test_written_files_carry_no_metadata(tmp_path: Path) -> None:
    images.write_png(tmp_path / "a.png", np.zeros((3, 3, 3), np.uint8))
    with Image.open(tmp_path / "a.png") as written:
        assert not written.getexif()
        assert set(written.info) <= {"gamma", "srgb"}


def test_listing_leaves_out_links_hidden_and_other_files(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", ".hidden.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    assert [p.name for p in images.list_images(tmp_path)] == ["a.png", "b.JPG"]
    with pytest.raises(MissingInputError):
        images.list_images(tmp_path / "nowhere")


REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "bad_images"


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.is_dir(), reason="needs the folder of real malformed pictures next to the checkout")
def test_real_malformed_files_give_a_picture_or_a_reason() -> None:
    outcomes: dict[str, str] = {}
    for file in sorted(p for p in REAL.iterdir() if p.is_file()):
        try:
            picture = images.read_rgb(file)
            assert picture.dtype == np.uint8
            assert picture.ndim == 3
            outcomes[file.name] = "read"
        except ImageRejected as refused:
            outcomes[file.name] = refused.reason
    assert outcomes["truncated_jpeg.jpg"] == "truncated"
    assert outcomes["hopper_orientation_6.jpg"] == "read"
    assert outcomes["pil_sample_cmyk.jpg"] == "read"
    assert outcomes["zero_width.gif"] != "read"
