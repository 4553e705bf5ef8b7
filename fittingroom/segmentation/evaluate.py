"""How good a segmenter is: COCO's figures, with categories and without, DeepFashion2's difficulty table, worst photos.

Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014 (see `fittingroom.segmentation.scores`); the
difficulty table follows DeepFashion2 (Ge et al., CVPR 2019), table 4: AP over the garments of one degree of scale,
occlusion, zoom-in or viewpoint, the others being neither asked for nor counted as wrong.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fittingroom.categories import CATEGORY_NAMES
from fittingroom.errors import NothingProduced
from fittingroom.images import RGB, read_rgb
from fittingroom.segmentation.compare import Compared, Progress, View, compare_photos
from fittingroom.segmentation.dataset import read_split
from fittingroom.segmentation.overlay import garment_overlay
from fittingroom.segmentation.predict import Segmenter
from fittingroom.segmentation.scores import PhotoMatch, average_precisions
from fittingroom.segmentation.served import DIFFICULTIES, Group, ServedFigures, served_figures, worst_groups
from fittingroom.sheets import tiled

WORST = 20
"""Photos on the contact sheet."""
WORST_GROUPS = 6
"""Groups of garments named to people."""


@dataclass(frozen=True)
class PrecisionFigures:
    """COCO's average precision, 0 to 1: over IoU 0.50 to 0.95, at 0.50 and at 0.75."""

    ap: float
    ap50: float
    ap75: float


@dataclass(frozen=True)
class SegmenterReport:
    """What `evaluate_segmenter` measured. ``worst`` lists photos by the IoU of their largest garment, worst first."""

    weights: str
    dataset: str
    split: str
    photos: int
    garments: int
    mask: PrecisionFigures
    box: PrecisionFigures
    mask_any_category: PrecisionFigures
    box_any_category: PrecisionFigures
    largest_garment_iou: float
    """Mean over photos, 0 to 1, of garments at or above the serving threshold."""
    photos_without_garment: int
    """Photos with a labelled garment on which nothing is found at the serving threshold."""
    score_threshold: float
    categories: dict[str, dict[str, float]]
    """Category: ``garments``, and ``ap``, ``ap50`` and ``ap75`` of its masks."""
    difficulty: dict[str, dict[str, dict[str, float]]]
    """Field: degree: ``garments``, and ``ap``, ``ap50`` and ``ap75`` of masks whatever their category."""
    worst: tuple[tuple[str, float], ...]
    seconds_per_photo: float
    whole: ServedFigures
    """Whole photos, each asked for its largest garment."""
    close_ups: ServedFigures | None
    """Photos cut to their upper garment and enlarged; None where that was not asked for, or no photo has one."""
    groups: tuple[Group, ...]
    """Garments that are alike, worst first."""

    def to_json(self) -> dict[str, Any]:
        """A JSON value."""
        return asdict(self)

    def served_rows(self) -> dict[str, dict[str, float]]:
        """What is served: a row for each figure, with one value for whole photos and one for close-ups."""
        both = {"whole photos": self.whole, "close-ups": self.close_ups}
        figures = {view: each.to_row() for view, each in both.items() if each is not None}
        names = dict.fromkeys(name for row in figures.values() for name in row)
        return {name: {view: row[name] for view, row in figures.items() if name in row} for name in names}

    def worst_rows(self) -> dict[str, dict[str, float]]:
        """The worst groups, worst first."""
        return {
            f"{group.field}: {group.degree}": {"garments": group.garments, "iou": group.iou, "poor": group.poor}
            for group in self.groups[:WORST_GROUPS]
        }

    def metrics(self) -> dict[str, float]:
        """The figures gates and registries take, flat."""
        tables = {
            "mask": self.mask_any_category,
            "box": self.box_any_category,
            "category_mask": self.mask,
            "category_box": self.box,
        }
        found = {f"{name}_{part}": value for name, each in tables.items() for part, value in asdict(each).items()}
        return found | {"largest_iou": self.largest_garment_iou}


