"""A garment on its *square*, a white picture with the garment's box in its middle, and back to the photo.

The square may reach over the photo's borders. Going there and back moves no pixel: the box's places in the photo and in
the square are whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fittingroom.boxes import Box
from fittingroom.errors import SettingError
from fittingroom.images import RGB
from fittingroom.masks import Mask, bounding_box

MARGIN = 0.04
"""White around the garment's box, as a share of the longer side: in training pictures and in a try-on alike."""
WHITE = 255


@dataclass(frozen=True)
class SquareFit:
    """Where a garment lies in its photo and in its square.

    Attributes:
        height, width: the photo's.
        box_xyxy: the part of the photo that may change: the garment's box and ``reach`` pixels around it.
        side: the square's side in pixels.
        left, top: where the box's corner lies in the square.
    """

    height: int
    width: int
    box_xyxy: Box
    side: int
    left: int
    top: int

    @property
    def box_in_square(self) -> Box:
        """The box in the square's pixels."""
        return Box(self.left, self.top, self.left + self.box_xyxy.width, self.top + self.box_xyxy.height)


def fit_square(mask: Mask, margin: float = 0.0, reach: int = 0) -> SquareFit:
    """The square of a mask: its bounding box, centred, with ``margin`` (a share of the longer side) on every side.

    Args:
        mask: bool (H, W).
        margin: 0 to 1.
        reach: pixels around the garment's box that may change too (a mask grown later must find colours there).

    Raises:
        SettingError: a margin outside 0 to 1, a negative reach. ValueError: the mask is empty.
    """
    if not 0 <= margin <= 1:
        raise SettingError("margin", margin, "0 to 1")
    if reach < 0:
        raise SettingError("reach", reach, "0 or more")
    tight = bounding_box(mask)
    if tight is None:
        raise ValueError("mask: expected a garment, got an empty mask")
    height, width = mask.shape
    longest = max(tight.width, tight.height)
    side = longest + 2 * max(round(longest * margin), reach)
    box = tight.expand(reach).clip(height, width)
    left = (side - tight.width) // 2 - (tight.x1 - box.x1)
    top = (side - tight.height) // 2 - (tight.y1 - box.y1)
    return SquareFit(height, width, box, side, left, top)


def to_square(image: RGB, mask: Mask, fit: SquareFit) -> tuple[RGB, Mask]:
    """The garment alone on white, (side, side, 3), and its mask, (side, side)."""
    rows_in, columns_in = _slices(fit.box_xyxy)
    rows, columns = _slices(fit.box_in_square)
    square = np.full((fit.side, fit.side, 3), WHITE, np.uint8)
    square_mask = np.zeros((fit.side, fit.side), bool)
    cut = mask[rows_in, columns_in]
    square_mask[rows, columns] = cut
    square[rows, columns] = np.where(cut[..., None], image[rows_in, columns_in], WHITE)
    return square, square_mask


def on_white(image: RGB, mask: Mask, margin: float) -> RGB:
    """The garment alone in the middle of its square, (side, side, 4): its mask in alpha, 0 or 255, white around it.

    Raises:
        SettingError, ValueError: as `fit_square`.
    """
    square, square_mask = to_square(image, mask, fit_square(mask, margin))
    return np.dstack([square, (square_mask * 255).astype(np.uint8)])


def crop_to_box(square: RGB, fit: SquareFit) -> RGB:
    """The box out of a picture of the square's size."""
    rows, columns = _slices(fit.box_in_square)
    return square[rows, columns]


def pad_to_photo(crop: RGB, fit: SquareFit) -> RGB:
    """The box's picture on a white sheet of the photo's size."""
    sheet = np.full((fit.height, fit.width, crop.shape[2]), WHITE, np.uint8)
    rows, columns = _slices(fit.box_xyxy)
    sheet[rows, columns] = crop
    return sheet


def _slices(box: Box) -> tuple[slice, slice]:
    return slice(box.y1, box.y2), slice(box.x1, box.x2)
