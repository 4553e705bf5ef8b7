"""Cutting garments out of rendered pictures whose true mask is known."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from fittingroom.cutout import REFUSAL_REASONS, CutoutSettings, Refused, cut_out
from fittingroom.cutout.judge import border_contact, sharpness
from fittingroom.cutout.plain import find_on_plain
from fittingroom.errors import SettingError
from fittingroom.garment import Garment
from fittingroom.masks import from_polygons, iou

SHIRT = [
    120,
    90,
    180,
    80,
    220,
    80,
    280,
    90,
    340,
    150,
    305,
    185,
    275,
    160,
    275,
    360,
    125,
    360,
    125,
    160,
    95,
    185,
    60,
    150,
]
TROUSERS = [150, 60, 250, 60, 270, 350, 215, 350, 200, 150, 185, 350, 130, 350]


def photo(polygon=SHIRT, colour=(180, 30, 40), background=(225, 220, 210), noise=3.0, size=400):
    """A garment on a noisy, unevenly lit background, and its true mask."""
    random = np.random.default_rng(5)
    mask = from_polygons([polygon], size, size)
    light = np.linspace(0.92, 1.05, size)[None, :, None]
    image = np.where(mask[..., None], colour, background) * light + random.normal(0, noise, (size, size, 3))
    image = cv2.GaussianBlur(np.clip(image, 0, 255).astype(np.uint8), (0, 0), 0.7)
    return image, mask


@dataclass
class Finder:
    garments: list[Garment]

    def find(self, image, score_threshold=None):  # noqa: ARG002
        return [g for g in self.garments if g.score >= (score_threshold or 0)]


@pytest.mark.parametrize(
    ("colour", "background"),
    [((180, 30, 40), (225, 220, 210)), ((40, 60, 150), (120, 90, 60)), ((240, 238, 230), (110, 20, 40))],
)
def test_a_garment_on_a_plain_background_is_found_to_the_pixel(colour, background):
    image, truth = photo(colour=colour, background=background)
    found = find_on_plain(image, CutoutSettings())
    assert iou(found.mask, truth) > 0.96
    assert found.confidence > 0.9


def test_white_on_nearly_white_is_found():
    image, truth = photo(colour=(244, 244, 243), background=(226, 226, 225), noise=1.0)
    assert iou(find_on_plain(image, CutoutSettings()).mask, truth) > 0.9


def test_the_same_picture_gives_the_same_bytes():
    image, _ = photo()
    assert cut_out(image).rgba.tobytes() == cut_out(image.copy()).rgba.tobytes()


def test_the_cutout_is_square_on_white_with_a_binary_mask():
    image, truth = photo()
    result = cut_out(image)
    side = result.rgba.shape[0]
    assert result.rgba.shape == (side, side, 4)
    assert set(np.unique(result.rgba[..., 3])) == {0, 255}
    assert (result.rgba[..., :3][~result.mask] == 255).all()
    assert abs(int(result.mask.sum()) - int(truth.sum())) < 0.05 * truth.sum()
    rows, columns = np.nonzero(result.mask)
    assert min(rows.min(), columns.min()) >= 0.03 * result.rgba.shape[0]


def test_the_box_is_in_source_pixels_when_the_picture_was_shrunk():
    image, _ = photo()
    large = cv2.resize(image, (1600, 1600), interpolation=cv2.INTER_CUBIC)
    box = cut_out(large, CutoutSettings(maximum_side=400)).box_xyxy
    assert np.allclose(box, np.array([60, 80, 340, 360]) * 4, atol=16)


def test_stripes_of_the_backgrounds_colour_stay_on_the_garment():
    image, truth = photo(background=(225, 222, 218), noise=1.0)
    stripes = truth & ((np.arange(400) // 14) % 2 == 0)[:, None]
    image[stripes] = np.clip(image[stripes].astype(int) * 0 + (222, 220, 216), 0, 255)
    assert iou(find_on_plain(image, CutoutSettings()).mask, truth) > 0.85


def refusal(image, settings=None, finder=None, accept=None) -> str:
    with pytest.raises(Refused) as caught:
        cut_out(image, settings, finder, accept)
    assert caught.value.reason in REFUSAL_REASONS
    return caught.value.reason


def test_an_empty_table_holds_no_garment():
    image, _ = photo(polygon=[0, 0, 0, 0, 0, 0], noise=0.5)
    assert refusal(image) in ("no_garment", "doubtful_mask", "too_small")


def test_two_garments_are_several():
    image, _ = photo()
    both = np.hstack([image, image])
    assert refusal(both) == "several_garments"


def test_a_garment_that_leaves_the_picture_is_cropped():
    image, mask = photo()
    finder = Finder([Garment(1, 0.9, mask[:, 150:])])
    assert refusal(image[:, 150:], CutoutSettings(method="model"), finder) == "cropped_by_border"


def test_a_tiny_garment_is_too_small():
    image, _ = photo(polygon=[190, 190, 215, 190, 215, 220, 190, 220])
    assert refusal(image) == "too_small"


def test_small_in_source_pixels_is_too_small():
    image, _ = photo()
    assert refusal(cv2.resize(image, (120, 120), interpolation=cv2.INTER_AREA)) == "too_small"


def test_a_blurred_picture_is_refused_and_a_sharp_one_is_not():
    image, mask = photo(noise=0.0)
    assert sharpness(image, mask) > 0.2
    assert sharpness(cv2.GaussianBlur(image, (0, 0), 9), mask) < 0.12
    assert refusal(cv2.GaussianBlur(image, (0, 0), 9)) in ("blurred", "doubtful_mask")


def test_a_torn_mask_is_refused():
    image, mask = photo()
    comb = mask & ((np.arange(400) // 12) % 3 == 0)[None]
    comb[345:360] = mask[345:360]
    settings = CutoutSettings(method="model", minimum_confidence=0.0)
    assert refusal(image, settings, Finder([Garment(1, 0.9, comb)])) == "torn_mask"


def test_the_callers_own_test_is_heard():
    image, _ = photo()
    assert refusal(image, accept=lambda *_: "not blue") == "not_the_style"


def test_a_sure_plain_mask_is_kept_where_the_finder_sees_only_a_part():
    image, whole = photo()
    part = whole.copy()
    part[:220] = False
    for mask in (part, whole):
        result = cut_out(image, finder=Finder([Garment(1, 0.9, mask)]))
        assert (result.method, result.category) == ("plain", "short sleeve top")
        assert result.mask.sum() > 0.95 * whole.sum()


def test_a_finders_mask_that_ends_in_the_middle_of_the_garment_is_doubtful():
    image, whole = photo()
    sleeve = whole.copy()
    sleeve[:, :170] = False
    assert refusal(image, CutoutSettings(method="model"), Finder([Garment(1, 0.9, sleeve)])) == "doubtful_mask"
    assert cut_out(image, CutoutSettings(method="model"), Finder([Garment(1, 0.9, whole)])).method == "model"


def test_one_garment_seen_in_pieces_is_doubtful_and_two_garments_are_several():
    image, whole = photo()
    left, right = whole.copy(), whole.copy()
    left[:, 200:], right[:, :200] = False, False
    settings = CutoutSettings(method="model")
    assert refusal(image, settings, Finder([Garment(1, 0.9, left), Garment(1, 0.8, right)])) == "doubtful_mask"
    assert refusal(image, settings, Finder([Garment(1, 0.9, left), Garment(3, 0.8, right)])) == "several_garments"
    right[:, :230] = False
    assert refusal(image, settings, Finder([Garment(1, 0.9, left), Garment(1, 0.8, right)])) == "several_garments"


def test_a_low_score_is_not_heard():
    image, whole = photo()
    assert refusal(image, CutoutSettings(method="model"), Finder([Garment(1, 0.2, whole)])) == "no_garment"


def test_worn_garments_are_a_person_where_people_are_refused():
    image, shirt = photo()
    trousers = np.zeros_like(shirt)
    trousers[365:395, 130:270] = True
    finder = Finder([Garment(1, 0.9, shirt), Garment(8, 0.9, trousers)])
    assert refusal(image, CutoutSettings(method="model", people="refuse"), finder) == "person"
    assert cut_out(image, CutoutSettings(method="model"), finder).category == "short sleeve top"


def test_trousers_pass_the_solidity_test():
    image, truth = photo(polygon=TROUSERS)
    assert abs(int(cut_out(image).mask.sum()) - int(truth.sum())) < 0.08 * truth.sum()


def test_border_contact_counts_the_border_only():
    mask = np.zeros((104, 104), bool)
    mask[:, :30] = True
    assert border_contact(mask) == pytest.approx((100 + 2 * 27) / 396, abs=0.01)
    assert border_contact(np.zeros((50, 50), bool)) == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("method", "magic"),
        ("people", "yes"),
        ("minimum_area", 1.5),
        ("minimum_area", float("nan")),
        ("working_side", 10),
        ("rounds", 0),
        ("rounds", 2.5),
        ("margin", True),
    ],
)
def test_settings_refuse_what_makes_no_sense(field, value):
    with pytest.raises(SettingError) as caught:
        CutoutSettings(**{field: value})
    assert caught.value.field == field


def test_a_settings_digest_changes_with_any_setting():
    assert CutoutSettings().digest() == CutoutSettings().digest() != CutoutSettings(margin=0.05).digest()
