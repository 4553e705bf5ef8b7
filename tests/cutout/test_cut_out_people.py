"""A figure is no garment, hands across one are seen, and a person's word overrules."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from fittingroom.cutout import CutoutSettings, Refused, cut_out
from fittingroom.cutout.people import covered_share, is_figure, is_worn, skin
from fittingroom.cutout.sheet import cutout_sheet
from fittingroom.garment import Garment
from fittingroom.images import write_png
from fittingroom.manifest import ImageRow

SKIN = (224, 172, 140)


def figure() -> tuple[np.ndarray, np.ndarray]:
    """Somebody in a blue dress before a grey wall: face, arms, legs."""
    image = np.full((600, 320, 3), 200, np.uint8)
    cv2.ellipse(image, (160, 90), (32, 42), 0, 0, 360, SKIN, -1)
    cv2.rectangle(image, (145, 125), (175, 150), SKIN, -1)
    cv2.fillPoly(image, [np.array([[110, 145], [210, 145], [230, 400], [90, 400]], np.int32)], (30, 50, 140))
    for x in (95, 205):
        cv2.rectangle(image, (x, 150), (x + 18, 330), SKIN, -1)
    for x in (125, 170):
        cv2.rectangle(image, (x, 400), (x + 25, 560), SKIN, -1)
    mask = (image != 200).any(axis=2)
    return cv2.GaussianBlur(image, (0, 0), 0.7), mask


def dress() -> tuple[np.ndarray, np.ndarray]:
    image = np.full((600, 400, 3), 200, np.uint8)
    cv2.fillPoly(image, [np.array([[130, 80], [270, 80], [330, 520], [70, 520]], np.int32)], (30, 50, 140))
    return image, (image != 200).any(axis=2)


def test_skin_of_many_shades_is_skin_and_cloth_is_not() -> None:
    shades = [(255, 219, 190), SKIN, (198, 134, 96), (141, 85, 54)]
    assert skin(np.array([shades], np.uint8)).all()
    assert not skin(np.array([[(30, 50, 140), (250, 250, 250), (20, 20, 20), (40, 120, 60)]], np.uint8)).any()


def test_a_figure_is_told_from_a_garment() -> None:
    assert is_figure(*figure())
    assert not is_figure(*dress())


def test_a_figure_is_refused_where_no_finder_tells_them_apart_unless_chosen_by_hand() -> None:
    image, _ = figure()
    with pytest.raises(Refused) as caught:
        cut_out(image)
    assert caught.value.reason == "person"
    assert cut_out(image, CutoutSettings().without_tests()).method == "plain"


class Finder:
    def __init__(self, *garments: Garment) -> None:
        self.garments = garments

    def find(self, _image: np.ndarray, _score: float | None = None) -> list[Garment]:
        return list(self.garments)


def test_the_garment_is_cut_off_a_person_and_a_person_is_refused_where_none_is_wanted() -> None:
    image, person = figure()
    worn = image[..., 2].astype(int) > image[..., 0].astype(int) + 60
    finder = Finder(Garment(10, 0.9, worn))
    assert is_worn(image, person, finder.garments)
    result = cut_out(image, finder=finder)
    assert (result.method, result.category) == ("model", "short sleeve dress")
    assert not skin(result.rgba[..., :3][result.mask][None]).mean() > 0.02
    with pytest.raises(Refused) as caught:
        cut_out(image, CutoutSettings(people="refuse"), finder)
    assert caught.value.reason == "person"


def test_a_garment_found_only_in_part_is_no_person() -> None:
    image, mask = dress()
    half = mask.copy()
    half[300:] = False
    assert not is_worn(image, mask, [Garment(10, 0.9, half)])
    assert not is_worn(image, mask, [])


def test_a_hand_across_the_garment_covers_it() -> None:
    image, mask = dress()
    assert covered_share(image, mask) == 0
    cv2.ellipse(image, (200, 300), (60, 75), 0, 0, 360, SKIN, -1)
    assert covered_share(image, mask) > 0.12
    with pytest.raises(Refused) as caught:
        cut_out(image)
    assert caught.value.reason == "covered"


def test_a_garment_of_skins_colour_is_not_covered_by_itself() -> None:
    image, mask = dress()
    image[mask] = SKIN
    assert covered_share(image, mask) == 0


def test_the_contact_sheet_shows_kept_and_refused(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", dress()[0])
    rows = [
        ImageRow("a.jpg", "kept", path="a.png", source_sha256="0" * 64),
        ImageRow("gone.png", "refused", reason="blurred", source_sha256="1" * 64),
    ]
    sheet = cutout_sheet("red", tmp_path, rows)
    assert sheet.ndim == 3
    assert cutout_sheet("red", tmp_path, rows[:1]).shape[0] < sheet.shape[0]
    assert (sheet == (30, 50, 140)).all(axis=2).sum() > 1000, "the garment is on it"
    assert (sheet == (170, 40, 40)).all(axis=2).sum() > 4 * 132, "the one that is gone has its frame and heading"
    assert cutout_sheet("none", tmp_path, []).size
