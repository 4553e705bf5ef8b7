"""Skin and hair inside garments: believed where their colours are the person's, and not where the cloth's are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fittingroom.segmentation.body import believed

SKIN, DARK_SKIN, HAIR = (205, 160, 135), (95, 62, 48), (48, 38, 34)
ORANGE, CORAL, NAVY = (240, 130, 30), (240, 110, 100), (40, 50, 90)
HEAD, COAT, HAND = np.s_[10:60, 40:80], np.s_[60:180, 20:100], np.s_[120:140, 40:70]


def scene(skin: tuple[int, int, int], cloth: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Somebody before a grey wall, (200, 120, 3): a head, a coat, and a hand on the coat."""
    image = np.full((200, 120, 3), 128, np.uint8)
    image[HEAD], image[COAT], image[HAND] = skin, cloth, skin
    noise = np.random.default_rng(0).integers(-6, 7, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def maps(head: bool = True) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What a network says: head and hand are body, and so is half of the coat; the coat is cloth."""
    body, cloth = np.zeros((200, 120), np.float32), np.zeros((200, 120), np.float32)
    body[HEAD] = 0.95 if head else 0
    cloth[COAT] = 0.9
    body[60:110, 20:100] = 0.9  # a false one
    body[HAND] = 0.9
    return body, cloth


@pytest.mark.parametrize("skin", [SKIN, DARK_SKIN])
@pytest.mark.parametrize("cloth", [ORANGE, CORAL, NAVY])
def test_cloth_of_another_colour_than_the_face_is_no_skin(
    skin: tuple[int, int, int], cloth: tuple[int, int, int]
) -> None:
    body, covered = maps()
    found = believed(scene(skin, cloth), body, covered)
    assert np.median(found[64:106, 24:96]) < 0.1, "the coat"
    assert np.median(found[HAND]) > 0.8, "the hand stays the person's"
    assert (found[HEAD] == body[HEAD]).all(), "nothing changes away from garments"


def test_hair_over_the_shoulder_is_as_dark_as_that_of_the_head() -> None:
    image = scene(SKIN, ORANGE)
    image[10:25, 40:80] = HAIR
    image[62:110, 40:80] = HAIR
    body, covered = maps()
    found = believed(image, body, covered)
    assert np.median(found[66:106, 44:76]) > 0.8
    assert np.median(found[66:106, 24:36]) < 0.1


def test_without_a_face_to_go_by_it_is_the_colours_of_skin_that_are_believed() -> None:
    body, covered = maps(head=False)
    found = believed(scene(SKIN, ORANGE), body, covered)
    assert np.median(found[64:106, 24:96]) < 0.1
    assert np.median(found[HAND]) > 0.8


def test_a_photo_without_doubt_is_left_as_it_is() -> None:
    body, cloth = np.zeros((40, 30), np.float32), np.zeros((40, 30), np.float32)
    body[:10], cloth[20:] = 1, 1
    assert believed(np.full((40, 30, 3), 90, np.uint8), body, cloth) is body
