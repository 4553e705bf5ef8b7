"""What stands in the place of parts of torchvision's detectors, and what is set in these.

All that is used of torchvision's insides, which its documentation does not promise: that a detector's ``transform``
calls ``resize``, its ``roi_heads`` call ``postprocess_detections``, and a ``MultiScaleRoIAlign`` goes by ``scales`` and
``map_levels`` where they are set. `tests/base/test_library_versions.py` says which versions it was seen to hold for.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import MultiScaleRoIAlign, batched_nms, clip_boxes_to_image, remove_small_boxes
from torchvision.ops.poolers import initLevelMapper


class AsGiven(GeneralizedRCNNTransform):  # type: ignore[misc]  # torchvision is untyped
    """Normalizes photos and pads them to one batch, at the size they have: whoever resizes them moves boxes and masks
    exactly.
    """

    def resize(self, image: Tensor, target: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor] | None]:
        """Both as they are."""
        return image, target


class CoarseProposals(RegionProposalNetwork):  # type: ignore[misc]
    """Proposals from ``finest_level`` of the pyramid on: garments are large, and the finest takes most of the time."""

    finest_level = 0

    def forward(
        self, images: ImageList, features: dict[str, Tensor], targets: list[dict[str, Tensor]] | None = None
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """As torchvision's, without the finer levels."""
        coarse = OrderedDict(list(features.items())[self.finest_level :])
        proposals, losses = super().forward(images, coarse, targets)
        return proposals, losses


class GarmentHeads(RoIHeads):  # type: ignore[misc]
    """Heads whose detections are garments: one for a box, scored by how surely it is a garment of *any* category.

    torchvision scores each category by itself. Where a blouse might be a dress both score low, and what is surely a
    garment would be lost; here it scores high, and its category is the likeliest.
    """

    box_margin = 0.0

    def postprocess_detections(
        self,
        class_logits: Tensor,
        box_regression: Tensor,
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Boxes, scores (1 minus that of the background) and labels for each photo, best first."""
        counts = [len(boxes) for boxes in proposals]
        decoded = self.box_coder.decode(box_regression, proposals)
        probabilities = class_logits.softmax(-1)
        labels = 1 + probabilities[:, 1:].argmax(1)
        own = decoded[torch.arange(len(labels), device=labels.device), labels]
        boxes_out, scores_out, labels_out = [], [], []
        each = zip(*(torch.split(x, counts) for x in (own, 1 - probabilities[:, 0], labels)), strict=True)
        for (boxes, scores, names), shape in zip(each, image_shapes, strict=True):
            boxes = clip_boxes_to_image(boxes, shape)
            keep = torch.where(scores > self.score_thresh)[0]
            keep = keep[remove_small_boxes(boxes[keep], min_size=1e-2)]
            keep = keep[batched_nms(boxes[keep], scores[keep], names[keep], self.nms_thresh)]
            keep = keep[: self.detections_per_img]
            boxes_out.append(clip_boxes_to_image(grow_boxes(boxes[keep], self.box_margin), shape))
            scores_out.append(scores[keep])
            labels_out.append(names[keep])
        return boxes_out, scores_out, labels_out


def grow_boxes(boxes_xyxy: Tensor, share: float) -> Tensor:
    """Boxes (N, 4) about their centres, ``1 + share`` times as wide and high."""
    more = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) * (share / 2)
    return torch.cat([boxes_xyxy[:, :2] - more, boxes_xyxy[:, 2:] + more], dim=1)


def tell_strides(pool: MultiScaleRoIAlign) -> None:
    """Level "0" has stride 4, the next 8. torchvision guesses this from the first picture it sees, for good: a very
    long and thin one, mostly padding, would have every later picture's masks read from the wrong places."""
    levels = [int(name) for name in pool.featmap_names]
    pool.scales = [2.0 ** -(2 + level) for level in levels]
    pool.map_levels = initLevelMapper(
        2 + levels[0], 2 + levels[-1], canonical_scale=pool.canonical_scale, canonical_level=pool.canonical_level
    )
