"""Pictures for the shop of these tests."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def picture(seed: int, kind: str = "JPEG", size: int = 160, **options: object) -> bytes:
    """A picture of 8 x 8 coloured squares; another seed, another picture."""
    squares = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    image = Image.fromarray(np.kron(squares, np.ones((size // 8, size // 8, 1), np.uint8)))
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
