"""Selection: conditions, counts, a split that never parts a pair, and a record that repeats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO

from fittingroom.annotations import SelectionSettings, garment_masks, select, write_dataset
from fittingroom.annotations.select import split_by_pair
from fittingroom.errors import AnnotationError, MissingInputError, SettingError


@given(st.lists(st.integers(1, 6), min_size=2, max_size=60), st.integers(1, 60), st.integers(1, 20), st.integers(0, 5))
def test_no_pair_is_on_both_sides(sizes: list[int], train: int, validation: int, seed: int) -> None:
    by_pair = {f"pair {n}": [f"{n}-{m}.jpg" for m in range(size)] for n, size in enumerate(sizes)}
    settings = SelectionSettings(train=train, validation=validation, seed=seed)
    sides, warnings = split_by_pair(by_pair, settings)
    pairs = [{name.split("-")[0] for name in side} for side in sides]
    assert not pairs[0] & pairs[1]
    assert all(sides)
    assert len(sides[0]) <= train
    assert len(sides[1]) <= validation
    assert len({*sides[0], *sides[1]}) == len(sides[0]) + len(sides[1])
    assert bool(warnings) == ((len(sides[0]), len(sides[1])) != (train, validation))
    assert split_by_pair(dict(reversed(by_pair.items())), settings) == (sides, warnings)


@given(st.integers(2, 400))
def test_too_few_pictures_shrink_both_sides_in_proportion(total: int) -> None:
    by_pair = {f"pair {n}": [f"{n}.jpg"] for n in range(total)}
    (train, validation), warnings = split_by_pair(by_pair, SelectionSettings())
    if total >= 350:
        assert (len(train), len(validation), warnings) == (296, 54, ())
    else:
        assert len(train) + len(validation) == total
        assert abs(len(validation) - total * 54 / 350) <= 1
        assert "asked 296" in warnings[0]


def test_conditions_choose_and_the_reasons_are_counted(build_set: Any, new_picture: Any) -> None:
    pictures = {f"{n:06d}": new_picture(2 * n) for n in range(1, 10)}  # pair ids all differ
    pictures["000009"]["item3"]["segmentation"].append([1, 2, 3])
    pictures["000001"]["item1"]["viewpoint"] = 3
    pictures["000002"]["item3"]["occlusion"] = 3
    pictures["000003"]["source"] = "street"
    del pictures["000004"]["item1"]
    pictures["000005"]["item1"]["segmentation"] = [[1, 1, 4, 1, 4, 4]]
    folder = build_set(pictures)
    settings = SelectionSettings(
        categories=(1,), occlusion=(1,), source=("user", "shop"), minimum_mask_area=100, train=2, validation=1
    )
    selection = select(folder, settings)
    assert selection.left_out == {
        "damaged annotation": 1,
        "categories": 1,
        "minimum_mask_area": 1,
        "source": 1,
        "viewpoint": 1,
    }
    assert selection.matching == 4
    assert {garment.category_id for image in selection.train for garment in image.garments} == {1}
    assert not selection.warnings


def test_the_written_dataset_is_whole_and_repeats(build_set: Any, new_picture: Any, tmp_path: Path) -> None:
    folder = build_set({f"{n:06d}": new_picture(n) for n in range(1, 13)})
    settings = SelectionSettings(train=6, validation=3, seed=4)
    out = write_dataset(select(folder, settings), tmp_path / "a")
    again = write_dataset(select(folder, settings), tmp_path / "b")
    for name in ("selection.json", "train.json", "validation.json", "via/train.json", "via/validation.json"):
        assert (out / name).read_bytes() == (again / name).read_bytes(), name
    record = json.loads((out / "selection.json").read_text())
    assert record["images_dir"] == str(folder / "image")
    assert SelectionSettings(**record["settings"]) == settings
    for side in ("train", "validation"):
        loaded = COCO(out / f"{side}.json")
        names = sorted(row["file_name"] for row in loaded.imgs.values())
        assert names == record[side]
        assert len(names) == getattr(settings, side)
        assert set(names) <= set(record["digests"])
    other = select(folder, SelectionSettings(train=6, validation=3, seed=5))
    assert other.digest != record["digest"]


def test_the_digest_follows_pictures_and_annotations(build_set: Any, new_picture: Any) -> None:
    pictures = {f"{n:06d}": new_picture(2 * n) for n in range(1, 4)}
    settings = SelectionSettings(train=2, validation=1)
    before = select(build_set(pictures), settings).digest
    pictures["000002"]["item3"]["segmentation"][0][0] += 1
    assert select(build_set(pictures), settings).digest != before


def test_ground_truth_masks(small_set: Path) -> None:
    selection = select(small_set, SelectionSettings(train=1, validation=1))
    found = garment_masks(selection.train[0])
    assert [garment.category for garment in found] == ["short sleeve top", "skirt"]
    assert found[0].mask.shape == (80, 60)
    assert found[0].mask[20, 20]
    assert not found[0].mask[60, 20]


def test_nothing_that_matches_names_the_condition(small_set: Path, tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"viewpoint \(1,\) rules out 3 of 3"):
        select(small_set, SelectionSettings(viewpoint=(1,)))
    with pytest.raises(AnnotationError, match="pair_id"):
        split_by_pair({"pair 1": ["a", "b"]}, SelectionSettings())
    with pytest.raises(MissingInputError):
        select(tmp_path / "nowhere", SelectionSettings())


@pytest.mark.parametrize(
    ("field", "value"),
    [("categories", (0,)), ("categories", ()), ("viewpoint", (4,)), ("train", 0), ("validation", -1), ("scale", ())],
)
def test_wrong_settings_name_the_field(field: str, value: Any) -> None:
    with pytest.raises(SettingError, match=f"setting {field}: expected"):
        SelectionSettings(**{field: value})


@pytest.mark.real_data
def test_the_reference_numbers_on_real_photos(real_photos: Path) -> None:
    selection = select(real_photos)
    assert (len(selection.train), len(selection.validation)) == (296, 54)
    assert not {i.pair_id for i in selection.train} & {i.pair_id for i in selection.validation}
