"""Quick pictures of garments for the translator's tests: a blob of one colour or of stripes, with a soft fold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fittingroom.images import RGB, write_png
from fittingroom.masks import Mask


def garment(seed: int, colour: tuple[int, int, int], size: int = 64) -> tuple[RGB, Mask]:
    """RGB on white and mask: an ellipse of ``colour`` with a fold of light across it."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size - 0.5
    mask = (x / chance.uniform(0.3, 0.45)) ** 2 + (y / chance.uniform(0.3, 0.45)) ** 2 < 1
    fold = 1 + 0.2 * np.sin(2 * np.pi * (x * chance.uniform(1, 3) + chance.random()))
    image = np.clip(np.array(colour) * fold[..., None], 0, 255).astype(np.uint8)
    image[~mask] = 255
    return image, mask


def write_garments(folder: Path, count: int, colours: list[tuple[int, int, int]], size: int = 64) -> list[Path]:
    """Prepared pictures (RGBA PNG) under names like digests."""
    paths = []
    for number in range(count):
        image, mask = garment(number, colours[number % len(colours)], size)
        path = folder / f"{number:032x}.png"
        write_png(path, np.dstack([image, mask.astype(np.uint8) * 255]))
        paths.append(path)
    return paths


TINY = {
    "image_size": 64,
    "crop_size": 32,
    "filters": 4,
    "blocks": 1,
    "reverse_filters": 4,
    "reverse_blocks": 1,
    "discriminator_filters": 4,
    "discriminator_layers": 2,
    "batch_size": 2,
    "pool_size": 6,
    "epochs": 3,
    "steps_per_epoch": 5,
    "checkpoint_steps": 4,
    "sample_steps": 10,
    "report_steps": 2,
    "identity_every": 3,
    "held_out": 2,
    "precision": "no",
}
GREYS = [(90, 90, 90), (60, 90, 160), (60, 140, 70), (200, 180, 150)]
REDS = [(185, 25, 35), (175, 30, 40)]
