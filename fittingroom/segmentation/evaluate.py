"""How good a segmenter is: COCO's figures, with categories and without, DeepFashion2's difficulty table, worst photos.

Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014 (by pycocotools, its reference code); the
difficulty table follows DeepFashion2 (Ge et al., CVPR 2019), table 4: AP over the garments of one degree of scale,
occlusion, zoom-in or viewpoint, the others being neither asked for nor counted as wrong.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fittingroom import masks
from fittingroom.boxes import xyxy_to_xywh
from fittingroom.categories import CATEGORY_NAMES
from fittingroom.errors import FittingroomError, NothingProduced
from fittingroom.garment import Garment
from fittingroom.images import RGB, read_rgb
from fittingroom.segmentation.dataset import LabelledPhoto, read_split
from fittingroom.segmentation.overlay import garment_overlay, sheet
from fittingroom.segmentation.predict import Segmenter
from fittingroom.segmentation.scores import largest_garment_iou

LEAST_SCORE = 0.05
"""Garments of lower score are not looked at: what AP takes them for hardly moves it."""

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
    """Category: ``garments``, and ``ap`` and ``ap50`` of its masks."""
    difficulty: dict[str, dict[str, dict[str, float]]]
    """Field: degree: ``garments``, and ``ap`` and ``ap50`` of masks whatever their category."""
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
            "box_ap50": self.box_any_category.ap50,
            "largest_iou": self.largest_garment_iou,
            "category_mask_ap": self.mask.ap,
            "category_mask_ap50": self.mask.ap50,
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
        split: ``train`` or ``validation``.
        device: where the model runs.
        score_threshold: what counts as served; the weights' own setting when None.
        listener: called after each photo.

    Raises:
        MissingInputError, AnnotationError, WeightsRejected: what is given cannot be used.
        NothingProduced: the split has no garment.
        FittingroomError: pycocotools is not installed.
    """
    segmenter = Segmenter.load(weights, device)
    threshold = segmenter.settings.score_threshold if score_threshold is None else score_threshold
    photos = read_split(Path(dataset), split)
    if not any(photo.garments for photo in photos):
        raise NothingProduced(f"{dataset}: expected garments to evaluate on in {split}, got none")
    _pycocotools()
    truth, results, ious = _Truth(photos), [], {}
    unseen, seconds = 0, 0.0
    for number, photo in enumerate(photos):
        image = read_rgb(photo.path)
        begun = time.perf_counter()
        found = segmenter.find(image, LEAST_SCORE)
        seconds += time.perf_counter() - begun
        results += [_result(photo, garment) for garment in found]
        served = [garment.mask for garment in found if garment.score >= threshold]
        iou = largest_garment_iou(served, truth.masks_of(photo))
        if iou is not None:
            ious[photo.path.name] = iou
            unseen += not served
        if listener is not None:
            listener(number + 1, len(photos))
    any_category = [result | {"category_id": 1} for result in results]
    worst = sorted(ious.items(), key=lambda pair: (pair[1], pair[0]))
    return SegmenterReport(
        weights=str(weights),
        dataset=str(dataset),
        split=split,
        photos=len(photos),
        garments=len(truth.annotations),
        mask=_figures(truth.coco(), results, "segm"),
        box=_figures(truth.coco(), results, "bbox"),
        mask_any_category=_figures(truth.coco(any_category=True), any_category, "segm"),
        box_any_category=_figures(truth.coco(any_category=True), any_category, "bbox"),
        largest_garment_iou=float(np.mean(list(ious.values()))) if ious else 0.0,
        photos_without_garment=unseen,
        score_threshold=threshold,
        categories=_by_category(truth, results),
        difficulty=_by_difficulty(truth, any_category),
        worst=tuple(worst[:20]),
        seconds_per_photo=seconds / len(photos),
    )


def worst_sheet(report: SegmenterReport, device: str = "auto") -> RGB:
    """A contact sheet (H, W, 3) of the worst photos with what is found on them."""
    segmenter = Segmenter.load(Path(report.weights), device)
    paths = {photo.path.name: photo.path for photo in read_split(Path(report.dataset), report.split)}
    images = [read_rgb(paths[name]) for name, _ in report.worst]
    return sheet([garment_overlay(image, segmenter.find(image, report.score_threshold)) for image in images])


def _pycocotools() -> tuple[Any, Any, Any]:
    try:
        from pycocotools import mask
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError:
        raise FittingroomError("pycocotools is not installed, and COCO's figures need it") from None
    return mask, COCO, COCOeval


def _encode(mask: masks.Mask) -> Any:
    encode = _pycocotools()[0].encode
    return encode(np.asfortranarray(mask.astype(np.uint8)))


def _result(photo: LabelledPhoto, garment: Garment) -> dict[str, Any]:
    return {
        "image_id": photo.image_id,
        "category_id": garment.category_id,
        "score": garment.score,
        "segmentation": _encode(garment.mask),
        "bbox": [float(value) for value in xyxy_to_xywh(garment.box_xyxy)],
    }


