"""The segmenter trained and evaluated as torchvision's references/detection do: the side `training.py` compares with.

The same network, photos, sizes and optimizer as ours; float32, contiguous, the loss looked at after every step; masks
pasted whole and encoded one by one, and COCOeval run for each kind.
"""

from __future__ import annotations

import contextlib
import io
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.models.detection.roi_heads import paste_masks_in_image

from fittingroom import masks
from fittingroom.boxes import xyxy_to_xywh
from fittingroom.images import read_rgb
from fittingroom.segmentation.dataset import GarmentDataset, collate
from fittingroom.segmentation.model import build_segmenter
from fittingroom.segmentation.schedule import make_optimizer
from fittingroom.segmentation.settings import SegmenterSettings

Batches = list[list[tuple[int, int]]]


def load_batches(data: GarmentDataset, batches: Batches, settings: SegmenterSettings) -> DataLoader[Any]:
    """The loader both sides have."""
    return DataLoader(data, batch_sampler=batches, collate_fn=collate, num_workers=settings.workers)


class PlainTraining:
    """``train_one_epoch`` of references/detection/engine.py over some batches."""

    def __init__(self, settings: SegmenterSettings, weights: dict[str, Tensor], device: torch.device) -> None:
        self.settings, self.device = settings, device
        self.model = build_segmenter(settings)
        self.model.load_state_dict(weights)
        self.model.to(device)
        self.optimizer = make_optimizer(self.model, settings)

    def steps(self, data: GarmentDataset, batches: Batches) -> None:
        """One step a batch.

        Raises:
            FloatingPointError: the loss is not finite.
        """
        self.model.train()
        for images, targets in load_batches(data, batches, self.settings):
            images = [image.to(self.device) for image in images]
            targets = [{name: value.to(self.device) for name, value in target.items()} for target in targets]
            losses = self.model(images, targets)
            loss = sum(losses.values())
            if not math.isfinite(loss.item()):
                raise FloatingPointError(f"loss {loss.item()}")
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()


def plain_evaluation(segmenter: Any, photos: list[Any]) -> float:
    """What torchvision's references/detection do in ``evaluate`` and ``CocoEvaluator``, for boxes and masks."""
    from pycocotools import mask as coder  # not on every GPU image, where the rest of this file is of use
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for photo in photos:
        for garment in photo.garments:
            drawn = masks.from_polygons(garment.polygons, photo.height, photo.width)
            box = masks.bounding_box(drawn)
            if box is None:
                continue
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": photo.image_id,
                    "category_id": 1,
                    "segmentation": coder.encode(np.asfortranarray(drawn.astype(np.uint8))),
                    "bbox": list(xyxy_to_xywh(box)),
                    "area": int(drawn.sum()),
                    "iscrowd": 0,
                }
            )
        image = read_rgb(photo.path)
        with torch.inference_mode():
            (found,) = segmenter.detect([image])
            detection, size = found.tensors, found.looked_at
            ratio = torch.tensor([image.shape[1] / size[1], image.shape[0] / size[0]] * 2)
            boxes = detection["boxes"] * ratio
            pasted = paste_masks_in_image(detection["masks"], boxes, (image.shape[0], image.shape[1])) > 0.5
        for mask, box, score in zip(pasted, boxes.tolist(), detection["scores"].tolist(), strict=True):
            encoded = coder.encode(np.asfortranarray(mask[0].numpy().astype(np.uint8)))
            result = {"image_id": photo.image_id, "category_id": 1, "score": score}
            results.append(result | {"bbox": list(xyxy_to_xywh(tuple(box))), "segmentation": encoded})
    coco = COCO()
    images = [{"id": photo.image_id, "height": photo.height, "width": photo.width} for photo in photos]
    coco.dataset = {"images": images, "annotations": annotations, "categories": [{"id": 1}]}
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        for kind, other in (("bbox", "segmentation"), ("segm", "bbox")):
            shown = [{key: value for key, value in result.items() if key != other} for result in results]
            evaluation = COCOeval(coco, coco.loadRes(shown), kind)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
    return float(evaluation.stats[0])
