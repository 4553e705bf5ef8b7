"""Splines, limbs and frames against plain arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.sample.shapes import Frame, Limb, along, ellipse, mirrored, spline

number = st.floats(-50, 50)


def test_spline_passes_through_its_knots() -> None:
    knots = [(0.0, 0.0), (1.0, 2.0), (3.0, 1.0), (4.0, 5.0)]
    curve = spline(knots, steps=5)
    for place, knot in enumerate(knots):
        assert curve[place * 5] == pytest.approx(knot)
    assert len(curve) == 16


def test_spline_through_a_straight_line_is_straight() -> None:
    curve = spline([(0.0, 0.0), (1.0, 2.0), (2.0, 4.0), (3.0, 6.0)])
    assert np.allclose(curve[:, 1], 2 * curve[:, 0])


@given(number, number, st.floats(5, 200), st.floats(-1, 1), st.floats(0.5, 1.2))
def test_frame_round_trip(x: float, y: float, unit: float, turn: float, squash: float) -> None:
    frame = Frame.make((12.0, 34.0), unit, turn, squash)
    pixels = frame.to_pixels(np.array([[x, y]]))[0]
    back = frame.to_body(pixels[:1].astype(np.float64), pixels[1:].astype(np.float64))
    assert back[0][0] == pytest.approx(x, abs=2e-3)
    assert back[1][0] == pytest.approx(y, abs=2e-3)
    assert frame.unit == pytest.approx(unit)


def test_limb_is_as_wide_as_asked() -> None:
    limb = Limb.make([(0.0, 0.0), (0.0, 5.0), (0.0, 10.0)], (2.0, 1.0))
    left, right = limb.sides
    widths = np.hypot(*(left - right).T)
    assert widths[0] == pytest.approx(4.0)
    assert widths[-1] == pytest.approx(2.0)
    rounded = limb.outline()
    assert rounded[:, 1].min() < -1.8  # the half-round end reaches almost its radius beyond
    assert limb.outline(round_start=False)[:, 1].min() == pytest.approx(0.0)


def test_along_measures_length_not_points() -> None:
    line = np.array([(0.0, 0.0), (0.1, 0.0), (0.2, 0.0), (10.0, 0.0)])
    assert along(line, 0.5) == pytest.approx((5.0, 0.0))


def test_mirrored_twice_is_itself() -> None:
    points = ellipse((3.0, 1.0), (2.0, 1.0))
    assert np.allclose(mirrored(mirrored(points)), points)
    assert mirrored([(1.0, 2.0), (3.0, 4.0)]).tolist() == [[-3.0, 4.0], [-1.0, 2.0]]
