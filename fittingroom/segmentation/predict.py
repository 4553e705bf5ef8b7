"""Finding garments: a trained segmenter as a plain object, masks at the photo's full resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.detection import MaskRCNN

from fittingroom import masks
from fittingroom.errors import SettingError, WeightsRejected
from fittingroom.garment import Garment
from fittingroom.images import RGB
from fittingroom.segmentation.body import believed
from fittingroom.segmentation.dataset import HALF_PIXEL, working_size
from fittingroom.segmentation.model import build_segmenter
from fittingroom.segmentation.parts_head import body_probabilities, box_of_cells, cut_to
from fittingroom.segmentation.refine import refine_mask
from fittingroom.segmentation.settings import SegmenterSettings
from fittingroom.training.device import choose_device
from fittingroom.training.weights import load_into, read_weights

KIND = "segmenter"
REFINED_FROM = 0.2
"""Masks of lower score are not refined: nothing serves them, and an evaluation has many."""
FLAT = 6
"""Levels by which a picture's pixels differ at least, of 255, for anything to be seen on it."""
BODY_WINS = 0.6
"""From this probability on a pixel is skin or hair and on no garment."""


@dataclass(frozen=True, eq=False)
class Detection:
    """What the network says of a photo: torchvision's boxes (D, 4), labels, scores and masks (D, 1, S, S), best first.

    ``looked_at`` is the (height, width) of the photo as the network saw it; boxes are in its pixels. ``body`` (h, w) is
    how surely each cell of `fittingroom.segmentation.parts_head` is skin or hair; None where the network knows neither.
    """

    tensors: dict[str, Tensor]
    looked_at: tuple[int, int]
    body: Tensor | None = None


class Segmenter:
    """A `fittingroom.garment.GarmentFinder` made of a network and its settings."""

    def __init__(self, model: MaskRCNN, settings: SegmenterSettings, device: torch.device) -> None:
        self.model, self.settings, self.device = (
            model.to(device, memory_format=torch.channels_last).eval(),
            settings,
            device,
        )

    @classmethod
    def load(cls, weights: Path, device: str = "auto") -> Segmenter:
        """Read a weights file and rebuild the network it was made for.

        Raises:
            MissingInputError: no such file.
            WeightsRejected: damaged, of another kind, or not fitting the network its own settings describe.
            SettingError: a device that is not there.
        """
        chosen = choose_device(device)
        file = read_weights(weights, KIND)
        try:
            settings = SegmenterSettings.from_json(file.settings)
        except SettingError as error:
            raise WeightsRejected(f"{weights}: {error}") from None
        model = build_segmenter(settings)
        load_into(model, file, Path(weights))
        return cls(model, settings, chosen)

    def find(self, image: RGB, score_threshold: float | None = None) -> list[Garment]:
        """Garments in ``image`` (H, W, 3) uint8, best score first.

        Args:
            image: the photo, at any size.
            score_threshold: 0 to 1; the settings' own when None. Below 0.05 nothing more is found.
        """
        return self.find_batch([image], score_threshold)[0]

    def find_batch(self, images: Sequence[RGB], score_threshold: float | None = None) -> list[list[Garment]]:
        """`find` for several photos at once, (H, W, 3) uint8 of any size; those of like shape together are quickest."""
        return [
            self.garments(detection, image, score_threshold)
            for detection, image in zip(self.detect(images), images, strict=True)
        ]

    @torch.inference_mode()
    def detect(self, images: Sequence[RGB]) -> list[Detection]:
        """What the network itself says of each photo, (H, W, 3) uint8; `garments` makes masks of it, in any thread."""
        if not images:
            return []
        tensors = [self._tensor(image) for image in images]
        batch, _ = self.model.transform(tensors)
        features = self.model.backbone(batch.tensors)
        proposals, _ = self.model.rpn(batch, features)
        detections, _ = self.model.roi_heads(features, proposals, batch.image_sizes)
        body = body_probabilities(self.model, features)
        return [
            Detection(each, size, None if body is None else cut_to(body[number], size))
            for number, (each, size) in enumerate(zip(detections, batch.image_sizes, strict=True))
        ]

    def _tensor(self, image: RGB) -> Tensor:
        height, width = working_size(image.shape[0], image.shape[1], self.settings)
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        return torch.from_numpy(resized).to(self.device).permute(2, 0, 1).float().div_(255)

    @torch.inference_mode()
    def garments(self, detection: Detection, image: RGB, score_threshold: float | None = None) -> list[Garment]:
        """The garments that `find` gives, of what the network said of ``image`` (H, W, 3); their masks are (H, W).

        None on a picture of one colour, on which it sees one in the middle.
        """
        if np.ptp(image[::4, ::4], axis=(0, 1)).max() < FLAT:
            return []
        threshold = self.settings.score_threshold if score_threshold is None else score_threshold
        height, width = image.shape[:2]
        tensors, looked_at = detection.tensors, detection.looked_at
        keep = tensors["scores"] >= threshold
        boxes = tensors["boxes"][keep].double().cpu().numpy() + HALF_PIXEL
        scores, labels = tensors["scores"][keep].tolist(), tensors["labels"][keep].tolist()
        small = tensors["masks"][keep, 0].float().cpu().numpy()
        chosen = _without_doubles(small, boxes, looked_at, self.settings)
        ratio = np.array([width / looked_at[1], height / looked_at[0]] * 2)
        maps = {i: paste_probabilities(small[i], boxes[i] * ratio, height, width) for i in chosen}
        beside: list[NDArray[np.float32]] = []
        elsewhere: masks.Mask | np.bool_ = np.True_
        if detection.body is not None and chosen:
            cells = np.pad(detection.body.float().cpu().numpy(), 1, mode="edge")
            body = paste_probabilities(cells, box_of_cells(*cells.shape) * ratio, height, width)
            body = believed(image, body, np.maximum.reduce(list(maps.values())))
            beside, elsewhere = [body], body < BODY_WINS
            maps = {i: each * (1 - np.clip(body, 0, 1)) for i, each in maps.items()}
        found = []
        for i in chosen:
            if self.settings.refine_masks and scores[i] >= REFINED_FROM:
                others = [maps[j] for j in chosen if j != i and scores[j] >= REFINED_FROM]
                mask = refine_mask(image, maps[i], others + beside)
            else:
                mask = maps[i] >= 0.5
            mask = mask & elsewhere  # refining goes by colours, and some cloth is of the colour of skin
            if mask.any():
                found.append(Garment(int(labels[i]), float(scores[i]), mask))
        return found