def evaluate_segmenter(
    weights: Path,
    dataset: Path,
    split: str = "validation",
    *,
    device: str = "auto",
    score_threshold: float | None = None,
    close_ups: bool = False,
    listener: Progress | None = None,
) -> SegmenterReport:
    """Run ``weights`` over a split of a dataset folder and measure.

    Args:
        weights: a segmenter's weights file.
        dataset: a dataset folder (selection.json, train.json, validation.json).
        split: ``train``, ``validation`` or ``all``: both.
        device: auto, cpu, cuda or mps.
        score_threshold: 0 to 1, from which a garment counts as served; the weights' own setting when None.
        close_ups: look at close-ups cut from the photos as well, which takes as long again.
        listener: called after each photo.

    Raises:
        MissingInputError, AnnotationError, ImageRejected, WeightsRejected: what is given cannot be used.
        SettingError: a device that is not there.
        NothingProduced: the split has no garment.
    """
    segmenter = Segmenter.load(weights, device)
    threshold = segmenter.settings.score_threshold if score_threshold is None else score_threshold
    photos = read_split(Path(dataset), split)
    if not any(photo.garments for photo in photos):
        raise NothingProduced(f"{dataset}: expected garments to evaluate on in {split}, got none")
    begun = time.perf_counter()
    compared = list(compare_photos(segmenter, photos, listener))
    seconds = time.perf_counter() - begun
    near = list(compare_photos(segmenter, photos, view=View.close_up)) if close_ups else []
    ious = {each.photo.path.name: each.largest_iou(threshold) for each in compared if each.categories.size}
    worst = sorted(ious.items(), key=lambda pair: (pair[1], pair[0]))
    return SegmenterReport(
        weights=str(weights),
        dataset=str(dataset),
        split=split,
        photos=len(photos),
        garments=sum(each.categories.size for each in compared),
        mask=_over_categories(compared, "mask_ious"),
        box=_over_categories(compared, "box_ious"),
        mask_any_category=_figures([each.match() for each in compared]),
        box_any_category=_figures([each.match("box_ious") for each in compared]),
        largest_garment_iou=float(np.mean(list(ious.values()))) if ious else 0.0,
        photos_without_garment=sum(
            bool(each.categories.size) and not (each.scores >= threshold).any() for each in compared
        ),
        score_threshold=threshold,
        categories=_by_category(compared),
        difficulty=_by_difficulty(compared),
        worst=tuple(worst[:WORST]),
        seconds_per_photo=seconds / len(photos),
        whole=served_figures(compared, threshold),
        close_ups=served_figures(near, threshold, upper=True) if near else None,
        groups=worst_groups(compared, near, threshold),
    )


def worst_sheet(report: SegmenterReport, device: str = "auto") -> RGB:
    """A contact sheet (H, W, 3) of the worst photos with what is found on them.

    Raises:
        MissingInputError, AnnotationError, ImageRejected, WeightsRejected: what the report names cannot be read again.
    """
    segmenter = Segmenter.load(Path(report.weights), device)
    paths = {photo.path.name: photo.path for photo in read_split(Path(report.dataset), report.split)}
    images = [read_rgb(paths[name]) for name, _ in report.worst]
    return tiled([garment_overlay(image, segmenter.find(image, report.score_threshold)) for image in images])


def _figures(matches: Sequence[PhotoMatch]) -> PrecisionFigures:
    precisions = average_precisions(matches)
    return PrecisionFigures(float(precisions.mean()), float(precisions[0]), float(precisions[5]))


def _over_categories(compared: Sequence[Compared], ious: str) -> PrecisionFigures:
    """The mean over the categories that are labelled at all."""
    each = [_figures([one.match_of(number, ious) for one in compared]) for number in _counts(compared)]
    return PrecisionFigures(*(float(np.mean([getattr(f, name) for f in each])) for name in ("ap", "ap50", "ap75")))


def _counts(compared: Sequence[Compared]) -> dict[int, int]:
    """Labelled garments of each category that has any."""
    counts = np.bincount(np.concatenate([each.categories for each in compared]), minlength=len(CATEGORY_NAMES) + 1)
    return {number: int(counts[number]) for number in CATEGORY_NAMES if counts[number]}


def _by_category(compared: Sequence[Compared]) -> dict[str, dict[str, float]]:
    return {
        CATEGORY_NAMES[number]: _row(count, _figures([each.match_of(number) for each in compared]))
        for number, count in _counts(compared).items()
    }


def _by_difficulty(compared: Sequence[Compared]) -> dict[str, dict[str, dict[str, float]]]:
    tables: dict[str, dict[str, dict[str, float]]] = {}
    for field, degrees in DIFFICULTIES.items():
        for degree, name in degrees.items():
            others = [np.array([f.get(field) != degree for f in each.fields], bool) for each in compared]
            count = sum(int(np.count_nonzero(~other)) for other in others)
            if count:
                matches = [each.match(ignored=other) for each, other in zip(compared, others, strict=True)]
                tables.setdefault(field, {})[name] = _row(count, _figures(matches))
    return tables


def _row(count: int, figures: PrecisionFigures) -> dict[str, float]:
    return {"garments": float(count)} | asdict(figures)
