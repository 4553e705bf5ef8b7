"""Cuts the garment out of one picture: plain background or finder, then the tests, then the square on white."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from fittingroom.boxes import Box
from fittingroom.cutout.judge import Refused, check_garment
from fittingroom.cutout.people import covered_share, is_figure, is_worn
from fittingroom.cutout.plain import PlainMask, edge_support, find_on_plain
from fittingroom.cutout.settings import CutoutSettings
from fittingroom.framing import on_white
from fittingroom.garment import Garment, GarmentFinder
from fittingroom.images import RGB, at_most
from fittingroom.masks import Mask, area, iou

_SAME_GARMENT = 0.5
"""Two found garments that overlap more than this are two readings of one."""

_TOUCHING = 7
"""Pixels: masks of one garment seen in pieces lie closer than this."""

Accept = Callable[[RGB, Mask], str | None]
"""The caller's own test on (picture, mask): None, or why the garment is not wanted."""


@dataclass(frozen=True, eq=False)
class Cutout:
    """A garment on white. ``rgba`` is square (S, S, 4), alpha 0 or 255; ``box_xyxy`` is the garment in the source."""

    rgba: RGB
    box_xyxy: Box
    method: str
    confidence: float
    category: str = ""

    @property
    def mask(self) -> Mask:
        """The garment in ``rgba``, bool (S, S)."""
        return np.asarray(self.rgba[..., 3] > 0)


def cut_out(
    image_rgb: RGB,
    settings: CutoutSettings | None = None,
    finder: GarmentFinder | None = None,
    accept: Accept | None = None,
) -> Cutout:
    """Cut the one garment out of ``image_rgb`` (H, W, 3).

    Raises:
        Refused: no usable cut-out, with the reason.
    """
    settings = settings or CutoutSettings()
    image, scale = _limit(image_rgb, settings.maximum_side)
    mask, method, sure, category = _choose(image, settings, finder)
    box = check_garment(image, mask, scale, settings)
    covered = covered_share(image, mask, outline=method == "model")
    if covered > settings.maximum_covered:
        raise Refused("covered", f"skin or hair across {covered:.0%}, expected {settings.maximum_covered:.0%} or less")
    if accept is not None and (why := accept(image, mask)):
        raise Refused("not_the_style", why)
    source_box = Box(*(round(value * scale) for value in box)).clip(*image_rgb.shape[:2])
    return Cutout(on_white(image, mask, settings.margin), source_box, method, sure, category)


def _limit(image: RGB, maximum_side: int) -> tuple[RGB, float]:
    scale = max(max(image.shape[:2]) / maximum_side, 1.0)
    return np.ascontiguousarray(at_most(image, maximum_side)), scale


def _choose(image: RGB, settings: CutoutSettings, finder: GarmentFinder | None) -> tuple[Mask, str, float, str]:
    """Mask, method, confidence and category of the garment, by ``settings.method``."""
    if settings.method == "model" and finder is None:
        raise Refused("no_garment", "method is model, and there is no finder")
    found: list[Garment] = []
    if finder is not None and settings.method != "plain":
        found = [g for g in finder.find(image, settings.finder_score) if area(g.mask)]
    if settings.method == "model":
        return _from_finder(image, found, settings)
    plain = find_on_plain(image, settings)
    doubt = _why_doubtful(plain, settings)
    if not found:
        if doubt:
            raise doubt
        chosen_by_hand = not settings.minimum_confidence
        if finder is None and not chosen_by_hand and is_figure(image, plain.mask):
            raise Refused("person", "what stands out is somebody wearing it")
        return plain.mask, "plain", plain.confidence, ""
    best = max(found, key=lambda garment: garment.area)
    worn = is_worn(image, plain.mask, found)
    if worn and settings.people == "refuse":
        raise Refused("person", "what stands out is more than the garments found on it, and partly skin")
    if not worn and (doubt is None or iou(best.mask, plain.mask) >= settings.agreement):
        # What stands out clearly is cut better by its own edges than by a finder that learnt from worn garments.
        return plain.mask, "plain", max(plain.confidence, best.score), best.category
    return _from_finder(image, found, settings)


def _why_doubtful(plain: PlainMask, settings: CutoutSettings) -> Refused | None:
    """Why a plain-background mask is not to be trusted by itself, or None."""
    if not area(plain.mask):
        return Refused("no_garment", "nothing stands out from the background")
    if plain.second_area > settings.maximum_second_area:
        return Refused(
            "several_garments",
            f"a second thing of {plain.second_area:.0%} of the first one's area,"
            f" expected {settings.maximum_second_area:.0%} or less",
        )
    if plain.confidence < settings.minimum_confidence:
        return Refused(
            "doubtful_mask",
            f"confidence {plain.confidence:.2f}, expected {settings.minimum_confidence:.2f} or more",
        )
    return None


def _from_finder(image: RGB, found: list[Garment], settings: CutoutSettings) -> tuple[Mask, str, float, str]:
    if not found:
        raise Refused("no_garment", "the finder found none")
    ranked = sorted(found, key=lambda garment: -garment.area)
    best = ranked[0]
    others = [g for g in ranked[1:] if iou(g.mask, best.mask) < _SAME_GARMENT]
    worn = any(g.group != best.group for g in others)
    if worn and settings.people == "refuse":
        raise Refused("person", "garments of several body parts: somebody wears them")
    rival = max((g for g in others if g.group == best.group), key=lambda g: g.area, default=None)
    if rival is not None and rival.area > settings.maximum_second_area * best.area:
        near = cv2.dilate(best.mask.astype(np.uint8), np.ones((_TOUCHING, _TOUCHING), np.uint8)) > 0
        if rival.category_id == best.category_id and (near & rival.mask).any():
            raise Refused("doubtful_mask", "the finder sees it in pieces, and its background is not plain")
        raise Refused("several_garments", f"{best.category} and {rival.category} of like size")
    support = edge_support(image, best.mask, settings.working_side)
    if support < settings.minimum_confidence:
        raise Refused(
            "doubtful_mask",
            f"{support:.0%} of the outline that the finder gave follows an edge,"
            f" expected {settings.minimum_confidence:.0%} or more",
        )
    filled = cv2.morphologyEx(best.mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    return filled.astype(bool), "model", best.score, best.category
