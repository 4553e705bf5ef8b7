"""Refining: a coarse mask finds the garment's true edge, and keeps its own where colours cannot help."""

import cv2
import numpy as np
import pytest

from fittingroom import masks
from fittingroom.segmentation.refine import refine_mask


def person(noise: float = 6.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A photo (200, 160, 3) of a blue top over dark trousers, and both masks."""
    rng = np.random.default_rng(3)
    image = np.full((200, 160, 3), (190, 185, 175), np.float64)
    top, trousers = np.zeros((200, 160), np.uint8), np.zeros((200, 160), np.uint8)
    cv2.fillPoly(top, [np.array([[50, 30], [110, 30], [135, 70], [118, 80], [112, 62], [115, 110], [45, 110], [48, 62],
                                 [42, 80], [25, 70]])], 1)  # fmt: skip
    cv2.rectangle(trousers, (46, 111), (114, 190), 1, -1)
    image[top > 0] = (60, 90, 170)
    image[trousers > 0] = (45, 45, 50)
    image += rng.normal(0, noise, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8), top > 0, trousers > 0


def coarse(mask: np.ndarray, cells: int = 10) -> np.ndarray:
    """What a mask head of few cells would say: blurred, and a little off."""
    shifted = np.roll(mask, (3, -4), (0, 1)).astype(np.float32)
    small = cv2.resize(shifted, (cells, cells), interpolation=cv2.INTER_AREA)
    return np.clip(cv2.resize(small, mask.shape[::-1], interpolation=cv2.INTER_CUBIC), 0, 1).astype(np.float32)


def test_a_coarse_mask_finds_the_true_edge() -> None:
    image, top, trousers = person()
    before = masks.iou(coarse(top) >= 0.5, top)
    after = masks.iou(refine_mask(image, coarse(top), [coarse(trousers)]), top)
    assert before < 0.85
    assert after > 0.95


def test_a_print_in_the_colour_of_another_garment_stays_part_of_its_own() -> None:
    image, top, trousers = person()
    image[62:100, 65:100] = image[130:168, 65:100]  # cloth of the trousers on the chest
    unsure = (0.78 * coarse(top)).astype(np.float32)
    refined = refine_mask(image, unsure, [coarse(trousers)])
    assert refined[62:100, 65:100].all()
    assert masks.iou(refined, top) > 0.93


def test_the_result_is_repeatable() -> None:
    image, top, _ = person()
    assert np.array_equal(refine_mask(image, coarse(top)), refine_mask(image, coarse(top)))


def test_without_any_edge_the_network_is_believed() -> None:
    _, top, _ = person()
    grey = np.full((200, 160, 3), 128, np.uint8)
    assert masks.iou(refine_mask(grey, coarse(top)), coarse(top) >= 0.5) >= 0.5


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_an_empty_or_full_map_stays_what_it_is(fill: float) -> None:
    image, _, _ = person()
    full = np.full(image.shape[:2], fill, np.float32)
    assert np.array_equal(refine_mask(image, full), full >= 0.5)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 1)])
def test_tiny_pictures_do_not_break_it(shape: tuple[int, int]) -> None:
    probability = np.zeros(shape, np.float32)
    probability[0, 0] = 1
    refined = refine_mask(np.zeros((*shape, 3), np.uint8), probability)
    assert refined.shape == shape
