"""Figures of a report, against finders whose figures are known beforehand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from fittingroom import masks
from fittingroom.errors import NothingProduced
from fittingroom.garment import Garment
from fittingroom.images import RGB, read_rgb
from fittingroom.segmentation.dataset import LabelledPhoto, read_split
from fittingroom.segmentation.evaluate import SegmenterReport, evaluate_segmenter
from fittingroom.segmentation.predict import Segmenter
from fittingroom.segmentation.settings import SegmenterSettings


class Knowing:
    """Finds what is labelled, as changed by the test."""

    def __init__(self, photos: Sequence[LabelledPhoto], settings: SegmenterSettings, device: torch.device) -> None:
        self.settings, self.device = settings, device
        self.by_bytes = {read_rgb(photo.path).tobytes(): photo for photo in photos}
        self.category_of: dict[int, int] = {}
        self.score_of: dict[int, float] = {}
        self.left_out: set[int] = set()
        self.halved: set[int] = set()

    def find(self, image: RGB, score_threshold: float | None = None) -> list[Garment]:
        return self.garments(self.detect([image])[0], image, score_threshold)

    def detect(self, images: Sequence[RGB]) -> list[LabelledPhoto]:
        return [self.by_bytes[image.tobytes()] for image in images]

    def garments(self, photo: LabelledPhoto, image: RGB, score_threshold: float | None = None) -> list[Garment]:  # noqa: ARG002
        found = []
        for garment in photo.garments:
            if garment.category_id in self.left_out:
                continue
            mask = masks.from_polygons(garment.polygons, photo.height, photo.width)
            if garment.category_id in self.halved:
                box = masks.bounding_box(mask)
                assert box is not None
                mask[(box.y1 + box.y2) // 2 :] = False
            category = self.category_of.get(garment.category_id, garment.category_id)
            found.append(Garment(category, self.score_of.get(garment.category_id, 0.9), mask))
        return found


@pytest.fixture(params=["cpu", "cuda"])
def knowing(
    request: pytest.FixtureRequest,
    tiny_dataset: Path,
    tiny_settings: SegmenterSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> Knowing:
    """On either device: in turn, and next to the network (it only says that it is on a GPU)."""
    finder = Knowing(read_split(tiny_dataset, "validation"), tiny_settings, torch.device(request.param))
    monkeypatch.setattr(Segmenter, "load", lambda *_: finder)
    return finder


def evaluated(dataset: Path) -> SegmenterReport:
    return evaluate_segmenter(dataset / "weights", dataset, device="cpu")


def test_one_who_knows_all_is_perfect(tiny_dataset: Path, knowing: Knowing) -> None:
    assert knowing
    report = evaluated(tiny_dataset)
    assert (report.photos, report.garments) == (2, 4)
    for figures in (report.mask, report.box, report.mask_any_category, report.box_any_category):
        assert (figures.ap, figures.ap50, figures.ap75) == pytest.approx((1, 1, 1))
    assert report.largest_garment_iou == 1
    assert report.photos_without_garment == 0
    assert report.categories == {
        "short sleeve top": {
            "garments": 2.0,
            "ap": pytest.approx(1),
            "ap50": pytest.approx(1),
            "ap75": pytest.approx(1),
        },
        "trousers": {"garments": 2.0, "ap": pytest.approx(1), "ap50": pytest.approx(1), "ap75": pytest.approx(1)},
    }
    json.dumps(report.to_json(), allow_nan=False)
    assert report.metrics()["mask_ap50"] == pytest.approx(1)


def test_a_wrong_category_costs_only_where_categories_count(tiny_dataset: Path, knowing: Knowing) -> None:
    knowing.category_of = {8: 7}
    report = evaluated(tiny_dataset)
    assert report.mask.ap50 == pytest.approx(0.5)
    assert report.mask_any_category.ap50 == pytest.approx(1)
    assert report.categories["trousers"]["ap50"] == 0


def test_a_garment_not_found_costs_recall(tiny_dataset: Path, knowing: Knowing) -> None:
    knowing.left_out = {8}
    report = evaluated(tiny_dataset)
    assert report.mask_any_category.ap50 == pytest.approx(51 / 101)  # full precision up to a recall of one half
    knowing.left_out = {1, 8}
    nothing = evaluated(tiny_dataset)
    assert nothing.mask.ap == nothing.box_any_category.ap == 0
    assert nothing.photos_without_garment == 2
    assert nothing.largest_garment_iou == 0


def test_an_unsure_garment_counts_for_ap_and_is_not_served(tiny_dataset: Path, knowing: Knowing) -> None:
    knowing.score_of = {1: 0.3, 8: 0.3}
    report = evaluated(tiny_dataset)
    assert report.mask_any_category.ap == pytest.approx(1)
    assert report.largest_garment_iou == 0
    assert report.photos_without_garment == 2


def test_the_worst_photos_come_first(tiny_dataset: Path, knowing: Knowing) -> None:
    first = read_split(tiny_dataset, "validation")[0]
    knowing.halved = {1}
    plain = knowing.garments

    def garments(photo: LabelledPhoto, image: RGB, score_threshold: float | None = None) -> list[Garment]:
        knowing.halved = {1, 8} if photo.path == first.path else set()
        return plain(photo, image, score_threshold)

    knowing.garments = garments  # type: ignore[method-assign]
    report = evaluated(tiny_dataset)
    assert report.worst[0][0] == first.path.name
    assert report.worst[0][1] == pytest.approx(0.5, abs=0.05)
    assert report.worst[1][1] == 1
    assert report.mask_any_category.ap75 < report.mask_any_category.ap50 or report.worst[0][1] < 0.5


def test_the_difficulty_table_asks_for_one_degree_at_a_time(tiny_dataset: Path, knowing: Knowing) -> None:
    coco = json.loads((tiny_dataset / "validation.json").read_text())
    for annotation in coco["annotations"]:
        annotation["occlusion"] = 1 if annotation["category_id"] == 1 else 3
        annotation["scale"] = 2
    (tiny_dataset / "validation.json").write_text(json.dumps(coco))
    knowing.left_out = {8}
    difficulty = evaluated(tiny_dataset).difficulty
    slight, heavy = difficulty["occlusion"]["slight"], difficulty["occlusion"]["heavy"]
    assert slight == {"garments": 2.0, "ap": pytest.approx(1), "ap50": pytest.approx(1), "ap75": pytest.approx(1)}
    assert heavy == {"garments": 2.0, "ap": 0.0, "ap50": 0.0, "ap75": 0.0}
    assert difficulty["scale"]["moderate"]["ap50"] == pytest.approx(51 / 101)
    assert set(difficulty["scale"]) == {"moderate"}
    assert set(difficulty["viewpoint"]) == {"frontal"}


def test_a_garment_of_another_degree_is_no_false_find(tiny_dataset: Path, knowing: Knowing) -> None:
    """Both garments are found, the other one more surely: it must not count against the one asked for."""
    coco = json.loads((tiny_dataset / "validation.json").read_text())
    for annotation in coco["annotations"]:
        annotation["occlusion"] = 1 if annotation["category_id"] == 1 else 3
    (tiny_dataset / "validation.json").write_text(json.dumps(coco))
    knowing.score_of = {1: 0.5, 8: 0.95}
    assert evaluated(tiny_dataset).difficulty["occlusion"]["slight"]["ap"] == pytest.approx(1)


def test_labels_without_difficulty_have_no_table(tiny_dataset: Path, knowing: Knowing) -> None:
    assert knowing
    coco = json.loads((tiny_dataset / "validation.json").read_text())
    for annotation in coco["annotations"]:
        for field in ("scale", "occlusion", "zoom_in", "viewpoint"):
            annotation.pop(field)
    (tiny_dataset / "validation.json").write_text(json.dumps(coco))
    assert evaluated(tiny_dataset).difficulty == {}


def test_no_garment_to_evaluate_on(tiny_dataset: Path, knowing: Knowing) -> None:
    assert knowing
    coco = json.loads((tiny_dataset / "validation.json").read_text())
    (tiny_dataset / "validation.json").write_text(json.dumps(coco | {"annotations": []}))
    with pytest.raises(NothingProduced, match="validation"):
        evaluated(tiny_dataset)


def test_masks_are_compared_at_the_photos_own_size(tiny_dataset: Path, knowing: Knowing) -> None:
    photo = read_split(tiny_dataset, "validation")[0]
    found = knowing.find(read_rgb(photo.path))
    assert all(garment.mask.shape == (photo.height, photo.width) for garment in found)
    assert np.count_nonzero(found[0].mask) == found[0].area
