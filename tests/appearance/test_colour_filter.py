"""Is a garment of its style's colour? Only what is plainly another is turned down."""

from __future__ import annotations

import numpy as np
import pytest

from fittingroom.appearance.colour_filter import basic_colours, colour_test, pattern_test, style_test


def garment(*colours: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    image = np.full((120, 120, 3), 255, np.uint8)
    mask = np.zeros((120, 120), bool)
    mask[10:110, 20:100] = True
    for number, colour in enumerate(colours):
        image[10 + number * 100 // len(colours) : 110, 20:100] = colour
    return image, mask


RED, BLUE, WHITE, NAVY, GREEN = (190, 30, 40), (40, 70, 180), (245, 245, 245), (25, 30, 70), (30, 120, 50)


@pytest.mark.parametrize(
    ("words", "colours"),
    [
        ("red", [RED]),
        ("navy", [NAVY]),
        ("navy", [BLUE]),
        ("light blue", [BLUE]),
        ("red", [WHITE, RED]),
        ("blue", [(20, 20, 22)]),
    ],
)
def test_suits(words: str, colours: list[tuple[int, int, int]]) -> None:
    test = colour_test(words)
    assert test is not None
    assert test(*garment(*colours)) is None


@pytest.mark.parametrize(("words", "colour"), [("red", BLUE), ("navy", RED), ("white", GREEN), ("dark green", RED)])
def test_plainly_another(words: str, colour: tuple[int, int, int]) -> None:
    test = colour_test(words)
    assert test is not None
    assert f"expected {words}" in (test(*garment(colour)) or "")


def test_words() -> None:
    assert basic_colours("Off-White") == {"white"}
    assert basic_colours("burgundy") == {"red", "purple"}
    assert colour_test("multicoloured") is None


def striped(mask: np.ndarray) -> np.ndarray:
    rows = (np.arange(mask.shape[0]) // 6 % 2 == 0)[:, None, None]
    image = np.where(rows, np.array(NAVY, np.uint8), np.array(WHITE, np.uint8)) * np.ones(
        (1, mask.shape[1], 1), np.uint8
    )
    image[~mask] = 255
    return image


def test_a_pattern_is_tested_like_a_colour() -> None:
    plain, mask = garment(RED)
    stripes = striped(mask)
    for pattern, suits, other in (("solid", plain, stripes), ("striped", stripes, plain), ("checked", stripes, plain)):
        test = pattern_test(pattern)
        assert test is not None
        assert test(suits, mask) is None
        assert f"expected {pattern}" in (test(other, mask) or "")
    assert pattern_test("") is None


def test_both_at_once() -> None:
    plain, mask = garment(RED)
    test = style_test("navy", "striped")
    assert test is not None
    assert test(striped(mask), mask) is None
    assert "expected navy" in (test(plain, mask) or "")
    only_pattern = style_test("multicoloured", "striped")
    assert only_pattern is not None
    assert "expected striped" in (only_pattern(plain, mask) or "")
    assert style_test("", "") is None
