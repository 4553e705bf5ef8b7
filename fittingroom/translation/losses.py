"""The losses of the translator: Smooth L1 throughout, averaged over the garment where a weight says so.

Adversarial losses are least squares in CycleGAN (Mao et al. 2017, arXiv:1611.04076); Smooth L1 has the same minimum and
does not punish a far-off score quadratically.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from fittingroom.translation.shading import BLACK, bent, coarse_part, luminance

EMPTY = 1e-6
"""Below this much weight a mean is 0: a crop without garment teaches nothing."""
PATTERN_FROM, PATTERN_TO = 0.04, 0.1
"""Between these differences of chromaticity (L1) from the cloth around it, a pixel passes from fold to pattern."""

CONTRAST_FROM, CONTRAST_TO = 0.4, 0.8
"""And between these differences of the logarithm of lightness."""


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """The mean of ``values`` (N, C, H, W), or their mean weighted by ``weight`` (N, 1, H, W)."""
    if weight is None:
        return values.mean()
    return (values * weight).sum() / (weight.sum() * values.shape[1]).clamp_min(EMPTY)


def smooth_l1(value: Tensor, target: Tensor, beta: float, weight: Tensor | None = None) -> Tensor:
    """Smooth L1 (Girshick 2015, arXiv:1504.08083): d² / (2 beta) below ``beta``, |d| - beta / 2 above."""
    return weighted_mean(F.smooth_l1_loss(value, target, reduction="none", beta=beta), weight)


def patch_weight(mask: Tensor, scores: Tensor) -> Tensor:
    """The share of garment under each patch score: ``mask`` (N, 1, H, W) averaged to the size of ``scores``."""
    return F.adaptive_avg_pool2d(mask, (scores.shape[2], scores.shape[3]))


def adversarial_loss(scores: Tensor, is_real: bool, beta: float, mask: Tensor | None = None) -> Tensor:
    """How far patch ``scores`` are from 1 (real) or 0 (fake), by garment share where a mask is given."""
    target = torch.ones_like(scores) if is_real else torch.zeros_like(scores)
    return smooth_l1(scores, target, beta, None if mask is None else patch_weight(mask, scores))


def cycle_loss(
    reconstructed: Tensor, real: Tensor, beta: float, chroma: float = 1.0, mask: Tensor | None = None
) -> Tensor:
    """How far ``reconstructed`` is from ``real``; ``chroma`` below 1 lets colour count for less than lightness."""
    loss = smooth_l1(reconstructed, real, beta, mask)
    if chroma == 1.0:
        return loss
    light = smooth_l1(2 * luminance(reconstructed), 2 * luminance(real), beta, mask)
    return chroma * loss + (1.0 - chroma) * light


def structure_loss(fake: Tensor, real: Tensor, blur: int, mask: Tensor, patterns: bool = True) -> Tensor:
    """Whether folds and shadows stayed: L1 between the blurred lightness of ``fake`` and ``real``.

    Both are divided by their mean over the garment, so that a dark garment may become light, and averaged over boxes
    of ``blur`` pixels, so that a pattern finer than that may change. Box averages count the garment only. Differences
    in the real picture beyond any fold's are asked for only as far as a fold goes: a large print is not structure.
    Without ``patterns``, neither is a pattern (`pattern_share`): there the lightness around it is asked for.
    """
    lightness = luminance(real)
    if not patterns:
        lightness = torch.lerp(lightness, coarse_part(lightness, mask), pattern_share(real, mask))
    wanted = bent(_relative(lightness, blur, mask).log()).exp()
    return weighted_mean((_relative(luminance(fake), blur, mask) - wanted).abs(), _coverage(mask, blur))


def pattern_share(image: Tensor, mask: Tensor) -> Tensor:
    """How surely each pixel of ``image`` (N, 3, H, W) belongs to a printed or woven pattern, (N, 1, H, W) in 0..1.

    What differs in chromaticity from the cloth around it does: light moves all three channels alike, dye does not (the
    colour Retinex of Grosse et al. 2009, "Ground truth dataset and baseline evaluations for intrinsic image
    algorithms"). So does what is lighter or darker than any fold.
    """
    light = 0.5 + 0.5 * image
    chromaticity = light / (light.sum(1, keepdim=True) + 0.05)  # black has none: its noise must not look like a print
    differs = (chromaticity - coarse_part(chromaticity, mask)).abs().sum(1, keepdim=True)
    lightness = (luminance(image) + BLACK).log()
    contrast = (lightness - coarse_part(lightness, mask)).abs()
    dyed = (differs - PATTERN_FROM) / (PATTERN_TO - PATTERN_FROM)
    printed = (contrast - CONTRAST_FROM) / (CONTRAST_TO - CONTRAST_FROM)
    return torch.maximum(dyed, printed).clamp(0.0, 1.0)


def _coverage(mask: Tensor, blur: int) -> Tensor:
    return F.avg_pool2d(mask, blur, stride=max(blur // 2, 1), padding=blur // 2 if blur > 1 else 0)


def _relative(lightness: Tensor, blur: int, mask: Tensor) -> Tensor:
    mean = (lightness * mask).sum((2, 3), keepdim=True) / mask.sum((2, 3), keepdim=True).clamp_min(1.0)
    blurred = _coverage(lightness * mask, blur) / _coverage(mask, blur).clamp_min(0.05)
    return (blurred.clamp_min(0.0) + 0.05) / (mean + 0.05)
