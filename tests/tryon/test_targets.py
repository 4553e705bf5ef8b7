"""Which garments of a photo are changed: whose, which one, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from fittingroom.categories import CATEGORY_IDS
from fittingroom.errors import InputError, NoGarmentFound, SettingError
from fittingroom.garment import Garment
from fittingroom.images import RGB
from fittingroom.masks import Mask
from fittingroom.style_card import Lab
from fittingroom.tryon.settings import TryOnSettings
from fittingroom.tryon.steps import try_on
from fittingroom.tryon.targets import Target, number_garments, take
from tests.tryon.test_steps import Found as Finder
from tests.tryon.test_steps import Painter, noise

H, W = 200, 300


def at(category: str, x1: int, x2: int, y1: int, y2: int, score: float = 0.9) -> Garment:
    mask = np.zeros((H, W), bool)
    mask[y1:y2, x1:x2] = True
    return Garment(CATEGORY_IDS[category], score, mask)


LEFT_TOP, LEFT_SKIRT = at("short sleeve top", 20, 70, 40, 90), at("skirt", 25, 65, 92, 140)
MIDDLE_COAT, MIDDLE_TROUSERS = at("long sleeve outwear", 120, 190, 30, 110), at("trousers", 130, 180, 112, 190)
BLOUSE = at("long sleeve top", 140, 170, 35, 100)  # under the open coat
FAR = at("vest", 290, 298, 50, 60)
"""Somebody far away at the photo's side."""
EVERYBODY = [LEFT_TOP, LEFT_SKIRT, MIDDLE_COAT, MIDDLE_TROUSERS]


def test_garments_are_numbered_by_size_and_people_from_the_left() -> None:
    found = number_garments([LEFT_SKIRT, MIDDLE_TROUSERS, LEFT_TOP, MIDDLE_COAT])
    assert [(each.number, each.person, each.garment.category) for each in found] == [
        (1, 2, "long sleeve outwear"),
        (2, 2, "trousers"),
        (3, 1, "short sleeve top"),
        (4, 1, "skirt"),
    ]
    assert found[1].to_json() == {
        "number": 2,
        "person": 2,
        "category": "trousers",
        "group": "lower",
        "score": 0.9,
        "box_xyxy": [130, 112, 180, 190],
        "share": round(50 * 78 / (H * W), 4),
    }


def test_a_stray_find_is_nobody_of_its_own() -> None:
    assert {each.person for each in number_garments([MIDDLE_COAT, MIDDLE_TROUSERS, FAR])} == {1}


@pytest.mark.parametrize(
    ("garments", "target", "changed", "words"),
    [
        (EVERYBODY, Target(), [MIDDLE_COAT], "the largest of 2 garments found (probably long sleeve outwear) on person "
         "2 of 2 (from the left; the one who shows most near the middle)"),
        (EVERYBODY, Target("skirt", person="1"), [LEFT_SKIRT],
         "what is probably a skirt on person 1 of 2 (from the left)"),
        (EVERYBODY, Target(garment="lower"), [MIDDLE_TROUSERS], "the lower garment asked for (probably trousers) on "
         "person 2 of 2 (from the left; the one who shows most near the middle)"),
        (EVERYBODY, Target(garment="lower", person="all"), [MIDDLE_TROUSERS, LEFT_SKIRT],
         "2 garments (trousers, a skirt, each a guess) on 2 people"),
        (EVERYBODY, Target(garment="skirt", person="all"), [LEFT_SKIRT],
         "what is probably a skirt, as asked for, on person 1 of 2 (from the left)"),
        (EVERYBODY, Target(garment="3"), [LEFT_TOP], "garment 3 of 4 (probably a short sleeve top)"),
        ([MIDDLE_COAT, MIDDLE_TROUSERS], Target(garment="all"), [MIDDLE_COAT, MIDDLE_TROUSERS],
         "2 garments (long sleeve outwear, trousers, each a guess)"),
        # What a style was learnt from decides only where nobody chose.
        ([MIDDLE_COAT, MIDDLE_TROUSERS], Target("trousers", garment="upper"), [MIDDLE_COAT],
         "the upper garment asked for (probably long sleeve outwear)"),
    ],
)  # fmt: skip
def test_what_is_asked_for_is_changed(
    garments: list[Garment], target: Target, changed: list[Garment], words: str
) -> None:
    chosen, taken = take(number_garments(garments), target)
    assert [each.garment for each in chosen] == changed
    assert taken.what == words


def test_of_all_garments_what_lies_inside_another_is_changed_with_it() -> None:
    chosen, _ = take(number_garments([MIDDLE_COAT, BLOUSE, MIDDLE_TROUSERS]), Target(garment="all"))
    assert [each.garment for each in chosen] == [MIDDLE_COAT, MIDDLE_TROUSERS]


