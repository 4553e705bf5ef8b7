"""A result is verified against its photo alone, and any change outside the garment is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fittingroom.boxes import Box
from fittingroom.images import encode_png
from fittingroom.tryon.photo import read_photo, try_on_photo, write_result
from fittingroom.tryon.provenance import MadeBy, write_mark
from fittingroom.tryon.verify import Verification, verify
from tests.tryon.test_photo import MASK, Finder, Painter, noise, saved, wide_profile

BY = MadeBy("red-solid", {"segmenter": "starter"})


def dressed(photo: Path, suffix: str = ".png", longest: int | None = None) -> Path:
    read = read_photo(photo, longest=longest)
    out = photo.with_name(f"out{suffix}")
    write_result(out, try_on_photo(read, Finder(), Painter()), read, BY)
    return out


def tampered(path: Path, change: Callable[[np.ndarray], None]) -> Path:
    """The file with other pixels, its mark kept."""
    with Image.open(path) as image:
        xmp, pixels = image.info["xmp"].decode(), np.array(image)
    change(pixels)
    path.write_bytes(encode_png(pixels, xmp=xmp))
    return path


def plain(found: Verification) -> tuple[bool, bool, int | None]:
    return found.verified, found.marked, found.outside_pixels


def test_a_result_is_verified(tmp_path: Path) -> None:
    image = noise()
    photo = saved(image, tmp_path / "p.png")
    out = dressed(photo)
    found = verify(out, photo)
    assert plain(found) == (True, True, 0)
    differ = (np.array(Image.open(out)) != image).any(2)
    assert not differ[~MASK].any()
    assert found.changed_share is not None
    assert found.changed_share == round(differ.mean(), 6)
    assert 0.2 < found.changed_share < 0.24, "600 of 2,640 pixels, less the rim"
    assert found.changed_box_xyxy == Box(12, 15, 32, 45)
    assert (found.style, found.models, found.untouched, found.reasons) == ("red-solid", "segmenter: starter", True, [])


@pytest.mark.parametrize("orientation", [2, 6, 8])
def test_a_turned_photo_is_compared_as_a_try_on_sees_it(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = noise() if orientation == 2 else np.ascontiguousarray(np.rot90(noise()))
    photo = saved(stored, tmp_path / "p.jpg", exif=exif, quality=90)
    assert plain(verify(dressed(photo), photo)) == (True, True, 0)


def test_transparency_and_colour_space_are_part_of_it(tmp_path: Path) -> None:
    image = noise(4)
    image[:10, :, 3] = 0
    photo = saved(image, tmp_path / "p.png", icc_profile=wide_profile())
    out = dressed(photo)
    assert plain(verify(out, photo)) == (True, True, 0)
    other = saved(image, tmp_path / "srgb.png")
    assert "colour space" in verify(out, other).reasons[0]
    seen = saved(np.dstack([image[..., :3], np.full(image.shape[:2], 255, np.uint8)]), tmp_path / "opaque.png",
                 icc_profile=wide_profile())  # fmt: skip
    assert verify(out, seen).outside_pixels == int((image[..., 3][~MASK] != 255).sum())


def test_one_pixel_beside_the_garment_is_found(tmp_path: Path) -> None:
    image = noise()
    image[0, 0] = 100
    photo = saved(image, tmp_path / "p.png")
    out = tampered(dressed(photo), lambda pixels: pixels[0, 0].__isub__(np.uint8(3)))
    found = verify(out, photo)
    assert plain(found) == (False, True, 1)
    assert found.largest_difference == 3
    assert found.changed_box_xyxy == Box(0, 0, 32, 45)
    assert found.reasons == ["1 pixels outside the changed region are not the photo's, by up to 3 of 255"]


def test_within_the_box_but_beside_the_mask_is_found_too(tmp_path: Path) -> None:
    class Round(Finder):
        def find(self, image: np.ndarray, score_threshold: float | None = None) -> list:
            (garment,) = super().find(image, score_threshold)
            mask = garment.mask.copy()
            mask[15:25, 12:20] = False
            return [type(garment)(garment.category_id, garment.score, mask)]

    photo = saved(noise(), tmp_path / "p.png")
    read = read_photo(photo)
    result = try_on_photo(read, Round(), Painter())
    write_result(tmp_path / "out.png", result, read, BY)
    assert plain(verify(tmp_path / "out.png", photo)) == (True, True, 0)
    found = verify(tampered(tmp_path / "out.png", lambda pixels: pixels[16, 13].__ixor__(np.uint8(1))), photo)
    assert plain(found) == (False, True, 1)


def test_what_is_not_marked_is_not_verified(tmp_path: Path) -> None:
    photo = saved(noise(), tmp_path / "p.png")
    stripped = tmp_path / "stripped.png"
    Image.fromarray(np.array(Image.open(dressed(photo)))).save(stripped)
    found = verify(stripped, photo)
    assert plain(found)[:2] == (False, False)
    assert found.reasons[0] == "it is not marked as changed by AI"
    assert found.changed_box_xyxy == Box(12, 15, 32, 45), "what differs is said all the same"
    assert verify(photo, photo).reasons == ["it is not marked as changed by AI"]


def test_another_photo_is_not_the_original(tmp_path: Path) -> None:
    photo = saved(noise(), tmp_path / "p.png")
    out = dressed(photo)
    other = saved(255 - noise(), tmp_path / "other.png")
    assert verify(out, other).outside_pixels == int((~MASK).sum())
    wide = saved(np.zeros((60, 45, 3), np.uint8), tmp_path / "wide.png")
    found = verify(out, wide)
    assert found.reasons == ["it has 44 x 60 pixels, the photo 45 x 60"]
    assert (found.untouched, found.changed_share) == (False, None)


def test_a_jpeg_keeps_no_pixel_and_says_so(tmp_path: Path) -> None:
    photo = saved(noise(4), tmp_path / "p.png")
    found = verify(dressed(photo, ".jpg"), photo)
    assert (found.verified, found.marked) == (False, True)
    assert "JPEG is lossy, only a .png keeps them" in found.reasons[0]
    again = tmp_path / "again.jpg"
    Image.open(dressed(photo)).convert("RGB").save(again, quality=95)
    assert verify(again, photo).reasons[0] == "it is not marked as changed by AI"


def test_a_photo_that_was_made_smaller_first_is_made_so_again(tmp_path: Path) -> None:
    large = np.kron(noise(), np.ones((3, 3, 1), np.uint8))
    photo = saved(large, tmp_path / "p.png")
    assert plain(verify(dressed(photo, longest=60), photo)) == (True, True, 0)


def test_a_mark_that_names_everything_vouches_for_nothing_but_is_shown(tmp_path: Path) -> None:
    photo = saved(noise(), tmp_path / "p.png")
    forged = tmp_path / "forged.png"
    forged.write_bytes(encode_png(255 - noise(), xmp=write_mark(BY, np.ones(MASK.shape, bool))))
    found = verify(forged, photo)
    assert found.verified
    assert found.changed_share == 1.0


def test_a_mask_of_another_size_is_not_believed(tmp_path: Path) -> None:
    photo = saved(noise(), tmp_path / "p.png")
    small, mark = write_mark(BY, np.ones((3, 3), bool)), write_mark(BY, MASK)
    of_small, of_mark = (each.split('ChangedMask="')[1].split('"')[0] for each in (small, mark))
    pixels = noise()
    pixels[20, 20] ^= 1
    (tmp_path / "out.png").write_bytes(encode_png(pixels, xmp=mark.replace(of_mark, of_small)))
    assert verify(tmp_path / "out.png", photo).verified, "the box holds instead"
    pixels[0, 0] ^= 1
    (tmp_path / "out.png").write_bytes(encode_png(pixels, xmp=mark.replace(of_mark, of_small)))
    assert verify(tmp_path / "out.png", photo).outside_pixels == 1
