"""The ten steps of a try-on, each a function of its own, and `try_on`, which takes steps 3 to 10.

====  ==========================  ==========================================================
 1    `segment_style_image`       the garment on the style image
 2    `pick_style`                its colour and pattern by name, and the style that serves them
 3    `segment_person`            garment, mask and box on the person photo
 4    `make_square`               square on white, and resized for the generator
 5    `translate`                 the new garment, as the generator paints it
 6    `resize_back`               to the square's own size
 7    `crop_to_box`               to the garment's box
 8    `pad_to_photo`              to the photo's size
 9    `mask_photo_and_garment`    how much of which shows where
10    `merge`                     the picture
====  ==========================  ==========================================================

**Every pixel where the result's alpha is 0 has the input's own bytes.**
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from fittingroom.boxes import Box
from fittingroom.categories import CATEGORY_IDS, group_of
from fittingroom.errors import InputError, NoGarmentFound, SettingError
from fittingroom.garment import Garment, GarmentFinder
from fittingroom.images import RGB, resize
from fittingroom.masks import Mask, bounding_box
from fittingroom.prepare import prepare_image
from fittingroom.styles.choose import AvailableStyle, Choice, Description, Lab, choose_by_name, choose_style
from fittingroom.tryon import compose
from fittingroom.tryon.compose import Alpha, SquareFit
from fittingroom.tryon.nearness import Nearness, nearness
from fittingroom.tryon.wording import Taken, describe_taken


class GarmentTranslator(Protocol):
    """Anything that paints a garment in a style: `fittingroom.translation.predict.Translator`, or a stand-in."""

    def translate(self, image_rgb: RGB, mask: Mask, dyes: Sequence[Lab] | None = None) -> RGB:
        """(S, S, 3) garment on white and its mask to (S, S, 3), in ``dyes`` where there are any."""
        ...


Describe = Callable[[RGB, Mask], Description]


@dataclass(frozen=True)
class TryOnSettings:
    """How a try-on looks."""

    size: int | None = None
    """The generator's side in pixels; None takes the translator's own (256 for one that does not say)."""
    margin: float = 0.04
    """White around the garment's box in its square, as a share of the longer side, as in the training pictures."""
    feather: float = 0.008
    """Width of the soft edge, as a share of the garment's longer side (at least a pixel; 0 is a hard edge)."""
    grow: float = 0.004
    """By how much the mask is grown to cover the old garment's rim, as a share of the longer side."""
    detail: float = 0.8
    """How much of the original's fine lightness detail (seams, weave, sharp folds) comes back, 0 to 1."""
    score_threshold: float | None = None
    """Least score of a garment on the person photo; None leaves it to the finder."""
    dyes: Sequence[Lab] | None = None
    """Colours in CIELAB to paint the style's pattern in, its ground first; None paints in the style's own."""
    cloth: Sequence[Lab] = ()
    """Colours in CIELAB of the cloth the result is to look like, its ground first: `TryOnResult.colour` measures it."""
    pattern: str = ""
    """Of the style, for the same."""

    def __post_init__(self) -> None:
        if self.size is not None and not 16 <= self.size <= 4096:
            raise SettingError("size", self.size, "16 to 4096, or none")
        for name, low, high in (("margin", 0, 1), ("feather", 0, 0.5), ("grow", 0, 0.1)):
            if not low <= getattr(self, name) <= high:
                raise SettingError(name, getattr(self, name), f"{low} to {high}")
        if not 0 <= self.detail <= 1:
            raise SettingError("detail", self.detail, "0 to 1")
        if self.score_threshold is not None and not 0 <= self.score_threshold <= 1:
            raise SettingError("score_threshold", self.score_threshold, "0 to 1, or none")

    def feather_pixels(self, mask: Mask) -> float:
        """The soft edge's width for this garment."""
        return max(self.feather * _longest(mask), 1.0) if self.feather else 0.0

    def grow_pixels(self, mask: Mask) -> int:
        """By how many pixels this garment's mask is grown."""
        return round(self.grow * _longest(mask))


def _longest(mask: Mask) -> int:
    box = bounding_box(mask)
    return max(box.width, box.height) if box else 0


@dataclass(frozen=True, eq=False)
class TryOnResult:
    """A try-on with its in-between pictures.

    Attributes:
        image: (H, W, 3), or (H, W, 4) with the input's own alpha channel where it came with one.
        alpha: float (H, W), 0 to 1: how much of the new garment shows. Where it is 0, ``image`` is the input.
        garment: the one that was changed.
        box: its box in the photo.
        taken: which garment that is, in words, and why it was taken.
        garment_image: (S, S, 3), the old garment as the generator saw it.
        garment_mask: bool (S, S).
        translated: (S, S, 3), the new garment as the generator painted it.
        new_garment: (H, W, 3), the new garment on a white sheet of the photo's size.
        colour: how near ``translated`` came to the cloth of the settings, dye by dye; empty where they have none.
        seconds: what each step took.
    """

    image: RGB
    alpha: Alpha
    garment: Garment
    box: Box
    taken: Taken
    garment_image: RGB
    garment_mask: Mask
    translated: RGB
    new_garment: RGB
    colour: tuple[Nearness, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)


