"""The ten steps with stand-ins for the models: what changes, what may not, and which garment is taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fittingroom.appearance.repeat import Repeat
from fittingroom.categories import CATEGORY_IDS
from fittingroom.errors import InputError, NoGarmentFound, SettingError
from fittingroom.garment import Garment, Painting
from fittingroom.images import RGB
from fittingroom.masks import Mask, bounding_box
from fittingroom.style_card import Lab
from fittingroom.tryon.compose import mix_at
from fittingroom.tryon.settings import TryOnSettings
from fittingroom.tryon.steps import segment_person, segment_style_image, style_garment, try_on
from fittingroom.tryon.targets import Target


class Found:
    """A finder that finds what it was given."""

    def __init__(self, *garments: Garment) -> None:
        self.garments = list(garments)

    def find(self, image: np.ndarray, score_threshold: float | None = None) -> list[Garment]:
        self.seen, self.threshold = image, score_threshold
        return self.garments


class Painter:
    """Paints everything one colour, its surround too: what comes back outside the mask must not matter."""

    def __init__(self, colour: tuple[int, int, int] = (200, 10, 20), size: int = 64) -> None:
        self.colour, self.size = colour, size

    def translate(self, image_rgb: RGB, mask: Mask, dyes: Sequence[Lab] | None = None) -> RGB:
        self.seen, self.mask, self.dyes = image_rgb, mask, dyes
        return np.full_like(image_rgb, self.colour)


class Nothing(Painter):
    """Changes nothing."""

    def translate(self, image_rgb: RGB, mask: Mask, dyes: Sequence[Lab] | None = None) -> RGB:
        self.seen, self.mask, self.dyes = image_rgb, mask, dyes
        return image_rgb.copy()


def garment(category: str, mask: np.ndarray, score: float = 0.9) -> Garment:
    return Garment(CATEGORY_IDS[category], score, mask)


def rectangle(height: int, width: int, y1: int, y2: int, x1: int, x2: int) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[y1:y2, x1:x2] = True
    return mask


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_promise(data: st.DataObject) -> None:
    """Every pixel outside the feathered mask has the photo's bytes, whatever size, place, margin, feather and grow."""
    height, width = data.draw(st.integers(8, 120)), data.draw(st.integers(8, 120))
    x1, y1 = data.draw(st.integers(0, width - 5)), data.draw(st.integers(0, height - 5))
    mask = rectangle(
        height, width, y1, data.draw(st.integers(y1 + 4, height)), x1, data.draw(st.integers(x1 + 4, width))
    )
    chosen = TryOnSettings(
        margin=data.draw(st.floats(0, 0.3)),
        feather=data.draw(st.floats(0, 0.2)),
        grow=data.draw(st.sampled_from([0.0, 0.02, 0.1])),
        detail=data.draw(st.sampled_from([0.0, 1.0])),
    )
    sides = sorted((np.count_nonzero(mask.any(0)), np.count_nonzero(mask.any(1))))
    assume(sides[0] * 32 > 2 * (sides[1] * (1 + 2 * max(chosen.margin, chosen.grow)) + 2))  # no sliver at 32 pixels
    photo = noise(height, width)
    before = photo.copy()
    result = try_on(photo, Found(garment("vest", mask)), Painter(size=32), chosen)
    assert (photo == before).all()  # the input is not written into
    assert result.image.shape == photo.shape
    untouched = result.alpha == 0
    assert (result.image[untouched] == photo[untouched]).all()
    assert (result.alpha[mask] > 0).all()
    reach = round(0.1 * max(mask.any(0).sum(), mask.any(1).sum())) + 1
    far = np.ones_like(mask)
    far[
        max(y1 - reach, 0) : np.flatnonzero(mask.any(1))[-1] + 1 + reach,
        max(x1 - reach, 0) : np.flatnonzero(mask.any(0))[-1] + 1 + reach,
    ] = False
    assert untouched[far].all()