def _without_doubles(
    small: NDArray[np.float32], boxes: NDArray[np.float64], size: tuple[int, int], settings: SegmenterSettings
) -> list[int]:
    """Indices, best first, of masks that overlap no better one by more than the threshold (IoU), of any category.

    The detector suppresses doubles within a category only, and by boxes: one garment would come back as a blouse and
    again as a dress, while a jacket and the shirt under it share a box.
    """
    kept: list[int] = []
    pasted: list[_Cut] = []
    for i in range(len(boxes)):  # torchvision gives best scores first
        cut = _Cut.of(small[i], boxes[i], *size)
        if cut.area and all(cut.iou(other) <= settings.overlap_threshold for other in pasted):
            kept.append(i)
            pasted.append(cut)
        if len(kept) == settings.max_garments:
            break
    return kept


@dataclass(frozen=True, eq=False)
class _Cut:
    """The part of a mask inside its box, and where its upper left corner lies: most of a picture is no garment."""

    top: int
    left: int
    mask: masks.Mask
    area: int

    @classmethod
    def of(cls, probabilities: NDArray[np.float32], box_xyxy: NDArray[np.float64], height: int, width: int) -> _Cut:
        top, left, patch = _patch(probabilities, box_xyxy, height, width)
        mask = patch >= 0.5
        return cls(top, left, mask, masks.area(mask))

    def iou(self, other: _Cut) -> float:
        """As `fittingroom.masks.iou` of the whole pictures."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        own, theirs = (cut.mask[top - cut.top :, left - cut.left :] for cut in (self, other))
        height, width = min(len(own), len(theirs)), min(own.shape[1], theirs.shape[1])
        shared = masks.area(own[:height, :width] & theirs[:height, :width])
        return shared / max(self.area + other.area - shared, 1)


def paste_probabilities(
    probabilities: NDArray[np.float32], box_xyxy: NDArray[np.float64], height: int, width: int
) -> NDArray[np.float32]:
    """The whole picture, (height, width), from the (S, S) probabilities inside a box, interpolated smoothly; 0 outside.

    Args:
        probabilities: 0 to 1; cell (i, j) is centred at ((j + 0.5) / S, (i + 0.5) / S) of the box.
        box_xyxy: in pixels of the picture, corners at whole numbers; may reach outside.
        height: of the picture.
        width: of the picture.
    """
    result = np.zeros((height, width), np.float32)
    top, left, patch = _patch(probabilities, box_xyxy, height, width)
    result[top : top + len(patch), left : left + patch.shape[1]] = patch
    return result


def _patch(
    probabilities: NDArray[np.float32], box_xyxy: NDArray[np.float64], height: int, width: int
) -> tuple[int, int, NDArray[np.float32]]:
    """The part of `paste_probabilities` that the box covers, (0, 0) where that is nothing; row and column of its
    corner first.
    """
    x1, y1, x2, y2 = (float(value) for value in box_xyxy)
    left, top = max(int(np.floor(x1)), 0), max(int(np.floor(y1)), 0)
    right, bottom = min(int(np.ceil(x2)), width), min(int(np.ceil(y2)), height)
    if right <= left or bottom <= top or x2 <= x1 or y2 <= y1:
        return 0, 0, np.zeros((0, 0), np.float32)
    rows, columns = probabilities.shape
    x_scale, y_scale = columns / (x2 - x1), rows / (y2 - y1)
    # From pixel centres of the patch to cell centres of the probabilities.
    inverse = np.array(
        [
            [x_scale, 0, (left + 0.5 - x1) * x_scale - 0.5],
            [0, y_scale, (top + 0.5 - y1) * y_scale - 0.5],
        ]
    )
    patch = cv2.warpAffine(
        probabilities,
        inverse,
        (right - left, bottom - top),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return top, left, np.asarray(patch, np.float32)
