"""Which pictures are worth learning from: whole garments, and of a style those of one colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fittingroom.errors import InputError
from fittingroom.images import write_png
from fittingroom.translation.data_filter import (
    Picture,
    choose_garments,
    of_one_colour,
    read_whole_garments,
    rejection_reason,
)
from fittingroom.translation.settings import StyleSettings
from tests.translation.style_builders import REDS, garment, write_garments


def test_slivers_and_torn_masks_are_named_and_left_out(tmp_path: Path) -> None:
    paths = write_garments(tmp_path, 5, REDS)
    paths[0].write_bytes(b"not a picture")
    for path, mask in ((paths[1], np.zeros((64, 64), bool)), (paths[2], _sliver()), (paths[3], _torn())):
        write_png(path, np.dstack([np.full((64, 64, 3), 90, np.uint8), mask.astype(np.uint8) * 255]))
    pictures, left_out = read_whole_garments(paths, 64, 0.1, 0.5)
    assert [picture.path for picture in pictures] == paths[4:]
    assert len(left_out) == 4
    assert [path for path, _ in left_out] == paths[:4]
    assert left_out[2][1] == "covers 3.1% of the picture, expected 10.0% or more"
    assert "solidity 0.3" in left_out[3][1]


def test_an_empty_mask_is_never_worth_learning_from() -> None:
    assert rejection_reason(np.zeros((8, 8), bool), 0.0, 0.0) is not None
    assert rejection_reason(np.ones((8, 8), bool), 1.0, 0.9) is None


def test_few_pictures_are_counted_after_leaving_out_and_without_twins(tmp_path: Path) -> None:
    source, target = write_garments(tmp_path / "source", 4, REDS), write_garments(tmp_path / "target", 4, REDS)
    settings = StyleSettings(image_size=64, min_pictures=4)
    assert len(choose_garments(source, target, [], settings).target) == 4
    for path in target[1:]:
        path.write_bytes(b"not a picture")
    with pytest.raises(InputError, match=r"target: expected at least 4 pictures .*3 left out, first: .*, got 1$"):
        choose_garments(source, target, [], settings)
    twins = [target[0].with_name(f"{target[0].stem}_flip.png"), target[0]]
    twins[0].write_bytes(target[0].read_bytes())
    with pytest.raises(InputError, match=r"target: .* got 1$"):
        choose_garments(source, twins * 4, [], settings)
    with pytest.raises(InputError, match=r"^source: .* got 3"):
        choose_garments(source[:2], source, source[2:3], settings)


def _sliver() -> np.ndarray:
    mask = np.zeros((64, 64), bool)
    mask[:, 30:32] = True
    return mask


def _torn() -> np.ndarray:
    mask = np.zeros((64, 64), bool)
    mask[::16, :] = mask[1::16, :] = mask[2::16, :] = mask[3::16, :] = mask[4::16, :] = True
    mask[:, 20:] &= mask[:, :44] & (np.arange(44) % 4 != 0)
    return mask


def pictures_of(colours: list[tuple[int, int, int]], twins: bool = False) -> list[Picture]:
    found = []
    for number, colour in enumerate(colours):
        image, mask = garment(number, colour)
        found.append(Picture(Path(f"{number}.png"), image, mask))
        if twins:
            found.append(Picture(Path(f"{number}_flip.png"), image[:, ::-1].copy(), mask[:, ::-1].copy()))
    return found


def test_red_is_kept_and_pink_left_out_with_its_twin() -> None:
    pictures = pictures_of([(180, 20, 30), (235, 150, 170), (170, 30, 30), (190, 25, 40)], twins=True)
    kept, left_out = of_one_colour(pictures, spread=18.0)
    assert [picture.path.name for picture in kept] == [
        "0.png",
        "0_flip.png",
        "2.png",
        "2_flip.png",
        "3.png",
        "3_flip.png",
    ]
    assert len(left_out) == 2
    assert "CIEDE2000" in left_out[0][1]


def test_at_least_so_many_stay_the_nearest_ones() -> None:
    pictures = pictures_of([(180, 20, 30), (235, 150, 170), (30, 60, 200), (185, 22, 32)])
    kept, _ = of_one_colour(pictures, spread=1.0, at_least=3)
    assert [picture.path.name for picture in kept] == ["0.png", "1.png", "3.png"]


def test_every_picture_stays_where_colours_agree() -> None:
    pictures = pictures_of([(180, 20, 30)] * 3)
    assert of_one_colour(pictures, spread=18.0) == (pictures, [])


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_the_choice_does_not_hang_on_the_order(order: slice) -> None:
    pictures = pictures_of([(180, 20, 30), (235, 150, 170), (170, 30, 30), (190, 25, 40), (236, 152, 172)])[order]
    kept, _ = of_one_colour(pictures, spread=15.0)
    assert {picture.path.name for picture in kept} == {"0.png", "2.png", "3.png"}