def test_the_garment_takes_the_new_colour_up_to_its_rim() -> None:
    mask = rectangle(300, 200, 40, 240, 30, 170)
    photo = np.full((300, 200, 3), 90, np.uint8)
    result = try_on(photo, Found(garment("vest", mask)), Painter(), TryOnSettings(detail=0))
    assert (result.image[60:220, 50:150] == (200, 10, 20)).all()
    near_rim = result.image[140, 31].astype(int)
    assert near_rim[0] > 150  # grown and feathered: hardly any of the old colour is left at the rim, and no white
    assert near_rim[1] < 40
    outside = result.image[140, :20]
    assert (outside == 90).all()


def test_translating_nothing_gives_the_photo_back() -> None:
    """A smooth garment, so that resizing it there and back loses little."""
    y, x = np.mgrid[0:300, 0:240].astype(np.float64)
    photo = np.dstack([90 + 60 * np.sin(x / 60), 110 + 50 * np.cos(y / 70), 130 + x / 12]).astype(np.uint8)
    mask = (x - 120) ** 2 / 80**2 + (y - 150) ** 2 / 120**2 < 1
    result = try_on(photo, Found(garment("vest", mask)), Nothing(size=256), TryOnSettings(detail=0))
    assert np.abs(result.image.astype(int) - photo).max() <= 4
    assert np.abs(result.image.astype(int) - photo).mean() < 0.3


def test_what_the_generator_sees_is_the_garment_on_white_with_a_margin() -> None:
    painter, photo = Painter(size=64), np.full((200, 200, 3), 50, np.uint8)
    result = try_on(
        photo, Found(garment("vest", rectangle(200, 200, 20, 180, 60, 100))), painter, TryOnSettings(margin=0.1)
    )
    assert painter.seen.shape == (64, 64, 3)
    assert (painter.seen[~painter.mask] == 255).all()
    assert (painter.seen[painter.mask] == 50).all()  # no white mixed into its rim
    rows = np.flatnonzero(painter.mask.any(1))
    assert (rows[0], rows[-1]) == (5, 58)  # 16 of 192 pixels of margin, at 64
    assert (result.changed[0].garment_image == painter.seen).all()
    assert result.box == (60, 20, 100, 180)


def test_alpha_is_kept_and_what_it_hides_is_not_looked_at() -> None:
    photo = noise(100, 80, 4)
    photo[:50, :, 3] = 0
    finder = Found(garment("vest", rectangle(100, 80, 60, 95, 10, 70)))
    result = try_on(photo, finder, Painter())
    assert result.image.shape == (100, 80, 4)
    assert (result.image[..., 3] == photo[..., 3]).all()
    assert (result.image[result.alpha == 0] == photo[result.alpha == 0]).all()
    assert (finder.seen[:50] == 255).all()
    assert finder.seen.shape == (100, 80, 3)


TOP, LONG_TOP = rectangle(100, 80, 10, 40, 10, 70), rectangle(100, 80, 10, 50, 5, 75)
TROUSERS, DRESS = rectangle(100, 80, 50, 99, 20, 60), rectangle(100, 80, 5, 95, 10, 70)


LEARNT = "the style was learnt from pictures of the category short sleeve top"


