"""The dyes of a garment's cloth: light, prints, labels and blends left out; colours as people write them."""

from __future__ import annotations

import numpy as np
import pytest

from fittingroom.appearance.cloth import MOST_DYES, cloth_of, colour_code, distance, parse_dye
from fittingroom.appearance.colours import srgb_to_lab
from fittingroom.errors import InputError, NoGarmentFound
from fittingroom.style_card import Lab

NAVY, WHITE, RED, GREEN = (29, 43, 83), (233, 232, 228), (176, 30, 44), (31, 122, 69)
SIDE = 320


def lit(colours: np.ndarray, depth: float = 0.35) -> np.ndarray:
    """(H, W, 3) uint8 with folds: light falls off by up to ``depth``, as light does, in linear RGB."""
    y, x = np.mgrid[: colours.shape[0], : colours.shape[1]] / colours.shape[0]
    fold = 1 - depth * (0.5 + 0.5 * np.sin(2 * np.pi * (1.3 * x + 0.4 * y)))
    linear = (colours / 255) ** 2.2 * fold[..., None]
    return np.rint(255 * linear ** (1 / 2.2)).astype(np.uint8)


def stripes(first: tuple[int, ...], second: tuple[int, ...], period: int, share: float) -> np.ndarray:
    """``share`` of the first colour."""
    rows = (np.arange(SIDE) % period < share * period)[:, None, None]
    return np.broadcast_to(np.where(rows, np.array(first), np.array(second)), (SIDE, SIDE, 3)).astype(np.float64)


EVERYWHERE = np.ones((SIDE, SIDE), bool)


def off(lab: Lab, rgb: tuple[int, ...]) -> float:
    """CIEDE2000 to what the colour is in the folds' middle light."""
    lightness, a, b = srgb_to_lab(np.rint(np.array(rgb) * (1 - 0.175) ** (1 / 2.2)).astype(np.uint8)).tolist()
    return distance(lab, (lightness, a, b))


def test_a_fold_is_no_second_colour_and_a_print_is_not_the_cloths() -> None:
    image = lit(np.full((SIDE, SIDE, 3), RED, np.float64))
    (dye,) = cloth_of(image, EVERYWHERE, "solid")
    assert off(dye.lab, RED) < 2.0
    image[40:250, 60:260] = WHITE  # a print on two fifths of it
    (printed,) = cloth_of(image, EVERYWHERE, "solid")
    assert distance(dye.lab, printed.lab) < 1.5
    assert distance(dye.lab, tuple(np.median(srgb_to_lab(image), axis=(0, 1)))) > 2.2, "the middle of all is not it"
    assert dye.share == 1.0


@pytest.mark.parametrize("cloth", [WHITE, (20, 20, 22), NAVY, (239, 193, 47)])
def test_light_dark_and_strong_cloth_is_itself(cloth: tuple[int, int, int]) -> None:
    (dye,) = cloth_of(np.full((90, 70, 3), cloth, np.uint8), np.ones((90, 70), bool), "solid")
    assert distance(dye.lab, tuple(srgb_to_lab(np.array(cloth, np.uint8)))) < 0.1
    assert dye.code == colour_code(dye.lab) == "#{:02x}{:02x}{:02x}".format(*cloth)


@pytest.mark.parametrize("period", [60, 20, 8])
def test_stripes_have_their_two_dyes_ground_first_in_folds_too(period: int) -> None:
    for ground, figure in ((NAVY, WHITE), (WHITE, NAVY), (GREEN, RED)):
        image = lit(stripes(ground, figure, period, 0.7))
        dyes = cloth_of(image, EVERYWHERE, "striped")
        assert len(dyes) == 2, dyes
        assert off(dyes[0].lab, ground) < 5.0
        assert off(dyes[1].lab, figure) < 5.0
        assert dyes[0].share == pytest.approx(0.7, abs=0.1)


def test_of_two_equal_dyes_the_more_colourful_is_the_ground() -> None:
    for image in (stripes(NAVY, WHITE, 40, 0.5), stripes(WHITE, NAVY, 40, 0.5)):
        assert off(cloth_of(lit(image), EVERYWHERE, "striped")[0].lab, NAVY) < 5.0