SHIRT_FRONT = at("short sleeve top", 125, 165, 35, 105, score=0.6)
"""A piece of the coat, under a wrong name."""
COLLAR = at("short sleeve top", 150, 200, 20, 40)
"""Little of it lies on the coat, but it is little."""
SMALL_TOP = at("short sleeve top", 140, 166, 30, 110)
"""More than three tenths of the coat, and as sure: it is worn under it."""


@pytest.mark.parametrize(
    ("beside", "changed"), [(SHIRT_FRONT, MIDDLE_COAT), (COLLAR, MIDDLE_COAT), (SMALL_TOP, SMALL_TOP)]
)
def test_a_piece_under_a_wrong_name_is_not_changed_in_place_of_the_garment(beside: Garment, changed: Garment) -> None:
    (chosen,), _ = take(number_garments([MIDDLE_COAT, MIDDLE_TROUSERS, beside]), Target("short sleeve top"))
    assert chosen.garment is changed
    (chosen,), _ = take(number_garments([MIDDLE_COAT, MIDDLE_TROUSERS, beside]), Target(garment="short sleeve top"))
    assert chosen.garment is beside, "who asks for it gets it"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Target(garment="9"), "garment 9 was not found .* found: 1 probably long sleeve outwear, 2 probably trousers"),
        (Target(garment="full"), "no garment of the kind full was found .* 1 probably long sleeve outwear"),
        (Target(person="3"), "person 3 was not found on the photo; people with garments: 2"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(target: Target, words: str) -> None:
    with pytest.raises(NoGarmentFound, match=words) as caught:
        take(number_garments(EVERYBODY), target)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("garment", "trouser", "expected all, upper, lower, full, a number or a category; did you mean trousers"),
        ("garment", "0", "a number or a category"),
        ("garment", "²", "a number or a category"),
        ("person", "left", "expected a number, counted from the left, or all, got 'left'"),
        ("person", "-1", "a number"),
    ],
)
def test_what_means_nothing_is_wrong_usage(field: str, value: str, words: str) -> None:
    wrong: dict[str, Any] = {field: value}
    with pytest.raises(SettingError, match=words) as caught:
        TryOnSettings(**wrong)
    assert caught.value.exit_code == 2


def test_an_unknown_category_of_a_style() -> None:
    with pytest.raises(InputError, match="category: expected one of"):
        Target("hat")


def test_all_garments_in_one_picture_and_not_a_byte_beyond_them() -> None:
    photo = noise(H, W)
    settings = TryOnSettings(garment="all", person="all", detail=0)
    result = try_on(photo, Finder(*EVERYBODY), Painter(), settings)
    assert [each.found.garment for each in result.changed] == [MIDDLE_COAT, MIDDLE_TROUSERS, LEFT_TOP, LEFT_SKIRT]
    for garment in EVERYBODY:
        box = garment.box_xyxy
        inner = result.image[box.y1 + 4 : box.y2 - 4, box.x1 + 4 : box.x2 - 4]
        assert (inner == (200, 10, 20)).all()
    assert (result.image[result.alpha == 0] == photo[result.alpha == 0]).all()
    assert (result.alpha[:, 75:115] == 0).all(), "between the two"
    assert [each["changed"] for each in result.garments()] == [True] * 4


def test_one_garment_is_blended_as_if_there_were_no_others() -> None:
    photo = noise(H, W)
    alone = try_on(photo, Finder(MIDDLE_COAT), Painter())
    chosen = try_on(photo, Finder(*EVERYBODY), Painter(), TryOnSettings(garment="1"))
    assert (alone.image == chosen.image).all()
    assert [each["changed"] for each in chosen.garments()] == [True, False, False, False]


def test_where_garments_overlap_the_smaller_lies_over_the_larger() -> None:
    class TwoColours(Painter):
        def translate(self, image_rgb: RGB, mask: Mask, dyes: Sequence[Lab] | None = None) -> RGB:
            super().translate(image_rgb, mask, dyes)
            self.calls = getattr(self, "calls", 0) + 1
            return np.full_like(image_rgb, (250, 0, 0) if self.calls == 1 else (0, 0, 250))

    over = at("trousers", 110, 200, 100, 160)
    result = try_on(noise(H, W), Finder(MIDDLE_COAT, over), TwoColours(), TryOnSettings(garment="all", detail=0))
    assert result.changed[0].found.garment is MIDDLE_COAT
    assert (result.image[105, 130:180] == (0, 0, 250)).all()
    assert (result.image[60, 130:180] == (250, 0, 0)).all()
