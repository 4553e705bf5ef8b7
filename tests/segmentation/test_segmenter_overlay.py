"""Sheets show the photo outside the masks as it is."""

from __future__ import annotations

import numpy as np

from fittingroom.garment import Garment
from fittingroom.segmentation.overlay import garment_overlay, mask_overlay
from fittingroom.sheets import tiled


def test_only_the_garment_and_its_outline_are_drawn() -> None:
    image = np.full((60, 40, 3), 90, np.uint8)
    mask = np.zeros((60, 40), bool)
    mask[20:40, 10:30] = True
    drawn = mask_overlay(image, [mask])
    assert (drawn[~mask] == 90).all()
    assert (drawn[mask] != 90).any(axis=1).all()
    assert (image == 90).all()
    labelled = garment_overlay(image, [Garment(1, 0.9, mask)])
    assert (labelled != drawn).any()


def test_a_sheet_holds_every_picture() -> None:
    pictures = [np.full((30, 20, 3), value, np.uint8) for value in (10, 20, 30)]
    made = tiled(pictures, columns=2, height=30)
    assert made.shape == (2 * 38 + 8, 2 * 28 + 8, 3)
    assert [int((made[..., 0] == value).sum()) for value in (10, 20, 30)] == [600, 600, 600]
    assert tiled([]).shape[2] == 3
