"""The CIEDE2000 colour difference: how far apart two colours look, about 1 being just noticeable.

Source: Sharma, Wu and Dalal, "The CIEDE2000 Color-Difference Formula: Implementation Notes, Supplementary Test Data,
and Mathematical Observations", Color Research and Application 30(1), 2005; the equation numbers below are theirs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_25_TO_7 = 25.0**7


def ciede2000(lab_1: ArrayLike, lab_2: ArrayLike) -> Floats:
    """Differences between CIELAB colours, (..., 3) against (..., 3) with broadcasting; the result has no last axis.

    Weights kL = kC = kH = 1. Symmetric, 0 for equal colours, about 100 from black to white.
    """
    first, second = np.asarray(lab_1, np.float64), np.asarray(lab_2, np.float64)
    lightness_1, a_1, b_1 = first[..., 0], first[..., 1], first[..., 2]
    lightness_2, a_2, b_2 = second[..., 0], second[..., 1], second[..., 2]

    mean_chroma_7 = ((np.hypot(a_1, b_1) + np.hypot(a_2, b_2)) / 2) ** 7  # (2), (3)
    stretch = 1 + 0.5 * (1 - np.sqrt(mean_chroma_7 / (mean_chroma_7 + _25_TO_7)))  # (4)
    chroma_1, chroma_2 = np.hypot(stretch * a_1, b_1), np.hypot(stretch * a_2, b_2)  # (5), (6)
    hue_1 = np.degrees(np.arctan2(b_1, stretch * a_1)) % 360  # (7)
    hue_2 = np.degrees(np.arctan2(b_2, stretch * a_2)) % 360
    colourless = chroma_1 * chroma_2 == 0  # the hue of grey means nothing

    step = hue_2 - hue_1
    hue_step = np.where(colourless, 0.0, (step + 180) % 360 - 180)  # (10); at 180 only its square counts
    d_lightness = lightness_2 - lightness_1  # (8)
    d_chroma = chroma_2 - chroma_1  # (9)
    d_hue = 2 * np.sqrt(chroma_1 * chroma_2) * np.sin(np.radians(hue_step) / 2)  # (11)

    mean_lightness = (lightness_1 + lightness_2) / 2  # (12)
    mean_chroma = (chroma_1 + chroma_2) / 2  # (13)
    hue_sum = hue_1 + hue_2
    across_zero = np.where(hue_sum < 360, hue_sum + 360, hue_sum - 360) / 2
    mean_hue = np.where(np.abs(step) <= 180, hue_sum / 2, across_zero)  # (14)
    mean_hue = np.where(colourless, hue_sum, mean_hue)

    weight = (
        1
        - 0.17 * np.cos(np.radians(mean_hue - 30))
        + 0.24 * np.cos(np.radians(2 * mean_hue))
        + 0.32 * np.cos(np.radians(3 * mean_hue + 6))
        - 0.20 * np.cos(np.radians(4 * mean_hue - 63))
    )  # (15)
    rotation_angle = 30 * np.exp(-(((mean_hue - 275) / 25) ** 2))  # (16)
    chroma_7 = mean_chroma**7
    rotation = -np.sin(np.radians(2 * rotation_angle)) * 2 * np.sqrt(chroma_7 / (chroma_7 + _25_TO_7))  # (17), (21)
    from_middle = (mean_lightness - 50) ** 2
    scale_lightness = 1 + 0.015 * from_middle / np.sqrt(20 + from_middle)  # (18)
    scale_chroma = 1 + 0.045 * mean_chroma  # (19)
    scale_hue = 1 + 0.015 * mean_chroma * weight  # (20)

    lightness_term, chroma_term, hue_term = d_lightness / scale_lightness, d_chroma / scale_chroma, d_hue / scale_hue
    squared = lightness_term**2 + chroma_term**2 + hue_term**2 + rotation * chroma_term * hue_term  # (22)
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))
