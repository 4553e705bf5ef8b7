"""Every category can be cut for every body, with its landmarks where they belong; the canvas knows whose a pixel is."""

from __future__ import annotations

import numpy as np
import pytest

from fittingroom.categories import LANDMARK_COUNTS
from fittingroom.masks import from_polygons, iou
from fittingroom.sample.body import random_build, random_pose
from fittingroom.sample.canvas import Canvas, Light, Surface
from fittingroom.sample.garments import cut
from fittingroom.sample.shapes import ellipse


@pytest.mark.parametrize("category", range(1, 14))
def test_landmarks_count_and_lie_on_the_garment(category: int) -> None:
    for seed in range(12):
        rng = np.random.default_rng([category, seed])
        shape = cut(category, random_build(rng), random_pose(rng), rng)
        assert shape.landmarks.shape == (LANDMARK_COUNTS[category], 2)
        scale, shift = 60.0, np.array([200.0, 100.0])
        polygons = [(part.outline * scale + shift).reshape(-1).tolist() for part in shape.parts]
        mask = from_polygons(polygons, 620, 400)
        assert mask.sum() > 1500
        rows, columns = np.nonzero(mask)
        # The first landmark of tops and dresses is the back of the neck, behind the wearer.
        for x, y in shape.landmarks[0 if category in (7, 8, 9) else 1 :] * scale + shift:
            nearest = np.hypot(columns - x, rows - y).min()
            assert nearest < 0.2 * scale, f"category {category}, seed {seed}: a landmark {nearest:.0f} px off"


@pytest.mark.parametrize("category", [7, 8, 9])
def test_trousers_and_skirts_begin_with_the_waist(category: int) -> None:
    rng = np.random.default_rng(3)
    marks = cut(category, random_build(rng), random_pose(rng), rng).landmarks
    left, middle, right = marks[:3]
    assert left[0] < middle[0] < right[0]
    assert marks[:, 1].min() == pytest.approx(min(left[1], right[1]))


def test_canvas_owner_is_the_last_layer_that_covers_half_a_pixel() -> None:
    canvas = Canvas(np.zeros((80, 100, 3), np.float32), Light())
    below, above = ellipse((40.0, 40.0), (25.0, 25.0)), ellipse((60.0, 40.0), (20.0, 20.0))
    canvas.paint(below, Surface((0.5, 0.1, 0.1)), owner=1)
    canvas.paint(above, Surface((0.1, 0.1, 0.5)), owner=2)
    one, two = (from_polygons([shape.reshape(-1).tolist()], 80, 100) for shape in (below, above))
    assert iou(canvas.owners == 2, two) > 0.97
    assert iou(canvas.owners == 1, one & ~two) > 0.95
    assert canvas.image[canvas.owners == 0].max() < 0.5  # antialiased edges only


def test_light_from_the_left_makes_the_left_side_brighter() -> None:
    canvas = Canvas(np.zeros((100, 100, 3), np.float32), Light(x=-0.6, y=0.0, z=0.8))
    canvas.paint(ellipse((50.0, 50.0), (40.0, 40.0)), Surface((0.5, 0.5, 0.5), round_px=25))
    assert canvas.image[50, 18].mean() > canvas.image[50, 82].mean() + 0.1


def test_a_layer_off_the_picture_changes_nothing() -> None:
    canvas = Canvas(np.full((50, 50, 3), 0.3, np.float32), Light())
    canvas.paint(ellipse((-300.0, 20.0), (10.0, 10.0)), Surface((1.0, 1.0, 1.0)), owner=1)
    canvas.paint(ellipse((25.0, 900.0), (10.0, 10.0)), Surface((1.0, 1.0, 1.0)), owner=1)
    assert not canvas.owners.any()
    assert np.allclose(canvas.image, 0.3)
