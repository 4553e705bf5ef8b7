"""CIELAB conversions against published values, and names of colours nobody disputes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fittingroom.appearance.colours import COLOUR_NAMES, ciede2000, colour_name, colour_names, lab_to_srgb, srgb_to_lab


def test_lab_of_the_screens_primaries():
    # Published values for sRGB, D65, 2 degree observer.
    known = {
        (255, 0, 0): (53.24, 80.09, 67.20),
        (0, 255, 0): (87.73, -86.18, 83.18),
        (0, 0, 255): (32.30, 79.19, -107.86),
        (255, 255, 255): (100, 0, 0),
        (0, 0, 0): (0, 0, 0),
    }
    for rgb, lab in known.items():
        assert np.allclose(srgb_to_lab(np.array(rgb, np.uint8)), lab, atol=0.03)


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_there_and_back(rgb):
    pixels = np.array([[rgb]], np.uint8)
    assert np.allclose(lab_to_srgb(srgb_to_lab(pixels)) * 255, pixels, atol=0.01)


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 3.1571, -77.2803), (50, 0, -82.7485), 2.8615),
        ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_ciede2000_of_published_pairs(one, two, expected):
    assert ciede2000(one, two) == pytest.approx(expected, abs=1e-4)
    assert ciede2000(two, one) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((15, 15, 16), "black"),
        ((245, 245, 245), "white"),
        ((128, 128, 128), "grey"),
        ((200, 20, 30), "red"),
        ((110, 20, 35), "red"),  # burgundy
        ((240, 130, 30), "orange"),
        ((240, 205, 40), "yellow"),
        ((30, 130, 60), "green"),
        ((90, 95, 40), "green"),  # olive
        ((30, 70, 180), "blue"),
        ((29, 43, 83), "blue"),  # navy
        ((150, 190, 230), "blue"),
        ((0, 0, 255), "blue"),
        ((95, 45, 140), "purple"),
        ((240, 160, 180), "pink"),
        ((230, 50, 150), "pink"),
        ((100, 65, 40), "brown"),
        ((220, 200, 165), "beige"),
    ],
)
def test_names_of_plain_colours(rgb, name):
    assert colour_name(srgb_to_lab(np.array(rgb, np.uint8))) == name


@pytest.mark.parametrize(
    ("name", "codes", "lights"),
    [
        ("blue", "14213d 1b2a4a 0b1d3a 1c2541 202a44 191970 00008b 2b3a5c 28344e", (0.6, 0.8, 1.0)),
        ("blue", "1b2333 1a1f2e", (1.0,)),
        ("green", "8b864e 7d7046 6b6a45 787147 4b5320 556b2f 013220", (0.8, 1.0)),  # khaki, olive and dark green
        ("beige", "c3b091 e6dcc3 f5f5dc", (0.8, 1.0)),
        ("yellow", "ffffe0 fffacd fff8b0 faf3a8 fdf5b5 f6efb9 f8f0a0 efe6a0 f7eea0", (0.8, 1.0)),
        ("red", "8b0000 5c0a12 4a0e14 6b1a1f 53191c 58111a 5e2426 722f37 5a1f20 4e2022", (0.6, 0.8, 1.0)),
        ("brown", "5a3d2b 6d4b33 7b5a44", (0.8, 1.0)),
        ("black", "151518 1c1c20 202022 1a1c22 1f1d1c", (0.6, 0.8, 1.0)),
    ],
)
def test_light_and_dark_shades_keep_their_names_in_the_shade(name, codes, lights):
    for code in codes.split():
        for light in lights:
            rgb = np.round(np.array(list(bytes.fromhex(code))) * light).astype(np.uint8)
            assert colour_name(srgb_to_lab(rgb)) == name, (code, light)


@settings(max_examples=200, deadline=None)
@given(st.floats(0, 100), st.floats(-128, 128), st.floats(-128, 128))
def test_every_colour_has_a_name(lightness, a, b):
    assert colour_name((lightness, a, b)) in COLOUR_NAMES


def test_many_colours_are_named_as_each_by_itself() -> None:
    lab = np.random.default_rng(0).uniform([0, -60, -60], [100, 60, 60], (3000, 3))
    names = colour_names(lab)
    assert names.shape == (3000,)
    assert set(names.tolist()) == set(COLOUR_NAMES)
    assert names.tolist() == [colour_name(one) for one in lab]
