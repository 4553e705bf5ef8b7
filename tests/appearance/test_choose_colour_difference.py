"""CIEDE2000 against Sharma, Wu and Dalal's published test pairs (their Table 1)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fittingroom.appearance.ciede2000 import ciede2000

PAIRS = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, 3.1571, -77.2803), (50.0, 0.0, -82.7485), 2.8615),
    ((50.0, 2.8361, -74.0200), (50.0, 0.0, -82.7485), 3.4412),
    ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0000),
    ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0011), 7.2195),
    ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
    ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    ((50.0, 2.5, 0.0), (61.0, -5.0, 29.0), 22.8977),
    ((50.0, 2.5, 0.0), (56.0, -27.0, -3.0), 31.9030),
    ((50.0, 2.5, 0.0), (58.0, 24.0, 15.0), 19.4535),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]
LAB = st.tuples(st.floats(0, 100), st.floats(-100, 100), st.floats(-100, 100))


@pytest.mark.parametrize(("first", "second", "expected"), PAIRS)
def test_published_pairs(first: tuple, second: tuple, expected: float) -> None:
    assert ciede2000(first, second) == pytest.approx(expected, abs=5e-5)


def test_arrays_give_what_single_colours_give() -> None:
    first, second = np.array([p[0] for p in PAIRS]), np.array([p[1] for p in PAIRS])
    assert ciede2000(first, second) == pytest.approx([p[2] for p in PAIRS], abs=5e-5)
    assert ciede2000(first, second[0]).shape == (len(PAIRS),)


@given(LAB, LAB)
def test_symmetric_not_negative_and_zero_only_for_itself(first: tuple, second: tuple) -> None:
    assert ciede2000(first, first) == 0
    assert ciede2000(first, second) >= 0
    # Between exactly opposite hues the formula's mean hue jumps (Sharma et al. 2005, section "Mean Hue").
    turn = abs(math.degrees(math.atan2(first[2], first[1]) - math.atan2(second[2], second[1]))) % 360
    assume(abs(turn - 180) > 1e-3)
    assert ciede2000(first, second) == pytest.approx(float(ciede2000(second, first)), abs=1e-6)
