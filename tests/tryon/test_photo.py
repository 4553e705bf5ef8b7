"""Photos from files: orientation, transparency and colour space are kept, metadata is not."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from fittingroom.categories import CATEGORY_IDS
from fittingroom.errors import ImageRejected, InputError, MissingInputError
from fittingroom.garment import Garment
from fittingroom.images import RGB
from fittingroom.masks import Mask
from fittingroom.style_card import Lab
from fittingroom.tryon.photo import Photo, check_output, read_photo, try_on_photo, write_result
from fittingroom.tryon.provenance import MadeBy

HEIGHT, WIDTH = 60, 44
BY = MadeBy("red")
MASK = np.zeros((HEIGHT, WIDTH), bool)
MASK[15:45, 12:32] = True


class Finder:
    def find(self, image: np.ndarray, score_threshold: float | None = None) -> list[Garment]:
        self.seen, self.threshold = image, score_threshold
        return [Garment(CATEGORY_IDS["vest"], 0.9, MASK)]


class Painter:
    size = 32

    def translate(self, image_rgb: RGB, mask: Mask, dyes: Sequence[Lab] | None = None) -> RGB:
        assert dyes is None
        return np.where(mask[..., None], np.array([200, 30, 40], np.uint8), image_rgb)


def noise(channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, channels), np.uint8)


def saved(image: np.ndarray, path: Path, **options: Any) -> Path:
    Image.fromarray(image).save(path, **options)
    return path


@cache  # LittleCMS writes the second of its making into a profile: two would differ
def wide_profile() -> bytes:
    """A profile whose red and green are sRGB's exchanged with a wider triangle's: LittleCMS's own Lab is no RGB one,
    so sRGB is taken and its red primary moved (bytes of the ``rXYZ`` tag)."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for number in range(int.from_bytes(data[128:132], "big")):
        entry = 132 + 12 * number
        if data[entry : entry + 4] == b"rXYZ":
            offset = int.from_bytes(data[entry + 4 : entry + 8], "big")
            data[offset + 8 : offset + 12] = round(0.55 * 65536).to_bytes(4, "big")  # X of red, sRGB has 0.436
    return bytes(data)


def test_a_plain_photo(tmp_path: Path) -> None:
    image = noise()
    photo = read_photo(saved(image, tmp_path / "p.png"))
    assert photo.profile is None
    assert (photo.pixels == image).all()
    result = try_on_photo(photo, Finder(), Painter())
    assert write_result(tmp_path / "out.png", result, photo, BY) == ""
    out = np.array(Image.open(tmp_path / "out.png"))
    assert out.shape == image.shape
    assert (out[result.alpha == 0] == image[result.alpha == 0]).all()
    assert (out[30, 22] == (200, 30, 40)).all()


def test_transparency_comes_out_as_it_went_in(tmp_path: Path) -> None:
    image = noise(4)
    image[:10, :, 3] = 0
    photo = read_photo(saved(image, tmp_path / "p.png"))
    result = try_on_photo(photo, Finder(), Painter())
    write_result(tmp_path / "out.png", result, photo, BY)
    out = np.array(Image.open(tmp_path / "out.png"))
    assert out.shape == image.shape
    assert (out[..., 3] == image[..., 3]).all()
    assert (out[result.alpha == 0] == image[result.alpha == 0]).all()


def test_an_opaque_alpha_channel_is_kept_too(tmp_path: Path) -> None:
    image = noise(4)
    image[..., 3] = 255
    assert read_photo(saved(image, tmp_path / "p.png")).pixels.shape == (HEIGHT, WIDTH, 4)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_orientation_is_applied_and_exif_left_behind(tmp_path: Path, orientation: int) -> None:
    upright = noise()
    stored = {1: upright, 3: upright[::-1, ::-1], 6: np.rot90(upright, 1), 8: np.rot90(upright, -1)}[orientation]
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "a camera"
    path = saved(np.ascontiguousarray(stored), tmp_path / "p.png", exif=exif)
    photo = read_photo(path)
    assert (photo.pixels == upright).all()
    result = try_on_photo(photo, Finder(), Painter())
    write_result(tmp_path / "out.png", result, photo, BY)
    with Image.open(tmp_path / "out.png") as out:
        assert dict(out.getexif()) == {}
        assert (np.array(out)[result.alpha == 0] == upright[result.alpha == 0]).all()


def test_a_colour_space_is_kept_and_the_garment_converted_into_it(tmp_path: Path) -> None:
    profile, image = wide_profile(), noise()
    image[MASK] = (120, 120, 120)
    path = saved(image, tmp_path / "p.png", icc_profile=profile)
    photo, finder = read_photo(path), Finder()
    assert photo.profile == profile
    assert (photo.pixels == image).all()
    result = try_on_photo(photo, finder, Painter())
    assert (finder.seen != image).any()  # the models see sRGB
    write_result(tmp_path / "out.png", result, photo, BY)
    with Image.open(tmp_path / "out.png") as out:
        assert out.info["icc_profile"] == profile
        pixels = np.array(out)
    assert (pixels[result.alpha == 0] == image[result.alpha == 0]).all()
    assert tuple(pixels[30, 22]) != (200, 30, 40)  # the same red has other numbers there
    back = read_photo(tmp_path / "out.png").srgb[30, 22].astype(int)
    assert np.abs(back - (200, 30, 40)).max() <= 3


def test_a_broken_profile_loses_nothing(tmp_path: Path) -> None:
    image = noise()
    photo = read_photo(saved(image, tmp_path / "p.png", icc_profile=b"not a profile"))
    result = try_on_photo(photo, Finder(), Painter())
    assert (result.image[result.alpha == 0] == image[result.alpha == 0]).all()
    assert (result.image[30, 22] == (200, 30, 40)).all()


def test_jpeg_says_what_it_loses(tmp_path: Path) -> None:
    photo = Photo(noise(4))
    result = try_on_photo(photo, Finder(), Painter())
    words = write_result(tmp_path / "out.jpg", result, photo, BY)
    assert words.startswith("JPEG is lossy and has no transparency")
    with Image.open(tmp_path / "out.jpg") as out:
        assert (out.format, out.size) == ("JPEG", (WIDTH, HEIGHT))


@pytest.mark.parametrize("name", ["out", "out.gif", "out.PNG.exe"])
def test_other_outputs_are_refused_before_work(name: str) -> None:
    with pytest.raises(InputError, match=r"expected a name that ends in \.png"):
        check_output(Path(name))


def test_bad_photos(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        read_photo(tmp_path / "none.png")
    buffer = io.BytesIO()
    Image.fromarray(noise()).save(buffer, "PNG")
    with pytest.raises(ImageRejected, match="at most 100 pixels"):
        read_photo(buffer.getvalue(), max_pixels=100)
    with pytest.raises(ImageRejected, match="at most 50 bytes"):
        read_photo(buffer.getvalue(), max_bytes=50)
    with pytest.raises(ImageRejected):
        read_photo(b"GIF89a no")
