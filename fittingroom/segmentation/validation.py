"""What a training looks at between epochs: figures on the validation photos, and a sheet of them for people."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from fittingroom import masks
from fittingroom.images import RGB, read_rgb, write_png
from fittingroom.segmentation.augment import CloseUp
from fittingroom.segmentation.dataset import GarmentDataset, LabelledPhoto
from fittingroom.segmentation.model import build_segmenter
from fittingroom.segmentation.overlay import garment_overlay
from fittingroom.segmentation.predict import Segmenter
from fittingroom.segmentation.scores import score_photos
from fittingroom.segmentation.settings import SegmenterSettings
from fittingroom.sheets import tiled

SAMPLES = 12
"""Photos on the sheet."""
NEAR = CloseUp(zoom=2.0, aspect=0.8, garment=0.0, off=(0.0, 0.0))
"""The close-up of each photo that a training is judged by, around its first garment."""
HIGHEST_THRESHOLD = 0.5
"""The recipe serves from a score of 0.98 on; validation and samples would then be empty for most of a training."""


def validate(
    tensors: Mapping[str, Tensor], settings: SegmenterSettings, data: GarmentDataset, device: torch.device
) -> dict[str, float]:
    """`score_photos` of a network with these weights, by its names, on photos at the size the network looks at them.

    A training that sees close-ups is judged by one of each photo next to the whole photo. Masks are the network's own,
    not refined: refining takes time and changes no ranking between epochs.
    """
    settings = dataclasses.replace(settings, refine_masks=False)
    network = build_segmenter(settings)
    network.load_state_dict(dict(tensors))
    segmenter = Segmenter(network, settings, device)
    examples: Iterator[tuple[RGB, list[masks.Mask]]] = (data.plain(index) for index in range(len(data)))
    if settings.close_up_share:
        near = (data.plain(index, NEAR) for index in range(len(data)))
        examples = itertools.chain(examples, near)
    threshold = min(settings.score_threshold, HIGHEST_THRESHOLD)
    return score_photos(examples, lambda image: segmenter.find(image, 0.0), threshold)


def draw_samples(weights: Path, photos: Sequence[LabelledPhoto], out: Path, device: str) -> None:
    """Write a PNG of the first `SAMPLES` photos with what is found on them; without photos, nothing.

    Raises:
        MissingInputError, ImageRejected, WeightsRejected: what is given cannot be read.
    """
    if not photos:
        return
    segmenter = Segmenter.load(weights, device)
    threshold = min(segmenter.settings.score_threshold, HIGHEST_THRESHOLD)
    images = [read_rgb(photo.path) for photo in photos[:SAMPLES]]
    write_png(out, tiled([garment_overlay(image, segmenter.find(image, threshold)) for image in images]))
