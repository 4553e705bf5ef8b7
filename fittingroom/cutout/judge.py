"""The tests a cut-out must pass, and the closed list of reasons why one is refused."""

from __future__ import annotations

import cv2
import numpy as np

from fittingroom.boxes import Box
from fittingroom.cutout.settings import CutoutSettings
from fittingroom.errors import FittingroomError
from fittingroom.images import RGB, shorter_at_most
from fittingroom.masks import Mask, area, bounding_box, solidity

REFUSAL_REASONS = (
    "no_garment",
    "several_garments",
    "person",
    "cropped_by_border",
    "too_small",
    "blurred",
    "covered",
    "torn_mask",
    "doubtful_mask",
    "not_the_style",
    "dropped_by_hand",
)
"""person: a figure where a garment should be. covered: by hands or hair. doubtful_mask: the background is not plain
enough to be sure, and no finder helped. not_the_style: the caller's own test, of its colour or pattern say, turned it
down. The others say themselves."""

_SHARPNESS_SIDE = 400
_SHARPNESS_WINDOW = 17


class Refused(FittingroomError):
    """A decodable picture that gives no usable cut-out. ``reason`` is one of `REFUSAL_REASONS`."""

    def __init__(self, reason: str, detail: str) -> None:
        if reason not in REFUSAL_REASONS:
            raise ValueError(f"reason: expected one of {', '.join(REFUSAL_REASONS)}, got {reason!r}")
        self.reason, self.detail = reason, detail
        super().__init__(f"{reason}: {detail}")


def border_contact(mask: Mask) -> float:
    """How much of the picture's border the garment covers, 0 to 1. Two pixels in, where masks are still reliable."""
    inset = min(2, (min(mask.shape) - 1) // 2)
    inner = mask[inset : mask.shape[0] - inset, inset : mask.shape[1] - inset]
    edge = np.concatenate([inner[0], inner[-1], inner[1:-1, 0], inner[1:-1, -1]])
    return float(edge.mean()) if edge.size else 0.0


def sharpness(image: RGB, mask: Mask) -> float:
    """Steepest lightness step per pixel over the local range, 0 to 1, at 400 px: near 0.5 for a sharp edge.

    Measured where the picture has real steps in or around the garment, so that a plain garment is not called blurred
    for want of texture: for each strong pixel the gradient is divided by the lightness range of its 17 x 17
    surroundings; a step blurred over n pixels gives about 1 / n. The answer is the 90th percentile.
    """
    small = shorter_at_most(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8), _SHARPNESS_SIDE)
    mask = cv2.resize(mask.astype(np.uint8), small.shape[::-1], interpolation=cv2.INTER_NEAREST).astype(bool)
    grey = small.astype(np.float32)
    kernel = np.ones((_SHARPNESS_WINDOW, _SHARPNESS_WINDOW), np.uint8)
    spread = cv2.dilate(grey, kernel) - cv2.erode(grey, kernel)
    gradient = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(grey, cv2.CV_32F, 0, 1) / 8)
    near = cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)
    strong = near & (spread >= max(24.0, float(np.percentile(spread[near], 80)) if near.any() else 0.0))
    if np.count_nonzero(strong) < 50:
        return 1.0  # nothing to judge by
    return float(np.percentile(gradient[strong] / spread[strong], 90))


def check_garment(image: RGB, mask: Mask, scale: float, settings: CutoutSettings) -> Box:
    """The garment's box, after every test on one mask of ``image``. ``scale``: source pixels per pixel of ``image``.

    Raises:
        Refused: with the first test that failed.
    """
    box = bounding_box(mask)
    if box is None:
        raise Refused("no_garment", "nothing stands out from the background")
    share = area(mask) / mask.size
    if share < settings.minimum_area:
        raise Refused("too_small", f"covers {share:.1%} of the picture, expected {settings.minimum_area:.1%} or more")
    side = round(min(box.width, box.height) * scale)
    if side < settings.minimum_side:
        raise Refused("too_small", f"{side} px across, expected {settings.minimum_side} or more")
    contact = border_contact(mask)
    if contact > settings.maximum_border_contact:
        raise Refused(
            "cropped_by_border",
            f"covers {contact:.1%} of the border, expected {settings.maximum_border_contact:.1%} or less",
        )
    whole = solidity(mask)
    if whole < settings.minimum_solidity:
        raise Refused("torn_mask", f"solidity {whole:.2f}, expected {settings.minimum_solidity:.2f} or more")
    sharp = sharpness(image, mask)
    if sharp < settings.minimum_sharpness:
        raise Refused("blurred", f"sharpness {sharp:.2f}, expected {settings.minimum_sharpness:.2f} or more")
    return box
