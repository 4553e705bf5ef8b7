"""Our few lines of average precision give what pycocotools gives."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fittingroom import masks
from fittingroom.garment import Garment
from fittingroom.segmentation.scores import (
    PhotoMatch,
    average_precisions,
    iou_matrix,
    largest_garment_iou,
    score_photos,
)

SIZE = 24


def random_masks(random: np.random.Generator, count: int) -> list[masks.Mask]:
    drawn = []
    for _ in range(count):
        x, y = random.integers(0, 14, 2)
        w, h = random.integers(4, 10, 2)
        mask = np.zeros((SIZE, SIZE), bool)
        mask[y : y + h, x : x + w] = True
        drawn.append(mask)
    return drawn


def by_pycocotools(
    truth: list[list[masks.Mask]],
    found: list[list[tuple[masks.Mask, float]]],
    ignored: set[int] = frozenset(),  # type: ignore[assignment]
) -> np.ndarray:
    """Precision at each threshold; ``ignored`` are numbers, from 1, of garments in their order."""
    from pycocotools import mask as coder
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def encode(mask: masks.Mask) -> Any:
        return coder.encode(np.asfortranarray(mask.astype(np.uint8)))

    coco = COCO()
    annotations = [
        {"id": 0, "image_id": i + 1, "category_id": 1, "segmentation": encode(m), "area": int(m.sum()), "iscrowd": 0}
        for i, there in enumerate(truth)
        for m in there
    ]
    for number, annotation in enumerate(annotations, 1):
        annotation["id"] = number
    coco.dataset = {
        "images": [{"id": i + 1, "height": SIZE, "width": SIZE} for i in range(len(truth))],
        "annotations": annotations,
        "categories": [{"id": 1}],
    }
    results = [
        {"image_id": i + 1, "category_id": 1, "segmentation": encode(m), "score": score}
        for i, detections in enumerate(found)
        for m, score in detections
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), "segm")
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        prepare = evaluation._prepare

        def prepare_and_ignore() -> None:  # COCOeval itself ignores crowds only
            prepare()
            for group in evaluation._gts.values():
                for annotation in group:
                    annotation["ignore"] = int(annotation["id"] in ignored)

        evaluation._prepare = prepare_and_ignore
        evaluation.evaluate()
        evaluation.accumulate()
    return np.asarray(evaluation.eval["precision"][:, :, 0, 0, -1]).mean(axis=1)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), photos=st.integers(1, 5), some_ignored=st.booleans())
def test_average_precision_is_that_of_pycocotools(seed: int, photos: int, some_ignored: bool) -> None:
    random = np.random.default_rng(seed)
    truth = [random_masks(random, int(random.integers(0, 4))) for _ in range(photos)]
    truth[0] = truth[0] or random_masks(random, 1)
    found = []
    for there in truth:
        shifted = [np.roll(mask, tuple(random.integers(-2, 3, 2)), (0, 1)) for mask in there]
        guesses = [*shifted, *random_masks(random, int(random.integers(0, 3)))]
        found.append([(mask, float(score)) for mask, score in zip(guesses, random.random(len(guesses)), strict=True)])
    if not any(found):
        return
    count = sum(map(len, truth))
    ignored = {n for n in range(2, count + 1) if some_ignored and random.random() < 0.4}  # never all of them
    matches, number = [], 0
    for there, detections in zip(truth, found, strict=True):
        best_first = sorted(detections, key=lambda pair: -pair[1])
        scores = np.array([score for _, score in best_first])
        flags = np.array([number + n in ignored for n in range(1, len(there) + 1)], bool)
        number += len(there)
        matches.append(PhotoMatch(scores, iou_matrix([mask for mask, _ in best_first], there), flags))
    np.testing.assert_allclose(average_precisions(matches), by_pycocotools(truth, found, ignored), atol=1e-9)


def test_iou_matrix_matches_pairs() -> None:
    random = np.random.default_rng(3)
    a, b = random_masks(random, 4), random_masks(random, 3)
    expected = [[masks.iou(x, y) for y in b] for x in a]
    np.testing.assert_allclose(iou_matrix(a, b), expected)
    assert iou_matrix([], b).shape == (0, 3)
    assert iou_matrix(a, []).shape == (4, 0)


def test_nothing_found_and_nothing_there() -> None:
    for photos in (
        [],
        [PhotoMatch(np.zeros(0), np.zeros((0, 2)))],
        [PhotoMatch(np.array([0.9]), np.zeros((1, 0)))],
    ):
        assert (average_precisions(photos) == np.zeros(10)).all()


def test_the_largest_garment_counts_by_its_best_cover() -> None:
    large, small = np.zeros((10, 10), bool), np.zeros((10, 10), bool)
    large[:, :8], small[:2, :2] = True, True
    half = large.copy()
    half[5:] = False
    assert largest_garment_iou([small, half], [small, large]) == pytest.approx(0.5)
    assert largest_garment_iou([], [large]) == 0
    assert largest_garment_iou([large], []) is None


def test_only_what_would_be_served_counts_for_the_largest() -> None:
    mask = np.ones((6, 6), bool)
    image = np.zeros((6, 6, 3), np.uint8)
    examples = [(image, [mask]), (image, [])]
    unsure = score_photos(examples, lambda _: [Garment(1, 0.3, mask)], serving_threshold=0.5)
    sure = score_photos(examples, lambda _: [Garment(1, 0.7, mask)], serving_threshold=0.5)
    assert unsure["largest_iou"] == 0
    assert sure["largest_iou"] == 1
    # One right and one wrong of equal score: full recall at a precision of one half or one, by order.
    assert unsure["mask_ap50"] == sure["mask_ap50"] == 1
