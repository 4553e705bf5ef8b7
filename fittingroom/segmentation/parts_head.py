"""A semantic head next to the mask head: what each pixel is, at the finest level of the pyramid.

Kirillov et al., "Panoptic Feature Pyramid Networks", CVPR 2019, cut down to one level: where a mask head sees a garment
in 28 x 28 cells, this sees the whole photo at stride 4, so an arm across a pullover is many cells wide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN

from fittingroom.segmentation.parts import BODY, PARTS, UNKNOWN

STRIDE = 4
"""Cell (i, j) is centred at pixel (4 i, 4 j): convolutions of stride 2 with padding 1 keep the first pixel's centre."""
BODY_WEIGHT = 2.0
"""Of skin and hair in the loss: they are a twentieth of a photo and what matters."""


class PartsHead(nn.Sequential):
    """(N, C, H, W) features of level "0" to (N, parts, H, W) logits."""

    def __init__(self, features: int, channels: int) -> None:
        super().__init__(
            nn.Conv2d(features, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, len(PARTS), 1),
        )


class GarmentNetwork(MaskRCNN):  # type: ignore[misc]  # torchvision is untyped
    """Mask R-CNN with a parts head: one more loss in training. `fittingroom.segmentation.predict` serves."""

    parts_weight = 1.0

    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        """The losses by name, ``loss_parts`` among them; targets have ``parts`` (H, W), `UNKNOWN` where unnamed."""
        labels = [target["parts"] for target in targets]
        batch, targets = self.transform(images, targets)
        features = self.backbone(batch.tensors)
        proposals, proposal_losses = self.rpn(batch, features, targets)
        _, head_losses = self.roi_heads(features, proposals, batch.image_sizes, targets)
        loss = self.parts_weight * parts_loss(self.parts_head(features["0"]), labels)
        return {**proposal_losses, **head_losses, "loss_parts": loss}


def parts_loss(logits: Tensor, labels: Sequence[Tensor]) -> Tensor:
    """Cross-entropy of (N, parts, h, w) with N maps (H, W), as seen at the cells' centres; 0 where nothing is known."""
    cells = torch.full((len(labels), *logits.shape[2:]), UNKNOWN, dtype=torch.int64, device=logits.device)
    for row, label in zip(cells, labels, strict=True):
        centres = label[::STRIDE, ::STRIDE]
        row[: centres.shape[0], : centres.shape[1]] = centres
    weights = torch.ones(len(PARTS), device=logits.device)
    weights[list(BODY)] = BODY_WEIGHT
    total = F.cross_entropy(logits.float(), cells, weights, ignore_index=UNKNOWN, reduction="sum")
    return total / (cells != UNKNOWN).sum().clamp(min=1)


def body_probabilities(model: MaskRCNN, features: Mapping[str, Tensor]) -> Tensor | None:
    """How surely each cell is skin or hair, (N, h, w), 0 to 1; None where the network has no parts head."""
    if not hasattr(model, "parts_head"):
        return None
    logits: Tensor = model.parts_head(features["0"])
    return logits.float().softmax(1)[:, list(BODY)].sum(1)


def cut_to(cells: Tensor, size: tuple[int, int]) -> Tensor:
    """The cells (h, w) whose centres lie on a photo of (height, width); the rest is a batch's padding."""
    return cells[: -(-size[0] // STRIDE), : -(-size[1] // STRIDE)]


def box_of_cells(height: int, width: int) -> NDArray[np.float64]:
    """x1, y1, x2, y2 of what so many cells cover, one more around them on each side, in pixels as the network saw them.

    Cells end before the photo does; one more, the nearest again, covers its border.
    """
    before = 0.5 - STRIDE / 2 - STRIDE
    return np.array([before, before, before + STRIDE * width, before + STRIDE * height])
