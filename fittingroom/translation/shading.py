"""Light and shadow of a garment, as the generators that paint cloth keep them and the losses compare them.

Pictures are float (N, 3, H, W) in -1..1; masks float (N, 1, H, W), 1 on the garment.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

CELL, CELLS = 8, 5
"""Pixels of a cell, and the cells averaged on each side: shading finer than these 40 pixels may be an old pattern."""
DARKEST = 0.15
"""Lightness added to both sides of the shading ratio, so that the noise of a black garment is not blown up."""
HIGHLIGHT_REACH, SHADOW_REACH = 0.35, 0.9
"""Highlights and shadows of folds move the logarithm of lightness by less than these; what goes further (a white print
on black) is bent to them, or it would leave every colour of the style."""
BLACK = 0.1
"""As `DARKEST`, where shading is bent and noise can do less."""


def luminance(image: Tensor) -> Tensor:
    """Rec. 601 luma (N, 1, H, W), 0..1, of pictures in -1..1."""
    red, green, blue = image.unbind(1)
    return (0.5 + 0.5 * (0.299 * red + 0.587 * green + 0.114 * blue)).unsqueeze(1)


def mean_shading(image: Tensor, mask: Tensor, kept: Tensor) -> Tensor:
    """The garment's light and shadow, (N, 1, H, W): lightness over its mean, about 1.

    ``kept`` (N, 1, H, W) in 0..1 is the share of the fine part that stays: a fold should, an old pattern should not.
    """
    lightness = luminance(image)
    coarse = coarse_part(lightness, mask)
    lightness = coarse + kept * (lightness - coarse)
    mean = (lightness * mask).sum((2, 3), keepdim=True) / mask.sum((2, 3), keepdim=True).clamp_min(1.0)
    return ((lightness + DARKEST) / (mean + DARKEST)).clamp_max(2.0)


def bent_shading(image: Tensor, mask: Tensor, kept_fine: Tensor, kept_coarse: Tensor) -> Tensor:
    """As `mean_shading`, over the garment's middle lightness instead of its mean, which a large print would move, and
    bent by `bent`. How much of the fine and of the coarse part stays is given, (N, 1, H, W) in 0..1.
    """
    light = (luminance(image) + BLACK).log()
    coarse = coarse_part(light, mask)
    garment = F.avg_pool2d(mask, CELL, ceil_mode=True) > 0.5
    middle = F.avg_pool2d(light, CELL, ceil_mode=True).where(garment, math.nan).flatten(1).nanmedian(1).values
    middle = middle.nan_to_num(0.0).view(-1, 1, 1, 1)  # no cell is half full: a sliver, whatever comes out
    return bent(kept_coarse * (coarse - middle) + kept_fine * (light - coarse)).exp()


def bent(log_ratio: Tensor) -> Tensor:
    """Small values as they are, large ones bent towards `HIGHLIGHT_REACH` and minus `SHADOW_REACH`."""
    return torch.where(
        log_ratio > 0,
        HIGHLIGHT_REACH * torch.tanh(log_ratio / HIGHLIGHT_REACH),
        SHADOW_REACH * torch.tanh(log_ratio / SHADOW_REACH),
    )


def coarse_part(values: Tensor, mask: Tensor) -> Tensor:
    """``values`` (N, C, H, W) averaged over the garment's part of boxes of `CELLS` cells, smoothly in between."""
    count = _cells(mask)
    means = _cells(values * mask) / count.clamp_min(1e-3)
    return F.interpolate(means, size=(values.shape[2], values.shape[3]), mode="bilinear", align_corners=False)


def _cells(values: Tensor) -> Tensor:
    return F.avg_pool2d(F.avg_pool2d(values, CELL, ceil_mode=True), CELLS, stride=1, padding=CELLS // 2)
