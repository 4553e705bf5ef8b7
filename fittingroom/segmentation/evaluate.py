"""How good a segmenter is: COCO's figures, with categories and without, DeepFashion2's difficulty table, worst photos.

Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014 (see `fittingroom.segmentation.scores`); the
difficulty table follows DeepFashion2 (Ge et al., CVPR 2019), table 4: AP over the garments of one degree of scale,
occlusion, zoom-in or viewpoint, the others being neither asked for nor counted as wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fittingroom import masks
from fittingroom.boxes import Box
from fittingroom.categories import CATEGORY_NAMES
from fittingroom.errors import NothingProduced
from fittingroom.images import RGB, read_rgb
from fittingroom.segmentation.dataset import LabelledPhoto, read_split
from fittingroom.segmentation.overlay import garment_overlay, sheet
from fittingroom.segmentation.predict import Detection, Segmenter
from fittingroom.segmentation.scores import PhotoMatch, average_precisions, box_iou_matrix, iou_matrix

T = TypeVar("T")

LEAST_SCORE = 0.05
"""Garments of lower score are not looked at: what AP takes them for hardly moves it."""

WORST = 20
"""Photos on the contact sheet."""

DIFFICULTIES: dict[str, dict[int, str]] = {
    "scale": {1: "small", 2: "moderate", 3: "large"},
    "occlusion": {1: "slight", 2: "medium", 3: "heavy"},
    "zoom_in": {1: "no", 2: "medium", 3: "large"},
    "viewpoint": {1: "not worn", 2: "frontal", 3: "side or back"},
}
"""Degrees as DeepFashion2 numbers and names them."""

Progress = Callable[[int, int], None]
"""Called with photos done and photos in all."""


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

    def to_json(self) -> dict[str, Any]:
        """A JSON value."""
        return asdict(self)

    def metrics(self) -> dict[str, float]:
        """The figures gates and registries take, flat."""
        return {
            "mask_ap": self.mask_any_category.ap,
            "mask_ap50": self.mask_any_category.ap50,
            "mask_ap75": self.mask_any_category.ap75,
            "box_ap": self.box_any_category.ap,
            "box_ap50": self.box_any_category.ap50,
            "box_ap75": self.box_any_category.ap75,
            "largest_iou": self.largest_garment_iou,
            "category_mask_ap": self.mask.ap,
            "category_mask_ap50": self.mask.ap50,
            "category_mask_ap75": self.mask.ap75,
            "category_box_ap": self.box.ap,
            "category_box_ap50": self.box.ap50,
            "category_box_ap75": self.box.ap75,
        }


def evaluate_segmenter(
    weights: Path,
    dataset: Path,
    split: str = "validation",
    *,
    device: str = "auto",
    score_threshold: float | None = None,
    listener: Progress | None = None,
) -> SegmenterReport:
    """Run ``weights`` over a split of a dataset folder and measure.

    Args:
        weights: a segmenter's weights file.
        dataset: a dataset folder (selection.json, train.json, validation.json).
        split: ``train``, ``validation`` or ``all``: both.
        device: where the model runs.
        score_threshold: what counts as served; the weights' own setting when None.
        listener: called after each photo.

    Raises:
        MissingInputError, AnnotationError, WeightsRejected: what is given cannot be used.
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
    )


def worst_sheet(report: SegmenterReport, device: str = "auto") -> RGB:
    """A contact sheet (H, W, 3) of the worst photos with what is found on them."""
    segmenter = Segmenter.load(Path(report.weights), device)
    paths = {photo.path.name: photo.path for photo in read_split(Path(report.dataset), report.split)}
    images = [read_rgb(paths[name]) for name, _ in report.worst]
    return sheet([garment_overlay(image, segmenter.find(image, report.score_threshold)) for image in images])


@dataclass(frozen=True, eq=False)
class Compared:
    """What was found on a photo (D garments, best first) beside what is labelled there (G): figures, no masks.

    ``scores`` and ``found_categories`` are (D,), ``categories`` and ``areas`` (G,), ``mask_ious`` and ``box_ious``
    (D, G). ``fields`` are the labelled garments' own annotations.
    """

    photo: LabelledPhoto
    scores: NDArray[np.float64]
    found_categories: NDArray[np.int64]
    categories: NDArray[np.int64]
    areas: NDArray[np.int64]
    mask_ious: NDArray[np.float64]
    box_ious: NDArray[np.float64]
    fields: list[dict[str, Any]]

    def match(self, ious: str = "mask_ious", ignored: NDArray[np.bool_] | None = None) -> PhotoMatch:
        """For average precision whatever the category."""
        return PhotoMatch(self.scores, getattr(self, ious), ignored)

    def match_of(self, category: int, ious: str = "mask_ious") -> PhotoMatch:
        """The same among the garments of one category."""
        found, there = self.found_categories == category, self.categories == category
        return PhotoMatch(self.scores[found], getattr(self, ious)[found][:, there])

    def largest_iou(self, threshold: float) -> float:
        """IoU of the largest labelled garment with the mask that covers it best of those that would be served."""
        served = self.mask_ious[self.scores >= threshold, int(self.areas.argmax())]
        return float(served.max(initial=0.0))


_Labelled = list[tuple[masks.Mask, Box, int, dict[str, Any]]]


def compare_photos(
    segmenter: Segmenter, photos: Sequence[LabelledPhoto], listener: Progress | None = None
) -> Iterator[Compared]:
    """Run the segmenter over ``photos``.

    On a GPU, reading the next photo, and pasting, refining and comparing the masks of the last one, go on beside the
    network. On a CPU the network has all cores already, and waits longer for those it shares than that work takes.
    """
    with ThreadPoolExecutor(2) if segmenter.device.type != "cpu" else _InTurn() as beside:
        read = beside.submit(_read, photos[0])
        comparison = None
        for number, photo in enumerate(photos):
            image, labelled = read.result()
            if number + 1 < len(photos):
                read = beside.submit(_read, photos[number + 1])
            (detection,) = segmenter.detect([image])
            if comparison is not None:
                yield comparison.result()
            comparison = beside.submit(_find_and_compare, segmenter, detection, image, photo, labelled)
            if listener is not None:
                listener(number + 1, len(photos))
        if comparison is not None:
            yield comparison.result()


class _InTurn(Executor):
    """Does at once what it is given."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _read(photo: LabelledPhoto) -> tuple[RGB, _Labelled]:
    labelled: _Labelled = []
    for garment in photo.garments:
        mask = masks.from_polygons(garment.polygons, photo.height, photo.width)
        box = masks.bounding_box(mask)
        if box is not None:
            labelled.append((mask, box, garment.category_id, garment.annotation))
    return read_rgb(photo.path), labelled


def _find_and_compare(
    segmenter: Segmenter, detection: Detection, image: RGB, photo: LabelledPhoto, labelled: _Labelled
) -> Compared:
    found = segmenter.garments(detection, image, LEAST_SCORE)
    return Compared(
        photo,
        np.array([garment.score for garment in found], np.float64),
        np.array([garment.category_id for garment in found], np.int64),
        np.array([category for _, _, category, _ in labelled], np.int64),
        np.array([masks.area(mask) for mask, _, _, _ in labelled], np.int64),
        iou_matrix([garment.mask for garment in found], [mask for mask, _, _, _ in labelled]),
        box_iou_matrix([garment.box_xyxy for garment in found], [box for _, box, _, _ in labelled]),
        [annotation for _, _, _, annotation in labelled],
    )


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