@pytest.mark.parametrize(
    ("found", "wanted", "expected", "words"),
    [
        # Nothing wanted.
        (["trousers"], None, "trousers", "changed the only garment found (probably trousers) to X"),
        (
            ["short sleeve top", "trousers"],
            None,
            "trousers",
            "changed the largest of 2 garments found (probably trousers) to X",
        ),
        # The category that is wanted.
        (["trousers", "short sleeve top"], "trousers", "trousers", "changed what is probably trousers to X"),
        (["vest"], "vest", "vest", "changed what is probably a vest to X"),
        (
            ["vest", "vest", "skirt"],
            "vest",
            "vest",
            "changed the largest of 2 garments, each probably a vest to X",
        ),
        # Another that covers the same part of the body: a man in a T-shirt, taken for a long sleeve top.
        (
            ["long sleeve top", "trousers"],
            "short sleeve top",
            "long sleeve top",
            f"changed the only upper-body garment found (probably a long sleeve top) to X; {LEARNT}",
        ),
        (
            ["long sleeve outwear", "vest"],
            "short sleeve top",
            "vest",
            f"changed the largest of 2 upper-body garments found (probably a vest) to X; {LEARNT}",
        ),
        # Nothing there.
        (
            ["trousers"],
            "short sleeve top",
            "trousers",
            f"changed the only garment found (probably trousers) to X; {LEARNT}, and no upper-body garment was found",
        ),
        (
            ["short sleeve top", "long sleeve outwear"],
            "vest dress",
            "long sleeve outwear",
            "changed the largest of 2 garments found (probably long sleeve outwear) to X; the style was learnt from "
            "pictures of the category vest dress, and no full-body garment was found",
        ),
    ],
)
def test_which_garment_in_words(found: list[str], wanted: str | None, expected: str, words: str) -> None:
    """Found in the order of their sizes, the largest last; a category is always said as a guess."""
    garments = [garment(name, rectangle(100, 80, 10, 30 + 10 * n, 10, 60)) for n, name in enumerate(found)]
    found_all, (taken,), which = segment_person(noise(100, 80), Found(*garments), Target(wanted))
    assert (taken.garment.category, which.sentence("X")) == (expected, words)
    assert [each.number for each in found_all] == list(range(1, len(found) + 1))
    assert which.sentence() == words.replace(" to X", "")


def test_of_two_of_a_category_the_larger() -> None:
    finder = Found(garment("vest", TOP, 0.99), garment("vest", LONG_TOP, 0.6))
    (taken,) = segment_person(noise(100, 80), finder, Target("vest"))[1]
    assert taken.garment.mask is LONG_TOP


def test_no_garment_is_a_clear_sentence_and_exit_1() -> None:
    with pytest.raises(NoGarmentFound, match="no garment was found on the person photo") as caught:
        try_on(noise(50, 50), Found(), Painter())
    assert caught.value.exit_code == 1
    with pytest.raises(NoGarmentFound, match="style image"):
        segment_style_image(noise(50, 50), Found())


def test_a_sliver_is_no_garment() -> None:
    mask = rectangle(400, 300, 5, 395, 100, 101)
    with pytest.raises(NoGarmentFound, match="too thin to be changed"):
        try_on(noise(400, 300), Found(garment("vest", mask)), Painter(size=64))


def test_an_unknown_category_is_refused() -> None:
    with pytest.raises(InputError, match="category: expected one of"):
        try_on(noise(50, 50), Found(), Painter(), target_category="hat")


def test_the_threshold_reaches_the_finder() -> None:
    finder = Found(garment("vest", TOP))
    try_on(noise(100, 80), finder, Painter(), TryOnSettings(score_threshold=0.98))
    assert finder.threshold == 0.98


@pytest.mark.parametrize("field", ["margin", "feather", "grow", "detail", "score_threshold", "size"])
def test_wrong_settings(field: str) -> None:
    wrong: dict[str, Any] = {field: -1}
    with pytest.raises(SettingError, match=field):
        TryOnSettings(**wrong)


def test_the_garment_of_a_style_image_is_the_largest() -> None:
    image = noise(100, 80)
    shown, mask, category = style_garment(image, Found(garment("sling", TOP), garment("vest", LONG_TOP)))
    assert shown is image
    assert mask is LONG_TOP
    assert category == "vest"


