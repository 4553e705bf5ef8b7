"""Figures of what is served: distribution of IoU, skin and hair changed, merges, splits, groups."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fittingroom import masks
from fittingroom.garment import Garment
from fittingroom.images import RGB
from fittingroom.segmentation.compare import ENLARGED, Compared, View, compare_photos, upper_garment
from fittingroom.segmentation.dataset import LabelledPhoto, read_split
from fittingroom.segmentation.evaluate import evaluate_segmenter
from fittingroom.segmentation.parts import SKIN
from fittingroom.segmentation.predict import Segmenter
from fittingroom.segmentation.served import served_figures, worst_groups
from fittingroom.segmentation.settings import SegmenterSettings

PHOTO = LabelledPhoto(1, Path("a.jpg"), 10, 10, ())


def compared(found: list[masks.Mask], there: list[masks.Mask], **changes: Any) -> Compared:
    """Everything surely found; long sleeve top, trousers, ... as labelled."""
    values: dict[str, Any] = {
        "photo": PHOTO,
        "scores": np.full(len(found), 0.9),
        "found_categories": np.full(len(found), 2),
        "found_areas": np.array([masks.area(mask) for mask in found]),
        "categories": np.array([2, 8, 9][: len(there)]),
        "areas": np.array([masks.area(mask) for mask in there]),
        "mask_ious": np.array([[masks.iou(a, b) for b in there] for a in found]).reshape(len(found), len(there)),
        "box_ious": np.zeros((len(found), len(there))),
        "fields": [{} for _ in there],
        "covered": {},
        "body_in_box": np.full(len(there), np.nan),
    }
    return Compared(**(values | changes))


def box(x1: int, y1: int, x2: int, y2: int) -> masks.Mask:
    mask = np.zeros((10, 10), bool)
    mask[y1:y2, x1:x2] = True
    return mask


TOP, TROUSERS = box(0, 0, 10, 4), box(0, 4, 10, 10)


def test_the_distribution_of_iou() -> None:
    pictures = [
        compared([TROUSERS, TOP], [TOP, TROUSERS]),
        compared([box(0, 4, 10, 9)], [TOP, TROUSERS]),  # 50 of 60
        compared([box(0, 4, 10, 8)], [TOP, TROUSERS]),  # 40 of 60
        compared([], [TOP, TROUSERS]),
    ]
    figures = served_figures(pictures, 0.5)
    assert figures.pictures == 4
    assert figures.iou == pytest.approx((1 + 5 / 6 + 4 / 6 + 0) / 4)
    assert (figures.good, figures.poor) == (0.25, 0.5)
    assert figures.skin_changed is None
    assert set(figures.to_row()) == {"pictures", "iou", "good", "poor", "merged", "split"}
    assert served_figures(pictures, 0.95).iou == 0
    assert served_figures(pictures, 0.5, upper=True).iou == 0.25


def test_skin_and_hair_are_those_under_the_mask_that_would_be_painted() -> None:
    shares = {"skin": np.array([0.1, 0.6]), "hair": np.array([0.0, 0.3])}
    both = compared([TROUSERS, TOP], [TOP, TROUSERS], covered=shares)
    assert served_figures([both], 0.5).skin_changed == pytest.approx(0.1)
    assert served_figures([both], 0.5, upper=True).skin_changed == pytest.approx(0.6)
    assert served_figures([both], 0.5, upper=True).hair_changed == pytest.approx(0.3)
    nothing = compared([], [TOP], covered={"skin": np.zeros(0)})
    assert served_figures([both, nothing], 0.5).skin_changed == pytest.approx(0.05)
    assert served_figures([both, nothing], 0.5).hair_changed == pytest.approx(0.0)
    beside = compared([box(0, 4, 10, 7), box(0, 4, 10, 10)], [TOP], covered={"skin": np.array([0.2, 0.7])})
    assert served_figures([beside], 0.5).skin_changed == pytest.approx(0.7)  # the largest, where none fits


def test_merges_and_splits_are_counted() -> None:
    merged = compared([box(0, 0, 10, 10)], [TOP, TROUSERS])
    assert (served_figures([merged], 0.5).merged, served_figures([merged], 0.5).split) == (1, 0)
    split = compared([box(0, 4, 5, 10), box(5, 4, 10, 10), TOP], [TOP, TROUSERS])
    assert (served_figures([split], 0.5).merged, served_figures([split], 0.5).split) == (0, 1)
    right = compared([TOP, TROUSERS], [TOP, TROUSERS])
    assert (served_figures([right], 0.5).merged, served_figures([right], 0.5).split) == (0, 0)
    assert served_figures([merged, split, right], 0.95).merged == 0


def test_the_worst_group_comes_first() -> None:
    heavy, slight = {"occlusion": 3, "viewpoint": 2}, {"occlusion": 1, "viewpoint": 2}
    good = [compared([TOP], [TOP], fields=[slight], body_in_box=np.array([0.01]))] * 5
    poor = [compared([box(0, 0, 10, 2)], [TOP], fields=[heavy], body_in_box=np.array([0.3]))] * 6
    groups = worst_groups(good + poor, [poor[0]] * 4, 0.5)
    by_name = {(group.field, group.degree): group for group in groups}
    assert by_name["occlusion", "heavy"].iou == pytest.approx(0.5)
    assert by_name["occlusion", "heavy"].garments == 10
    assert by_name["occlusion", "heavy"].poor == 1
    assert by_name["occlusion", "slight"].iou == 1
    assert by_name["skin and hair in its box", "much"].garments == 10
    assert by_name["view", "whole photo"].garments == 11
    assert ("view", "close-up") not in by_name  # four are too few to tell
    assert groups[0].iou <= groups[-1].iou
    assert by_name["viewpoint", "frontal"].garments == 15


def test_a_close_up_holds_the_upper_garment_enlarged(tiny_dataset: Path) -> None:
    photo = read_split(tiny_dataset, "validation")[0]
    assert upper_garment(photo) is not None
    near, whole = View.close_up(photo), View.whole(photo)
    assert near is not None
    number = near.categories.index(1)
    before = masks.area(whole.garments[whole.categories.index(1)])
    assert masks.area(near.garments[number]) == pytest.approx(ENLARGED**2 * before, rel=0.08)
    inside = near.image[near.garments[number]].astype(int)
    assert (np.abs(inside - (200, 30, 30)).max(axis=1) < 40).mean() > 0.95
    assert View.close_up(LabelledPhoto(2, photo.path, photo.height, photo.width, photo.garments[1:])) is None


class Everything:
    """Finds one garment that covers the whole picture."""

    def __init__(self, settings: SegmenterSettings) -> None:
        self.settings, self.device = settings, torch.device("cpu")

    def detect(self, images: list[RGB]) -> list[None]:
        return [None for _ in images]

    def garments(self, _: None, image: RGB, __: float) -> list[Garment]:
        return [Garment(1, 0.9, np.ones(image.shape[:2], bool))]


def test_a_report_has_close_ups_and_what_of_skin_is_changed(
    tiny_dataset: Path, tiny_settings: SegmenterSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = read_split(tiny_dataset, "validation")
    (tiny_dataset / "parts").mkdir()
    values = np.zeros((photos[0].height, photos[0].width), np.uint8)
    values[:20, :20] = SKIN
    Image.fromarray(values).save(tiny_dataset / "parts" / photos[0].path.name)
    monkeypatch.setattr(Segmenter, "load", lambda *_: Everything(tiny_settings))
    report = evaluate_segmenter(tiny_dataset / "weights", tiny_dataset, device="cpu", close_ups=True)
    assert report.whole.pictures == 2
    assert report.close_ups is not None
    assert report.close_ups.pictures == 2
    assert report.whole.skin_changed == 1
    assert report.whole.hair_changed is None
    assert report.close_ups.iou > report.whole.iou  # the garment fills more of it
    assert report.whole.merged == 2
    assert report.served_rows()["iou"] == {"whole photos": report.whole.iou, "close-ups": report.close_ups.iou}
    assert report.served_rows()["skin changed"]["whole photos"] == 1
    assert "hair changed" not in report.served_rows()
    json.dumps(report.to_json(), allow_nan=False)
    assert evaluate_segmenter(tiny_dataset / "weights", tiny_dataset, device="cpu").close_ups is None
    seen: list[tuple[int, int]] = []
    list(compare_photos(Everything(tiny_settings), photos, lambda *at: seen.append(at), View.close_up))  # type: ignore[arg-type]
    assert seen == [(1, 2), (2, 2)]