# Steps 1 and 2: which style


def segment_style_image(image: RGB, finder: GarmentFinder, score_threshold: float | None = None) -> Garment:
    """Step 1: the garment a style image shows: of those found, the largest.

    Raises:
        NoGarmentFound: there is none.
    """
    found = finder.find(image, score_threshold)
    if not found:
        raise NoGarmentFound(
            "no garment was found on the style image; try a picture that shows it larger, from the front"
        )
    return max(found, key=lambda garment: garment.area)


def pick_style(
    image: RGB,
    garment: Garment,
    available: Sequence[AvailableStyle],
    exact: bool = False,
    describe: Describe | None = None,
) -> tuple[Description, Choice]:
    """Step 2: name the garment's colour and pattern, and choose the style that serves them.

    Raises:
        InputError: no style fits (see `fittingroom.styles.choose.choose_style`).
    """
    if describe is None:
        from fittingroom.styles.describe import describe_garment

        describe = describe_garment
    description = describe(image, garment.mask)
    return description, choose_style(description, available, exact, garment.category)


def find_style(
    wanted: str | RGB,
    available: Sequence[AvailableStyle],
    finder: GarmentFinder | None = None,
    exact: bool = False,
) -> Choice:
    """Steps 1 and 2 for a style image, or the style of that name.

    Raises:
        MissingInputError: no style of that name. NoGarmentFound, InputError: as in the steps.
    """
    if isinstance(wanted, str):
        return choose_by_name(wanted, available)
    if finder is None:
        raise InputError("a style image needs a segmenter: expected a garment finder, got none")
    from fittingroom.styles.describe import describe_garment

    image, mask, category = style_garment(wanted, finder)
    return choose_style(describe_garment(image, mask), available, exact, category)


def style_garment(image: RGB, finder: GarmentFinder) -> tuple[RGB, Mask, str | None]:
    """Step 1 for a person's picture or a shop's: the picture, the garment's mask, and its category where known.

    A garment that lies on a plain ground, where a segmenter taught by people may see none, is cut out instead.

    Raises:
        NoGarmentFound: neither way finds one.
    """
    try:
        found = segment_style_image(image, finder)
    except NoGarmentFound:
        pass
    else:
        return image, found.mask, found.category
    from fittingroom.cutout import Refused, cut_out

    try:
        lying = cut_out(image)
    except Refused as refused:
        raise NoGarmentFound(f"no garment was found on the style image: {refused}") from None
    return np.ascontiguousarray(lying.rgba[..., :3]), lying.mask, None


# Steps 3 to 10: the picture


def segment_person(
    image: RGB, finder: GarmentFinder, target_category: str | None = None, score_threshold: float | None = None
) -> tuple[Garment, Taken]:
    """Step 3: the garment to change (its mask and box), and the words for it.

    Of the garments found, the largest of the style's category; else the largest that covers the same part of the body
    (upper, lower, full); else the largest.

    Args:
        target_category: a DeepFashion2 category name, or None for the largest garment.

    Raises:
        NoGarmentFound: there is none. InputError: an unknown category.
    """
    if target_category and target_category not in CATEGORY_IDS:
        raise InputError(f"category: expected one of {', '.join(CATEGORY_IDS)}, got {target_category!r}")
    found = sorted(finder.find(image, score_threshold), key=lambda garment: garment.area, reverse=True)
    if not found:
        raise NoGarmentFound(
            "no garment was found on the person photo; try one that shows the garment larger, from the front"
        )
    taken = _largest_that_suits(found, target_category)
    return taken, describe_taken(taken, found, target_category)


def _largest_that_suits(found: Sequence[Garment], target_category: str | None) -> Garment:
    """Of garments sorted by size."""
    if not target_category:
        return found[0]
    group = group_of(CATEGORY_IDS[target_category])
    of_category = (garment for garment in found if garment.category == target_category)
    of_group = (garment for garment in found if garment.group == group)
    return next(of_category, None) or next(of_group, None) or found[0]