def test_a_garment_that_lies_on_a_plain_ground_is_a_style_image_too() -> None:
    image = np.full((300, 260, 3), 235, np.uint8)
    image[60:240, 70:190] = (190, 25, 30)
    image[60:120, 30:230] = (190, 25, 30)
    shown, mask, category = style_garment(image, Found())
    assert (shown[mask] == (190, 25, 30)).all(axis=1).mean() > 0.95
    assert mask.sum() == pytest.approx((image[..., 0] == 190).sum(), rel=0.05)
    assert category is None
    with pytest.raises(NoGarmentFound, match="style image"):
        style_garment(np.full((300, 260, 3), 235, np.uint8), Found())


def test_every_step_is_timed() -> None:
    result = try_on(noise(100, 80), Found(garment("vest", TOP)), Painter())
    assert {"segment_person", "make_square", "translate", "resize_back"} <= set(result.seconds)
    assert all(value >= 0 for value in result.seconds.values())


def test_dyes_are_painted_for_this_call_and_the_result_says_how_near_they_came() -> None:
    asked: list[Sequence[Lab] | None] = []

    class Dyer(Painter):
        def translate(self, image_rgb: RGB, mask: Mask, dyes: Sequence[Lab] | None = None) -> RGB:
            asked.append(dyes)
            return np.where(mask[..., None], np.array([47, 107, 58], np.uint8), image_rgb)

    painter, found = Dyer(), Found(garment("vest", LONG_TOP))
    green = (40.29, -31.12, 21.67)
    result = try_on(noise(100, 80), found, painter, TryOnSettings(dyes=(green,), cloth=(green,), pattern="solid"))
    assert [(one.wanted, one.got, one.ciede2000) for one in result.colour] == [("#2f6b3a", "#2f6b3a", 0.0)]
    plain = try_on(noise(100, 80), found, painter)
    assert plain.colour == ()
    assert asked == [(green,), None]


class PatternPainter:
    """Paints level stripes of its two slots as fine as it is told, else of the whole garment."""

    size, takes_repeat = 64, True

    def translate(
        self, image_rgb: RGB, mask: Mask, dyes: Sequence[Lab] | None = None, repeat: Repeat | None = None
    ) -> RGB:
        painting = self.paint(image_rgb, mask, dyes, repeat)
        return np.where(mask[..., None], mix_at(painting, mask, len(mask)), image_rgb)

    def paint(
        self, image_rgb: RGB, mask: Mask, dyes: Sequence[Lab] | None = None, repeat: Repeat | None = None
    ) -> Painting:
        self.seen, self.dyes, self.asked = image_rgb, dyes, repeat
        box = bounding_box(mask)
        assert box is not None
        times = 1.0 if repeat is None else repeat.vectors[0][1]
        phase = np.cos(2 * np.pi * times * (np.arange(len(mask)) - box.y1) / max(box.height, box.width))
        stripes = (20 * phase).astype(np.float32)[:, None].repeat(len(mask), 1)
        palette = np.array([[0.8, 0.1, 0.1], [0.9, 0.9, 0.9]], np.float32)
        return Painting(np.dstack([np.zeros_like(stripes), stripes]), np.ones_like(stripes), palette)


def test_a_pattern_is_as_fine_as_it_is_asked_for_and_as_sharp_as_the_photo() -> None:
    photo = np.full((400, 300, 3), 128, np.uint8)
    mask = np.zeros((400, 300), bool)
    mask[40:360, 60:240] = True
    painter = PatternPainter()
    result = try_on(photo, Found(garment("vest", mask)), painter, TryOnSettings(repeat=((0.0, 8.0),)))
    assert painter.asked == Repeat(((0.0, 8.0),))
    column = result.image[60:340, 150].astype(int)
    light = column[:, 1] > 120
    assert np.count_nonzero(np.diff(light)) == pytest.approx(2 * 8 * 280 / 320, abs=1)
    edges = np.count_nonzero((column[:, 1] > 60) & (column[:, 1] < 190))
    assert edges <= 3 * np.count_nonzero(np.diff(light)), "an edge is a few of the photo's pixels wide"

    try_on(photo, Found(garment("vest", mask)), painter)
    assert painter.asked is None
