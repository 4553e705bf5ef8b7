"""Geometry there and back, feathering and detail, with properties over sizes, odd boxes and boxes at borders."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fittingroom import framing
from fittingroom.boxes import Box
from fittingroom.errors import SettingError
from fittingroom.garment import Painting
from fittingroom.masks import bounding_box
from fittingroom.tryon import compose


@st.composite
def photos(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """A noisy photo and a garment mask: any size, odd boxes, often at the borders, with holes, never empty."""
    height, width = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    x1, y1 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    x2, y2 = draw(st.integers(x1 + 1, width)), draw(st.integers(y1 + 1, height))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    mask = np.zeros((height, width), bool)
    mask[y1:y2, x1:x2] = random.random((y2 - y1, x2 - x1)) < draw(st.sampled_from([1.0, 0.9, 0.3]))
    mask[random.integers(y1, y2), random.integers(x1, x2)] = True
    return random.integers(0, 256, (height, width, 3), np.uint8), mask


@given(photos(), st.floats(0, 0.5), st.integers(0, 9))
def test_to_the_square_and_back_moves_no_pixel(photo: tuple, margin: float, reach: int) -> None:
    image, mask = photo
    fit = framing.fit_square(mask, margin, reach)
    square, square_mask = framing.to_square(image, mask, fit)
    assert square.shape == (fit.side, fit.side, 3)
    assert (square[~square_mask] == 255).all()
    assert np.count_nonzero(square_mask) == np.count_nonzero(mask)
    sheet = framing.pad_to_photo(framing.crop_to_box(square, fit), fit)
    assert sheet.shape == image.shape
    assert (sheet[mask] == image[mask]).all()
    assert (sheet[~mask] == 255).all()


@given(photos(), st.floats(0, 0.5), st.integers(0, 9))
def test_the_square_holds_its_box_and_margin(photo: tuple, margin: float, reach: int) -> None:
    mask = photo[1]
    fit, tight = framing.fit_square(mask, margin, reach), bounding_box(mask)
    assert tight is not None
    assert fit.box_xyxy == tight.expand(reach).clip(*mask.shape)
    inner = fit.box_in_square
    assert 0 <= inner.x1 < inner.x2 <= fit.side
    assert 0 <= inner.y1 < inner.y2 <= fit.side
    longest = max(tight.width, tight.height)
    assert fit.side == longest + 2 * max(round(longest * margin), reach)
    # the garment itself is centred, to the pixel
    left, right = fit.left + tight.x1 - fit.box_xyxy.x1, fit.side - (fit.left + tight.x2 - fit.box_xyxy.x1)
    top, bottom = fit.top + tight.y1 - fit.box_xyxy.y1, fit.side - (fit.top + tight.y2 - fit.box_xyxy.y1)
    assert abs(left - right) <= 1
    assert abs(top - bottom) <= 1


def test_a_box_by_hand() -> None:
    mask = np.zeros((50, 40), bool)
    mask[10:31, 0:8] = True
    fit = framing.fit_square(mask, margin=0.1, reach=3)
    assert fit.box_xyxy == Box(0, 7, 11, 34)  # 21 x 8, 3 more around, cut at the left border
    assert fit.side == 21 + 2 * 3
    assert (fit.left, fit.top) == (9, 0)


def test_wrong_geometry_is_refused() -> None:
    with pytest.raises(ValueError, match="empty mask"):
        framing.fit_square(np.zeros((4, 4), bool))
    with pytest.raises(SettingError, match="margin"):
        framing.fit_square(np.ones((4, 4), bool), margin=-0.1)
    with pytest.raises(SettingError, match="reach"):
        framing.fit_square(np.ones((4, 4), bool), reach=-1)


@given(photos(), st.floats(0, 12), st.integers(0, 5))
def test_feathering_is_zero_outside_and_never_zero_inside(photo: tuple, width: float, grow: int) -> None:
    mask = photo[1]
    alpha = compose.feather(mask, width, grow)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1, 2 * grow + 1))
    grown = cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)
    assert alpha.dtype == np.float32
    assert alpha.min() >= 0
    assert alpha.max() <= 1
    assert ((alpha > 0) == grown).all()


def test_feathering_falls_over_its_width_and_not_at_the_photos_border() -> None:
    mask = np.zeros((40, 40), bool)
    mask[:, :20] = True  # runs out of the photo at the left, the top and the bottom
    row = compose.feather(mask, 4)[20]
    assert row[:16].tolist() == [1.0] * 16
    assert row[16:20] == pytest.approx([0.875, 0.625, 0.375, 0.125])
    assert row[20:].max() == 0
    assert (compose.feather(mask, 4)[0] == row).all()
    assert (compose.feather(np.ones((5, 5), bool), 3) == 1).all()
    assert (compose.feather(mask, 0) == mask).all()


def _slow_blend(photo: np.ndarray, garment: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    result = photo.copy()
    for y in range(photo.shape[0]):
        for x in range(photo.shape[1]):
            for c in range(3):
                a = float(alpha[y, x])
                result[y, x, c] = round(a * float(garment[y, x, c]) + (1 - a) * float(photo[y, x, c]))
    return result


def test_blending_is_the_plain_formula() -> None:
    random = np.random.default_rng(0)
    photo, garment = (random.integers(0, 256, (9, 11, 3), np.uint8) for _ in range(2))
    alpha = np.where(random.random((9, 11)) < 0.3, 0, random.random((9, 11))).astype(np.float32)
    result = compose.blend(photo, garment, alpha)
    assert np.abs(result.astype(int) - _slow_blend(photo, garment, alpha)).max() <= 1  # ties round to even
    assert (result[alpha == 0] == photo[alpha == 0]).all()
    assert (compose.blend(photo, garment, np.ones((9, 11), np.float32)) == garment).all()


@settings(max_examples=40)
@given(photos())
def test_spreading_takes_the_nearest_garment_pixels_colour(photo: tuple) -> None:
    image, mask = photo
    spread = compose.spread_colours(image, mask, trust=0)
    assert (spread[mask] == image[mask]).all()
    own = np.argwhere(mask)
    for y, x in np.argwhere(~mask)[:20]:
        distances = np.hypot(*(own - (y, x)).T)
        near = own[distances <= 1.03 * distances.min() + 1.0]  # the 5 x 5 distance is nearly Euclid's
        assert any((spread[y, x] == image[ny, nx]).all() for ny, nx in near)


def test_spreading_leaves_no_white_rim_to_resize() -> None:
    """A garment whose outermost pixels are mixed with white: they are replaced, a thin strap keeps its own."""
    mask = np.zeros((40, 40), bool)
    mask[10:30, 10:30] = True
    mask[2:10, 20] = True
    image = np.full((40, 40, 3), 255, np.uint8)
    image[mask] = (230, 150, 150)
    image[11:29, 11:29] = (200, 20, 20)
    image[2:8, 20] = (0, 90, 0)
    spread = compose.spread_colours(image, mask)
    assert (spread[10:30, 10:30] == (200, 20, 20)).all()
    assert (spread[3, 20] == (0, 90, 0)).all()
    assert not (spread == 255).all(axis=2).any()


def _garment(side: int, stripes: float) -> tuple[np.ndarray, np.ndarray]:
    """A grey garment of ``side`` pixels with fine seams (7 units of L* dark) and bold stripes; and its seams' rows."""
    lightness = np.full((side, side), 60.0, np.float32)
    lightness[:, side // 2 :] += stripes * (np.sin(np.arange(side // 2) * 2 * np.pi / 32) > 0)
    seams = np.arange(20, side, 40)
    lightness[seams] -= 7
    lab = np.dstack([np.clip(lightness, 0, 100), np.zeros((side, side, 2), np.float32)])
    return np.rint(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255).astype(np.uint8), seams


def _lightness(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0]


def test_detail_brings_back_seams_and_not_the_old_stripes() -> None:
    original, seams = _garment(1024, stripes=38.0)
    new = np.full((1024, 1024, 3), (180, 30, 40), np.uint8)
    mask = np.ones((1024, 1024), bool)
    change = _lightness(compose.add_detail(new, original, mask, 256, 1.0)) - _lightness(new)
    plain = change[:, 50:450]
    assert plain[seams].mean() < -2.5  # seams are there again
    assert abs(np.delete(plain, np.unique(np.clip([seams + d for d in range(-4, 5)], 0, 1023)), axis=0)).mean() < 0.3
    striped = np.delete(change[:, 560:1000], np.unique(np.clip([seams + d for d in range(-4, 5)], 0, 1023)), axis=0)
    assert np.abs(striped).max() < 6  # of 38
    assert np.abs(striped).mean() < 1.5


def test_detail_only_where_it_is_asked_for_and_was_lost() -> None:
    original, _ = _garment(512, 0)
    new = np.full((512, 512, 3), (180, 30, 40), np.uint8)
    half = np.zeros((512, 512), bool)
    half[:, :200] = True
    assert (compose.add_detail(new, original, half, 256, 1.0)[~half] == new[~half]).all()
    assert (compose.add_detail(new, original, half, 256, 0.0) == new).all()
    assert (compose.add_detail(new, original, half, 512, 1.0) == new).all()
    assert (compose.add_detail(new, original, ~half & half, 256, 1.0) == new).all()


def test_detail_ends_cleanly_at_the_masks_edge() -> None:
    """The white around a dark garment is no detail of it."""
    original = np.full((600, 600, 3), 255, np.uint8)
    mask = np.zeros((600, 600), bool)
    mask[150:450, 150:450] = True
    original[mask] = (40, 40, 40)
    new = np.full((600, 600, 3), (180, 30, 40), np.uint8)
    assert np.abs(compose.add_detail(new, original, mask, 256, 1.0).astype(int) - new).max() <= 1


def test_a_painting_enlarged_has_edges_as_sharp_as_the_photo() -> None:
    """Two slots, the second chosen right of the middle: at eight times the size the edge is narrow and in its place."""
    columns = np.arange(32, dtype=np.float32)[None].repeat(32, 0) - 15.5
    choice = np.dstack([np.zeros_like(columns), 8 * columns])
    shading = np.full((32, 32), 0.8, np.float32)
    palette = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], np.float32)
    mask = np.ones((32, 32), bool)
    large = compose.mix_at(Painting(choice, shading, palette), mask, 256)
    assert large.shape == (256, 256, 3)
    row = large[128].astype(int)
    assert (row[:118] == (204, 0, 0)).all()
    assert (row[138:] == (0, 0, 204)).all()
    between = (row[:, 0] > 23) & (row[:, 2] > 23)
    assert between.sum() <= 10, "not a pixel of 32, which are eight here"
    assert abs(np.flatnonzero(between).mean() - 127.5) < 1

    small = compose.mix_at(Painting(choice, shading, palette), mask, 32)
    assert (small[:, :15] == (204, 0, 0)).all()


def test_a_painting_is_spread_around_the_garment() -> None:
    """Outside its mask a network's choice means nothing, and must not get into the garment's rim."""
    mask = np.zeros((32, 32), bool)
    mask[8:24, 8:24] = True
    choice = np.where(mask[..., None], np.array([9, 0], np.float32), np.array([0, 9], np.float32))
    palette = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], np.float32)
    large = compose.mix_at(Painting(choice, np.ones((32, 32), np.float32), palette), mask, 128)
    assert (large == (255, 0, 0)).all()