def make_square(image: RGB, mask: Mask, size: int, settings: TryOnSettings) -> tuple[SquareFit, RGB, Mask, RGB, Mask]:
    """Step 4: the garment on a white square, at its own size and, resized as training pictures are, the generator's.

    Returns:
        where it lies; the square (side, side, 3) and its mask; both again at (size, size).

    Raises:
        NoGarmentFound: a sliver, of which nothing is left at (size, size).
    """
    fit = compose.fit_square(mask, settings.margin, settings.grow_pixels(mask))
    square, square_mask = compose.to_square(image, mask, fit)
    rgba = np.dstack([square, np.where(square_mask, np.uint8(255), np.uint8(0))])
    try:
        prepared = prepare_image(rgba, size)
    except NoGarmentFound:
        raise NoGarmentFound("the garment found on the person photo is too thin to be changed") from None
    small, small_mask = np.ascontiguousarray(prepared[..., :3]), prepared[..., 3] > 0
    return fit, square, square_mask, small, small_mask


def translate(small: RGB, small_mask: Mask, translator: GarmentTranslator, dyes: Sequence[Lab] | None = None) -> RGB:
    """Step 5: the garment in the new style, (size, size, 3), in ``dyes`` or in the style's own colours."""
    own = translator.translate(small, small_mask) if dyes is None else translator.translate(small, small_mask, dyes)
    return np.asarray(own, np.uint8)


def resize_back(translated: RGB, small_mask: Mask, square: RGB, square_mask: Mask, settings: TryOnSettings) -> RGB:
    """Step 6: the new garment at the square's own size, with the original's fine detail.

    Its colours are spread over the white surround first: resized with the white it would get a bright rim.
    """
    spread = compose.spread_colours(translated, small_mask)
    large = resize(spread, square.shape[1], square.shape[0])
    return compose.add_detail(large, square, square_mask, translated.shape[0], settings.detail)


def crop_to_box(large: RGB, fit: SquareFit) -> RGB:
    """Step 7: the garment's box."""
    return compose.crop_square(large, fit)


def pad_to_photo(crop: RGB, fit: SquareFit) -> RGB:
    """Step 8: the box on a white sheet of the photo's size."""
    return compose.pad_to_photo(crop, fit)


def mask_photo_and_garment(mask: Mask, fit: SquareFit, settings: TryOnSettings) -> Alpha:
    """Step 9: how much of the new garment shows, (H, W); the rest of each pixel is the photo."""
    alpha = np.zeros(mask.shape, np.float32)
    near = fit.box_xyxy.expand(2).clip(fit.height, fit.width)  # work on the part that changes: photos may be large
    part = (slice(near.y1, near.y2), slice(near.x1, near.x2))
    alpha[part] = compose.feather(mask[part], settings.feather_pixels(mask), settings.grow_pixels(mask))
    return alpha


def merge(photo: RGB, garment: RGB, alpha: Alpha) -> RGB:
    """Step 10: the photo with the new garment."""
    return compose.blend(photo, garment, alpha)


def try_on(
    person: RGB,
    finder: GarmentFinder,
    translator: GarmentTranslator,
    settings: TryOnSettings | None = None,
    target_category: str | None = None,
) -> TryOnResult:
    """Steps 3 to 10 on one photo.

    Args:
        person: (H, W, 3), or (H, W, 4): an alpha channel is kept as it is, and what it hides is not looked at.
        target_category: the style's category, so that the right garment is changed.

    Raises:
        NoGarmentFound: the photo shows none, or only a sliver of one.
    """
    settings = settings or TryOnSettings()
    size = settings.size or int(getattr(translator, "size", 256))
    clock = _Clock()
    photo = np.ascontiguousarray(person[..., :3])
    seen = photo if person.shape[2] == 3 else np.where(person[..., 3:] > 0, photo, compose.WHITE).astype(np.uint8)
    garment, taken = segment_person(seen, finder, target_category, settings.score_threshold)
    clock("segment_person")
    fit, square, square_mask, small, small_mask = make_square(seen, garment.mask, size, settings)
    clock("make_square")
    translated = translate(small, small_mask, translator, settings.dyes)
    clock("translate")
    colour = nearness(translated, small_mask, settings.pattern, settings.cloth)
    clock("measure_colour")
    large = resize_back(translated, small_mask, square, square_mask, settings)
    clock("resize_back")
    sheet = pad_to_photo(crop_to_box(large, fit), fit)
    clock("crop_and_pad")
    alpha = mask_photo_and_garment(garment.mask, fit, settings)
    merged = merge(photo, sheet, alpha)
    clock("mask_and_merge")
    image = merged if person.shape[2] == 3 else np.dstack([merged, person[..., 3]])
    return TryOnResult(
        image=image,
        alpha=alpha,
        garment=garment,
        box=garment.box_xyxy,
        taken=taken,
        garment_image=small,
        garment_mask=small_mask,
        translated=translated,
        new_garment=sheet,
        colour=colour,
        seconds=clock.seconds,
    )


class _Clock:
    """Seconds of each step, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def __call__(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step] = round(now - self._last, 4)
        self._last = now