def test_a_label_is_no_dye() -> None:
    image = lit(stripes(NAVY, WHITE, 40, 0.6))
    image[100:140, 100:150] = (250, 140, 0)  # 2 %
    assert len(cloth_of(image, EVERYWHERE, "striped")) == 2


def test_where_checks_cross_is_a_blend_and_in_stripes_it_is_a_dye() -> None:
    light, dark = np.array(WHITE, np.float64), np.array(GREEN, np.float64)
    across, down = (np.arange(SIDE) % 40 < 20)[None, :, None], (np.arange(SIDE) % 40 < 20)[:, None, None]
    gingham = lit(light + (dark - light) * (0.5 * across + 0.5 * down), 0.2)
    dyes = cloth_of(gingham, EVERYWHERE, "checked")
    assert len(dyes) == 2
    assert {srgb_to_lab(np.array([GREEN], np.uint8))[0, 1] / 2 > dye.lab[1] for dye in dyes} == {True, False}
    assert len(cloth_of(gingham, EVERYWHERE, "striped")) == 3


def test_many_colours_are_at_most_so_many() -> None:
    colours = [NAVY, WHITE, RED, GREEN, (239, 193, 47), (20, 20, 22), (94, 58, 124), (217, 118, 43)]
    rows = np.array(colours)[np.arange(SIDE) // 10 % len(colours)]
    dyes = cloth_of(np.repeat(rows[:, None], SIDE, 1).astype(np.uint8), EVERYWHERE, "striped")
    assert 3 <= len(dyes) <= MOST_DYES
    assert cloth_of(np.repeat(rows[:, None], SIDE, 1).astype(np.uint8), EVERYWHERE, "striped") == dyes


def test_plain_cloth_that_was_taken_for_patterned_has_dyes_all_the_same() -> None:
    dyes = cloth_of(np.full((60, 60, 3), RED, np.uint8), np.ones((60, 60), bool), "striped")
    assert distance(dyes[0].lab, tuple(srgb_to_lab(np.array(RED, np.uint8)))) < 1.0


def test_no_cloth_is_said() -> None:
    with pytest.raises(NoGarmentFound, match="the mask is empty"):
        cloth_of(np.zeros((20, 20, 3), np.uint8), np.zeros((20, 20), bool), "solid")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("#2f6b3a", "#2f6b3a"),
        ("#FFF", "#ffffff"),
        ("SeaGreen", "#2e8b57"),
        (" rgb(47, 107, 58) ", "#2f6b3a"),
        ("lab(40.29 -31.12 21.67)", "#2f6b3a"),
        ("lab(100%, 0, 0)", "#ffffff"),
    ],
)
def test_colours_as_people_write_them(said: str, code: str) -> None:
    assert colour_code(parse_dye(said)) == code


@pytest.mark.parametrize("said", ["", "#12", "sea green-ish", "lab(40 20)", "lab(+-. 1 1)", "2f6b3a"])
def test_what_is_no_colour(said: str) -> None:
    with pytest.raises(InputError, match="expected #rrggbb, a CSS name such as seagreen, or lab"):
        parse_dye(said)


def test_a_colour_that_no_screen_shows() -> None:
    with pytest.raises(InputError, match="a screen can show"):
        parse_dye("lab(50 120 -120)")


def test_a_transparent_colour_is_refused_not_taken_for_the_opaque_one() -> None:
    with pytest.raises(InputError, match="not transparent, got '#2f6b3a80'"):
        parse_dye("#2f6b3a80")
    assert parse_dye("#2f6b3aff") == parse_dye("#2f6b3a")


def test_a_stripe_in_the_shade_is_no_dye_of_its_own() -> None:
    """Light that falls within a stripe's breadth splits it in two: what is left are two dyes and all of the cloth."""
    rows, columns = np.mgrid[:300, :300]
    stripes = np.where((rows % 60 < 30)[..., None], (196, 33, 42), (239, 238, 234))
    shade = np.array([1.0, 1.0, 1.0, 0.6, 0.35])[columns // 12 % 5][..., None]
    image = np.round(255 * ((stripes / 255) ** 2.2 * shade) ** (1 / 2.2)).astype(np.uint8)
    dyes = cloth_of(image, np.ones((300, 300), bool), "striped")
    assert {dye.code for dye in dyes} == {"#c4212a", "#efeeea"}
    assert sum(dye.share for dye in dyes) == pytest.approx(1.0, abs=0.02)
