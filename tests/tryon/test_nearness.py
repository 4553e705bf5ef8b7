"""How near a result came, in figures and in words."""

from __future__ import annotations

import numpy as np
import pytest

from fittingroom.appearance.cloth import parse_dye
from fittingroom.tryon.nearness import Nearness, in_words, nearness

MASK = np.zeros((256, 256), bool)
MASK[20:230, 30:220] = True


def test_each_wanted_dye_and_what_came_of_it() -> None:
    rows = np.where(
        (np.arange(256) % 24 < 16)[:, None, None], np.array([47, 107, 58], np.uint8), np.array([240, 190, 40], np.uint8)
    )
    painted = np.where(MASK[..., None], np.repeat(rows, 256, 1), np.uint8(255))
    found = nearness(painted, MASK, "striped", [parse_dye("#2f6b3a"), parse_dye("#f0be28"), parse_dye("#102040")])
    assert [one.part for one in found] == ["ground", "figure", "figure"]
    assert [one.wanted for one in found] == ["#2f6b3a", "#f0be28", "#102040"]
    assert found[0].ciede2000 < 0.5
    assert found[1].ciede2000 < 0.5
    assert found[2].ciede2000 > 20, "the style had no figure for it"
    assert found[0].to_json() == {
        "part": "ground",
        "wanted": "#2f6b3a",
        "got": found[0].got,
        "ciede2000": found[0].ciede2000,
    }
    assert in_words(found).startswith("the ground #2f6b3a came out as #")


def test_plain_cloth_is_compared_by_its_one_dye() -> None:
    painted = np.where(MASK[..., None], np.array([170, 30, 40], np.uint8), np.uint8(255))
    (one,) = nearness(painted, MASK, "solid", [parse_dye("#2f6b3a")])
    assert (one.got, one.ciede2000 > 40) == ("#aa1e28", True)
    assert "another colour" in one.words()


def test_nothing_wanted_and_nothing_painted_is_nothing_said() -> None:
    assert nearness(np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), bool), "solid", []) == ()
    assert nearness(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), bool), "solid", [(50, 0, 0)]) == ()
    assert in_words(()) == ""


@pytest.mark.parametrize(
    ("ciede2000", "words"),
    [
        (0.4, "the same to the eye"),
        (1.0, "very near"),
        (3.0, "near"),
        (7.0, "another shade"),
        (10.0, "another colour"),
    ],
)
def test_distances_in_words(ciede2000: float, words: str) -> None:
    one = Nearness("ground", "#000000", "#000001", ciede2000)
    assert one.words() == f"#000000 came out as #000001, {words} (CIEDE2000 {ciede2000:.1f})"