class _Truth:
    """What is labelled, as COCO annotations whose masks are drawn and encoded once."""

    def __init__(self, photos: Sequence[LabelledPhoto]) -> None:
        self.images = [{"id": p.image_id, "height": p.height, "width": p.width} for p in photos]
        self.annotations: list[dict[str, Any]] = []
        self._masks: dict[int, list[masks.Mask]] = {photo.image_id: [] for photo in photos}
        for photo in photos:
            for garment in photo.garments:
                mask = masks.from_polygons(garment.polygons, photo.height, photo.width)
                box = masks.bounding_box(mask)
                if box is None:
                    continue
                self._masks[photo.image_id].append(mask)
                annotation = {
                    "id": len(self.annotations) + 1,
                    "image_id": photo.image_id,
                    "category_id": garment.category_id,
                    "segmentation": _encode(mask),
                    "bbox": [float(value) for value in xyxy_to_xywh(box)],
                    "area": float(masks.area(mask)),
                    "iscrowd": 0,
                }
                annotation |= {field: garment.annotation.get(field) for field in DIFFICULTIES}
                self.annotations.append(annotation)

    def masks_of(self, photo: LabelledPhoto) -> list[masks.Mask]:
        return self._masks[photo.image_id]

    def coco(self, any_category: bool = False, asked_for: Callable[[dict[str, Any]], bool] = lambda _: True) -> Any:
        """A pycocotools COCO; garments not asked for may be found, and do not count."""
        _, coco_class, _ = _pycocotools()
        coco = coco_class()
        annotations = [dict(a, ignore=0 if asked_for(a) else 1) for a in self.annotations]
        if any_category:
            annotations = [annotation | {"category_id": 1} for annotation in annotations]
        names = {1: "garment"} if any_category else dict(CATEGORY_NAMES)
        coco.dataset = {
            "images": self.images,
            "annotations": annotations,
            "categories": [{"id": number, "name": name} for number, name in names.items()],
        }
        with contextlib.redirect_stdout(io.StringIO()):
            coco.createIndex()
        return coco


def _precision(truth: Any, results: list[dict[str, Any]], kind: str) -> Any:
    """COCOeval's precision (IoU thresholds, recalls, categories, areas, limits); -1 where nothing is asked for."""
    _, _, evaluation_class = _pycocotools()
    with contextlib.redirect_stdout(io.StringIO()):
        shown = [{k: v for k, v in r.items() if k != ("bbox" if kind == "segm" else "segmentation")} for r in results]
        evaluation = evaluation_class(truth, truth.loadRes(shown), kind)
        if any(annotation["ignore"] for annotation in truth.dataset["annotations"]):
            _respect_ignore(evaluation)
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"][:, :, :, 0, -1]


def _respect_ignore(evaluation: Any) -> None:
    """COCOeval sets ``ignore`` from ``iscrowd``, and crowds match any number of results: neither is meant here."""
    prepare = evaluation._prepare

    def prepare_and_restore() -> None:
        wanted = {a["id"]: a["ignore"] for a in evaluation.cocoGt.dataset["annotations"]}
        prepare()
        for group in evaluation._gts.values():
            for annotation in group:
                annotation["ignore"] = wanted[annotation["id"]]

    evaluation._prepare = prepare_and_restore


def _mean(precision: Any) -> float:
    known = precision[precision > -1]
    return float(known.mean()) if known.size else 0.0


def _figures(truth: Any, results: list[dict[str, Any]], kind: str) -> PrecisionFigures:
    if not results:
        return PrecisionFigures(0.0, 0.0, 0.0)
    precision = _precision(truth, results, kind)
    return PrecisionFigures(_mean(precision), _mean(precision[0]), _mean(precision[5]))


def _by_category(truth: _Truth, results: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    precision = _precision(truth.coco(), results, "segm") if results else None
    table = {}
    for index, (number, name) in enumerate(CATEGORY_NAMES.items()):
        count = sum(annotation["category_id"] == number for annotation in truth.annotations)
        if count:
            own = precision[:, :, index] if precision is not None else None
            ap, ap50 = (_mean(own), _mean(own[0])) if own is not None else (0.0, 0.0)
            table[name] = {"garments": float(count), "ap": ap, "ap50": ap50}
    return table


def _by_difficulty(truth: _Truth, any_category: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    tables: dict[str, dict[str, dict[str, float]]] = {}
    for field, degrees in DIFFICULTIES.items():
        for degree, name in degrees.items():
            count = sum(annotation[field] == degree for annotation in truth.annotations)
            if count:
                asked = _has(field, degree)
                figures = _figures(truth.coco(any_category=True, asked_for=asked), any_category, "segm")
                row = {"garments": float(count), "ap": figures.ap, "ap50": figures.ap50}
                tables.setdefault(field, {})[name] = row
    return tables


def _has(field: str, degree: int) -> Callable[[dict[str, Any]], bool]:
    return lambda annotation: annotation[field] == degree
