"""A mask is judged before its result is shown: what speaks against it is said, or refused."""

from __future__ import annotations

import numpy as np
import pytest

from fittingroom.categories import CATEGORY_IDS
from fittingroom.errors import DoubtfulMask
from fittingroom.garment import Garment
from fittingroom.tryon.doubts import doubts_about
from fittingroom.tryon.settings import TryOnSettings
from fittingroom.tryon.steps import try_on
from tests.tryon.test_steps import Found, Painter, rectangle

WHOLE = rectangle(240, 200, 60, 200, 50, 150)
PHOTO = np.where(WHOLE[..., None], np.array([40, 60, 150], np.uint8), np.array([200, 190, 170], np.uint8))
"""A blue garment before a light wall."""


def garment(mask: np.ndarray, score: float = 0.95) -> Garment:
    return Garment(CATEGORY_IDS["vest"], score, mask)


def test_nothing_speaks_against_a_mask_that_follows_the_garment() -> None:
    assert doubts_about(PHOTO, garment(WHOLE)) == ()


@pytest.mark.parametrize(
    ("mask", "score", "words"),
    [
        (WHOLE, 0.55, ["the segmenter is not sure of it (score 0.55)"]),
        # It spills over the wall: two of its four sides, and parts of the others, follow nothing.
        (rectangle(240, 200, 60, 235, 50, 195), 0.95, ["of its outline follows an edge"]),
        # It ends in the middle of the cloth.
        (rectangle(240, 200, 90, 170, 70, 130), 0.95, ["only 0% of its outline follows an edge"]),
        (
            rectangle(240, 200, 60, 200, 50, 75)
            | rectangle(240, 200, 60, 200, 85, 110)
            | rectangle(240, 200, 60, 200, 125, 150),
            0.95,
            ["in pieces (the largest is 33% of it)", "of its outline follows"],
        ),
    ],
)
def test_what_speaks_against_a_mask(mask: np.ndarray, score: float, words: list[str]) -> None:
    found = doubts_about(PHOTO, garment(mask, score))
    assert len(found) == len(words)
    for said, part in zip(found, words, strict=True):
        assert part in said


def test_a_doubt_is_one_sentence_beside_the_result_and_with_strict_a_refusal() -> None:
    sure, doubtful = garment(WHOLE), garment(rectangle(240, 200, 90, 170, 70, 130))
    assert try_on(PHOTO, Found(sure), Painter(), TryOnSettings(strict=True)).doubt == ""
    result = try_on(PHOTO, Found(doubtful), Painter())
    assert result.doubt == "the garment's outline may be wrong: only 0% of its outline follows an edge of the photo"
    with pytest.raises(DoubtfulMask, match="may be wrong: only 0%") as caught:
        try_on(PHOTO, Found(doubtful), Painter(), TryOnSettings(strict=True))
    assert caught.value.exit_code == 1


def test_of_several_garments_the_doubtful_one_is_named() -> None:
    below = garment(rectangle(240, 200, 205, 235, 60, 140), 0.6)
    result = try_on(PHOTO, Found(garment(WHOLE), below), Painter(), TryOnSettings(garment="all"))
    assert "may be wrong: garment 2: the segmenter is not sure of it (score 0.60) and only" in result.doubt
