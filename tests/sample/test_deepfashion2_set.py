"""The rendered set: same bytes for a seed, DeepFashion2's fields, polygons that agree with the pixels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fittingroom.annotations.check import check
from fittingroom.categories import CATEGORY_NAMES, LANDMARK_COUNTS
from fittingroom.errors import SettingError
from fittingroom.images import read_rgb
from fittingroom.masks import from_polygons, iou
from fittingroom.sample.deepfashion2_set import (
    SMALLEST_GARMENT,
    annotation,
    polygons_of,
    render_deepfashion2_set,
    render_numbered,
    viewpoints,
)
from fittingroom.workspace import digest_files

FIELDS = {
    "segmentation", "scale", "viewpoint", "zoom_in", "landmarks", "style", "bounding_box", "category_id", "occlusion",
    "category_name",
}  # fmt: skip


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_deepfashion2_set(tmp_path_factory.mktemp("set"), count=20, seed=5, others=8, workers=2)


def garments(record: dict) -> list[dict]:
    return [value for key, value in record.items() if key.startswith("item")]


def test_same_bytes_whatever_the_workers(rendered: Path, tmp_path: Path) -> None:
    again = render_deepfashion2_set(tmp_path / "again", count=20, seed=5, others=8, workers=1)
    digests = [digest_files([p for p in root.rglob("*") if p.is_file()], root) for root in (rendered, again)]
    assert digests[0] == digests[1]
    other = render_deepfashion2_set(tmp_path / "other", count=2, seed=6, others=0)
    assert (other / "image" / "000001.jpg").read_bytes() != (rendered / "image" / "000001.jpg").read_bytes()


def test_layout_and_every_field(rendered: Path) -> None:
    photos, files = sorted((rendered / "image").iterdir()), sorted((rendered / "annos").iterdir())
    assert [p.name for p in photos] == [f"{n:06d}.jpg" for n in range(1, 29)]
    assert [p.stem for p in files] == [p.stem for p in photos]
    for photo, file in zip(photos, files, strict=True):
        height, width = read_rgb(photo).shape[:2]
        record = json.loads(file.read_text())
        assert record["source"] in ("shop", "user")
        assert record["pair_id"] >= 1
        assert garments(record)
        for garment in garments(record):
            assert set(garment) == FIELDS
            assert garment["category_name"] == CATEGORY_NAMES[garment["category_id"]]
            assert {garment["scale"], garment["occlusion"], garment["zoom_in"], garment["viewpoint"]} <= {1, 2, 3}
            x1, y1, x2, y2 = garment["bounding_box"]
            assert 0 <= x1 < x2 <= width
            assert 0 <= y1 < y2 <= height
            marks = np.array(garment["landmarks"]).reshape(-1, 3)
            assert len(marks) == LANDMARK_COUNTS[garment["category_id"]]
            assert set(np.unique(marks[:, 2])) <= {0, 1, 2}
            assert (marks[marks[:, 2] == 0] == 0).all()
            shown = marks[marks[:, 2] > 0]
            assert ((shown[:, 0] < width) & (shown[:, 1] < height)).all()
            for polygon in garment["segmentation"]:
                assert len(polygon) % 2 == 0
                assert 6 <= len(polygon) <= 400
            points = np.concatenate([np.array(p).reshape(-1, 2) for p in garment["segmentation"]])
            assert (points.min(axis=0) >= (x1, y1)).all()
            assert (points.max(axis=0) <= (x2, y2)).all()


def test_our_own_check_has_nothing_against_it(rendered: Path) -> None:
    findings = check(rendered).findings
    assert (findings.total("error"), findings.total("warning")) == (0, 0), findings.counts


def test_polygons_agree_with_the_rendered_masks() -> None:
    compared = 0
    for number, view in enumerate(viewpoints(24, 6), start=1):
        scene = render_numbered(number, view, 9, 344, 256)
        record = annotation(scene, number, 9)
        truth = [g for g in scene.garments if g.mask.sum() >= SMALLEST_GARMENT]
        for garment, fields in zip(truth, garments(record), strict=False):
            mask = from_polygons(fields["segmentation"], *garment.mask.shape)
            floor = 0.97 if garment.mask.sum() > 1500 else 0.88
            assert iou(mask, garment.mask) > floor, f"picture {number}, {fields['category_name']}"
            compared += 1
    assert compared > 40


def test_masks_never_share_a_pixel() -> None:
    scene = render_numbered(1, 2, 3, 344, 256)
    assert np.sum([garment.mask for garment in scene.garments], axis=0).max() == 1


def test_a_mask_with_a_hole_becomes_polygons_without() -> None:
    mask = np.zeros((100, 100), bool)
    mask[10:90, 10:90] = True
    mask[40:60, 40:60] = False
    mask[20:25, 70:75] = False
    polygons = polygons_of(mask)
    assert len(polygons) >= 2
    assert iou(from_polygons(polygons, 100, 100), mask) > 0.98


def test_viewpoints_are_counted_and_spread() -> None:
    views = viewpoints(350, 30)
    assert views.count(2) == 350
    assert views.count(3) == views.count(1) == 15
    assert max(i for i, view in enumerate(views) if view != 2) > 350
    assert viewpoints(3, 0) == [2, 2, 2]


def test_a_pair_shows_the_same_clothes() -> None:
    first, second = (render_numbered(number, 2, 4, 344, 256) for number in (7, 8))
    # Garments of the person in front come last.
    assert first.garments[-1].category_id == second.garments[-1].category_id
    assert first.garments[-1].fabric == second.garments[-1].fabric
    assert not np.array_equal(first.image[:300, :240], second.image[:300, :240])


def test_the_default_set_is_varied() -> None:
    """Over the first pictures: all kinds of difficulty, gaps in the numbering, garments in several pieces."""
    records = []
    for number, view in enumerate(viewpoints(90, 12), start=1):
        records.append(annotation(render_numbered(number, view, 0, 172, 128), number, 0))
    every = [garment for record in records for garment in garments(record)]
    assert {g["category_id"] for g in every} == set(range(1, 14))
    for name in ("scale", "occlusion", "zoom_in", "viewpoint"):
        assert {g[name] for g in every} == {1, 2, 3}, name
    assert {0, 1, 2} <= {v for g in every for v in g["landmarks"][2::3]}
    assert any(len(g["segmentation"]) > 1 for g in every)
    keys = [[int(k[4:]) for k in record if k.startswith("item")] for record in records]
    assert any(numbers != list(range(1, len(numbers) + 1)) for numbers in keys)


@pytest.mark.parametrize("wrong", [{"count": 0}, {"others": -1}, {"workers": 0}, {"width": 20}])
def test_wrong_settings_are_named(wrong: dict, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        render_deepfashion2_set(tmp_path / "x", **{"count": 1, **wrong})
    assert not (tmp_path / "x").exists()
