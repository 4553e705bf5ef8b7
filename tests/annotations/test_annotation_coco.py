"""COCO output as other tools see it, and COCO input as other tools write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from torchvision.datasets import CocoDetection, wrap_dataset_for_transforms_v2

from fittingroom.annotations import convert, garment_masks, identity, rle, sources
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.formats import Source, coco
from fittingroom.annotations.geometry import mask_area
from fittingroom.annotations.model import AnnotatedImage
from fittingroom.annotations.writer import document
from fittingroom.categories import LANDMARK_COUNTS

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools on NumPy 2


def read(value: dict[str, Any]) -> tuple[list[AnnotatedImage], Findings]:
    findings = Findings()
    return list(coco.read(Source(Path("c.json"), "coco", document=value), findings)), findings


def foreign(annotations: list[dict[str, Any]], categories: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    named = [{"id": 1, "name": "short sleeve top"}] if categories is None else categories
    image = {"id": 40, "file_name": "a.jpg", "width": 20, "height": 10}
    return {"images": [image], "annotations": annotations, "categories": named}


def test_reference_tools_load_it_and_agree_on_every_mask(small_set: Path, tmp_path: Path) -> None:
    target = convert(small_set, tmp_path / "instances.json", "coco").target
    loaded = COCO(target)
    assert sorted(loaded.imgs) == [1, 2, 3]
    assert sorted(loaded.anns) == [1001, 1003, 2001, 2003, 3001, 3003]
    for annotation in loaded.anns.values():
        mask = loaded.annToMask(annotation)
        assert annotation["area"] == mask.sum()
    top = loaded.anns[1001]
    assert top["area"] == pytest.approx(20 * 30 + 14.5 * 27.75, rel=0.05)  # the box has 1,200
    assert top["bbox"] == [10, 10, 40, 30]
    assert len(loaded.cats[1]["keypoints"]) == LANDMARK_COUNTS[1] == len(top["keypoints"]) // 3
    assert top["num_keypoints"] == sum(1 for index in range(25) if index % 3)
    assert (top["scale"], top["viewpoint"], loaded.imgs[1]["pair_id"]) == (2, 2, 1)

    pictures = wrap_dataset_for_transforms_v2(
        CocoDetection(str(small_set / "image"), str(target)), target_keys=("boxes", "labels", "masks")
    )
    _, labels = pictures[0]
    assert labels["masks"].shape == (2, 80, 60)
    assert labels["boxes"].tolist() == [[10, 10, 50, 40], [12, 45, 48, 75]]


def test_a_garment_without_polygons_breaks_no_tool(build_set: Any, new_picture: Any, tmp_path: Path) -> None:
    value = new_picture(1)
    value["item1"]["segmentation"] = []
    target = convert(build_set({"000001": value}), tmp_path / "c.json", "coco").target
    loaded = COCO(target)
    assert loaded.annToMask(loaded.anns[1001]).sum() == 0
    assert loaded.anns[1001]["area"] == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.floats(-30, 90), st.floats(-30, 90)), min_size=3, max_size=8), min_size=1, max_size=4
    )
)
def test_area_is_the_union_s_as_the_reference_counts_it(shapes: list[list[tuple[float, float]]]) -> None:
    polygons = [tuple(value for point in shape for value in point) for shape in shapes]
    runs = coco_mask.frPyObjects([list(polygon) for polygon in polygons], 50, 60)
    assert mask_area(polygons, 60, 50) == int(np.any([coco_mask.decode(run) for run in runs], axis=0).sum())


def test_absurd_coordinates_cost_neither_time_nor_memory() -> None:
    assert mask_area([(0, 0, 1e12, 0, 1e12, 1e12, 0, 1e12)], 60, 50) == 60 * 50
    assert mask_area([(0, 0, 1e14, 0, 1e14, 1e14)], 0, 0) >= 0


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=30)))
def test_run_length_masks_are_read_as_the_reference_reads_them(mask: np.ndarray) -> None:
    packed = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    size = list(mask.shape)
    assert (rle.decode({"size": size, "counts": packed["counts"].decode()}) == mask).all()
    flat = mask.flatten(order="F").astype(int)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [1 - flat[-1]]])))
    counts = np.diff(np.concatenate([[0], edges])).tolist()
    assert (rle.decode({"size": size, "counts": counts}) == mask).all()


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"size": [2, 2], "counts": [5]},
        {"size": [2, 2], "counts": [-1, 5]},
        {"size": [2, -2], "counts": [4]},
        {"size": [10**6, 10**6], "counts": [10**12]},
        {"size": [2, 2], "counts": "\u20ac"},
        {"size": [2, 2], "counts": "oooooooooooooooooo"},
        {"size": [2, 2], "counts": [True, 3]},
        {"size": "ab", "counts": None},
    ],
)
def test_hostile_run_length_masks_are_refused(value: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"size|counts"):
        rle.decode(value)


def test_a_crowd_mask_comes_in_as_polygons_and_goes_out_as_it_was() -> None:
    crowd = {"size": [10, 20], "counts": [44, 4, 6, 4, 142]}
    row = {
        "id": 5,
        "image_id": 40,
        "category_id": 1,
        "iscrowd": 1,
        "segmentation": crowd,
        "bbox": [4, 4, 2, 4],
        "area": 8,
    }
    images, findings = read(foreign([row]))
    assert findings.counts["rle_segmentation"] == 1
    (garment,) = garment_masks(images[0])
    assert garment.area > 0
    (out,) = json.loads(document("coco", images))["annotations"]
    assert (out["iscrowd"], out["segmentation"], out["area"]) == (1, crowd, 8)


def test_ids_of_a_foreign_category_list_go_by_name() -> None:
    shape = [[1, 1, 9, 1, 9, 9]]
    rows = [{"id": n, "image_id": 40, "category_id": n, "segmentation": shape, "bbox": [1, 1, 8, 8]} for n in (1, 2, 3)]
    categories = [
        {"id": 1, "name": "vest_dress"},
        {"id": 2, "name": "short_sleeved_shirt"},
        {"id": 3, "name": "person"},
    ]
    images, findings = read(foreign(rows, categories))
    assert [(g.item, g.category_id) for g in images[0].garments] == [("item1", 12), ("item2", 1)]
    assert findings.counts["unknown_category"] == 1
    assert images[0].garments[0].box_xyxy == (1, 1, 9, 9)


def test_everything_left_out_of_a_document_is_said() -> None:
    good = {"id": 1, "image_id": 40, "category_id": 1, "segmentation": [[1, 1, 9, 1, 9, 9]]}
    value = foreign([good, {**good, "image_id": 99}, "x", {**good, "id": 3, "image_id": None}])  # type: ignore[list-item]
    value["images"] += [{"id": 40, "file_name": "b.jpg"}, {"id": 41, "file_name": "../../etc/passwd"}, 7]
    value["info"] = {"year": 2019}
    images, findings = read(value)
    assert [image.file_name for image in images] == ["a.jpg"]
    expected = {"orphan_annotation": 2, "duplicate_id": 2, "unsafe_name": 1, "bad_field": 2, "document_field": 1}
    assert {kind: findings.counts[kind] for kind in expected} == expected


@given(
    st.lists(st.from_regex(r"item[0-9]{1,4}|[a-z]{0,3}", fullmatch=True), unique=True, max_size=40),
    st.integers(0, 10**6),
)
def test_garment_ids_never_meet(items: list[str], image: int) -> None:
    ids = identity.garment_ids(image, items)
    assert len(set(ids)) == len(items)
    assert all(image * 1000 < number < (image + 1) * 1000 for number in ids)


def test_more_garments_than_numbers_still_have_ids_of_their_own() -> None:
    ids = identity.garment_ids(7, [f"item{n}" for n in range(1500)]) + identity.garment_ids(8, ["item1"])
    assert len(set(ids)) == 1501


def test_two_names_of_one_number_get_two_ids(small_set: Path, tmp_path: Path) -> None:
    for folder, suffix in (("annos", "json"), ("image", "jpg")):
        original = small_set / folder / f"000002.{suffix}"
        (small_set / folder / f"2.{suffix}").write_bytes(original.read_bytes())
    target = convert(small_set, tmp_path / "c.json", "coco").target
    ids = {row["file_name"]: row["id"] for row in json.loads(target.read_text())["images"]}
    assert ids["000002.jpg"] == 2
    assert ids["2.jpg"] == identity.hashed_id("2.jpg")
    assert len(COCO(target).anns) == 8
    assert sources.open_source(target, Findings()).format == "coco"


@pytest.mark.parametrize("rows", [{}, {"annotations": None}, {"annotations": []}])
def test_pictures_without_any_annotation_are_pictures_without_garments(rows: dict[str, Any]) -> None:
    value = {"images": [{"id": 1, "file_name": "a.jpg", "width": 4, "height": 3}], "categories": [], **rows}
    assert coco.sniff(value) is value
    found, findings = read(value)
    assert [(image.file_name, len(image.garments)) for image in found] == [("a.jpg", 0)]
    assert findings.counts["no_garments"] == 1


@pytest.mark.parametrize("value", [[], {"images": []}, {"images": "a", "annotations": []}, {"categories": []}])
def test_what_is_no_coco(value: object) -> None:
    assert coco.sniff(value) is None
