"""Styles, models and photos for tests of the page and the API."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from fittingroom.appearance.choose import AvailableStyle
from fittingroom.categories import CATEGORY_IDS
from fittingroom.errors import StorageUnavailable
from fittingroom.garment import Garment
from fittingroom.images import RGB
from fittingroom.masks import Mask
from fittingroom.style_card import Lab
from tests.tryon.stand_ins import Dyer

STYLES = [
    AvailableStyle("navy-striped", "blue", "striped", "vest", (20.0, 10.0, -35.0)),
    AvailableStyle("red-solid", "red", "solid", "vest", (45.0, 60.0, 40.0), True),
]


class Models:
    """Finds the middle of any picture, and paints it red."""

    size = 32

    def __init__(self) -> None:
        self.finds, self.broken = True, False
        self.hold: threading.Event | None = None
        self.learnt_from = ""
        self.asked: list[str] = []

    def styles(self) -> list[AvailableStyle]:
        if self.broken:
            raise StorageUnavailable("registry sqlite:////secret/path does not answer")
        return STYLES

    def versions(self) -> dict[str, int | None]:
        return {"navy-striped": 3, "red-solid": None}

    def segmenter(self) -> Models:
        return self

    def translator(self, style: str) -> Models:
        self.asked.append(style)
        return self

    def domains(self, style: str) -> dict[str, str]:
        return {"segmenter": self.learnt_from, f"style {style}": self.learnt_from}

    def weights_of(self, style: str) -> dict[str, str]:
        return {"segmenter": "version 1", f"style {style}": "version 2"}

    def find(self, image: np.ndarray, score_threshold: float | None = None) -> list[Garment]:
        assert score_threshold is None
        if self.hold:
            self.hold.wait(20)
        mask = np.zeros(image.shape[:2], bool)
        mask[image.shape[0] // 4 : -image.shape[0] // 4, image.shape[1] // 4 : -image.shape[1] // 4] = True
        return [Garment(CATEGORY_IDS["vest"], 0.9, mask)] if self.finds else []

    def translate(self, image_rgb: RGB, mask: Mask, dyes: Sequence[Lab] | None = None) -> RGB:
        return Dyer().translate(image_rgb, mask, dyes)


def encoded(image: np.ndarray | None = None, kind: str = "PNG", **options: Any) -> bytes:
    image = np.random.default_rng(0).integers(0, 256, (80, 60, 3), np.uint8) if image is None else image
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()
