"""Geometry and blending of a try-on: photo to square and exactly back, feathering, and the original's fine detail.

A garment's *square* is a white picture with the garment's box in its middle. It may reach over the photo's borders.
Going there and back moves no pixel: the box's place in the photo and in the square are whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fittingroom.boxes import Box
from fittingroom.errors import SettingError
from fittingroom.images import RGB
from fittingroom.masks import Mask, bounding_box

Alpha = NDArray[np.float32]
"""How much of the new garment shows, 0 to 1, (H, W)."""
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


def crop_square(square: RGB, fit: SquareFit) -> RGB:
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


def spread_colours(image: RGB, mask: Mask, trust: int = 1) -> RGB:
    """Fill everything outside the mask with the colour of the nearest garment pixel.

    Resizing a garment on white mixes white into its edge, which shows as a bright rim on the photo; mixing its own
    colours instead does not. The outermost ``trust`` pixels are mixed with white already and are replaced as well.
    """
    inner = mask
    if trust > 0:
        kernel = np.ones((2 * trust + 1, 2 * trust + 1), np.uint8)
        inner = cv2.erode(mask.astype(np.uint8), kernel, borderValue=0).astype(bool)
        # Thin parts (straps) would vanish whole; they keep their own pixels.
        inner |= mask & ~cv2.dilate(inner.astype(np.uint8), np.ones((4 * trust + 1, 4 * trust + 1), np.uint8)).astype(
            bool
        )
    if not inner.any():
        return image.copy()
    _, labels = cv2.distanceTransformWithLabels(
        (~inner).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.zeros((int(labels.max()) + 1, image.shape[2]), np.uint8)
    colours[labels[inner]] = image[inner]
    return np.asarray(colours[labels], np.uint8)


def feather(mask: Mask, width: float, grow: int = 0) -> Alpha:
    """Soft edge of a mask: 1 inside, falling to 0 at its rim over ``width`` pixels, and exactly 0 outside.

    The fall lies inside the (grown) mask, so nothing outside it changes. The photo's border is no rim: a garment
    that runs out of the photo is opaque there.

    Args:
        mask: bool (H, W).
        width: pixels over which alpha rises; 0 (less than a hundredth) gives a hard edge.
        grow: pixels by which the mask is grown first, to cover an old garment's rim.
    """
    if width < 0 or grow < 0:
        raise SettingError("feather", (width, grow), "not negative")
    grown = mask
    if grow:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1, 2 * grow + 1))
        grown = cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)
    if width < 0.01:
        return grown.astype(np.float32)
    if grown.all():
        return np.ones(mask.shape, np.float32)
    padded = cv2.copyMakeBorder(grown.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    # The centre of a rim pixel is half a pixel inside.
    alpha = np.clip((distance - 0.5) / width, 0.0, 1.0)
    alpha[~grown] = 0
    return np.asarray(alpha, np.float32)


def blend(photo: RGB, garment: RGB, alpha: Alpha) -> RGB:
    """``alpha * garment + (1 - alpha) * photo``, rounded; where alpha is 0 the photo's own bytes."""
    result = photo.copy()
    touched = alpha > 0
    weight = alpha[touched][:, None]
    mixed = weight * garment[touched].astype(np.float32) + (1 - weight) * photo[touched].astype(np.float32)
    result[touched] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return result


def add_detail(translated: RGB, original: RGB, mask: Mask, seen_size: int, strength: float, bold: float = 9.0) -> RGB:
    """Put back the fine lightness detail that the generator never saw because it works at ``seen_size`` pixels.

    Detail is what shrinking the original to ``seen_size`` and growing it again loses: seams, weave, the sharp side of
    folds. Only lightness (CIELAB L*) is touched, and less on darker results (a crease on black shows less than on
    white). The edges of an old print are detail too, but far stronger: what is well over ``bold`` units is dropped, so
    that an old pattern does not come back as outlines.

    Args:
        translated: (S, S, 3), the new garment at the square's own size.
        original: (S, S, 3), the old garment there; outside the mask it may hold anything.
        mask: bool (S, S).
        seen_size: the generator's side; where S is not larger nothing was lost and nothing is added.
        strength: 0 (off) to 1.
        bold: in units of L*; detail of this strength comes back at six tenths, of thrice it not at all.
    """
    side = translated.shape[0]
    if strength <= 0 or side <= seen_size or not mask.any():
        return translated
    old = _lightness(spread_colours(original, mask, trust=0))
    shrunk = cv2.resize(old, (seen_size, seen_size), interpolation=cv2.INTER_AREA)
    seen = cv2.resize(shrunk, (side, side), interpolation=cv2.INTER_CUBIC)
    lost = old - seen
    lab = cv2.cvtColor(translated.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    scale = np.clip((lab[..., 0] + 10) / (old + 10), 0.4, 1.2)
    lab[..., 0] = np.clip(lab[..., 0] + strength * scale * lost * np.exp(-0.5 * (lost / bold) ** 2), 0, 100)
    sharpened = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1)
    return np.where(mask[..., None], np.rint(sharpened * 255), translated).astype(np.uint8)


def _lightness(image: RGB) -> NDArray[np.float32]:
    """CIELAB L*, 0 to 100, (H, W)."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0], np.float32)
