"""What a camera does to a clean picture: colour cast, exposure, vignette, a little blur, noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from fittingroom.sample.shapes import Field


def photograph(image: Field, rng: Generator, strength: float = 1.0) -> Field:
    """A photo of ``image``, float32 (H, W, 3) 0 to 1; the geometry stays."""
    height, width = image.shape[:2]
    cast = 1 + rng.normal(0, 0.025, 3) * strength
    exposure = 1 + rng.uniform(-0.12, 0.1) * strength
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    vignette = 1 - rng.uniform(0.0, 0.14) * strength * (x**2 + y**2) / 2
    photo = image * (cast * exposure).astype(np.float32) * vignette.astype(np.float32)[..., None]
    sigma = rng.uniform(0.25, 0.75) * strength
    if sigma > 0.3:
        photo = cv2.GaussianBlur(photo, (0, 0), sigma)
    # Brightness grain and a little colour grain.
    grain = (
        rng.standard_normal((height, width, 1), np.float32) * 0.7
        + rng.standard_normal((height, width, 3), np.float32) * 0.4
    )
    return np.asarray(photo + grain * np.float32(rng.uniform(0.006, 0.02) * strength), np.float32)
