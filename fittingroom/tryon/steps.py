"""The ten steps of a try-on, each a function of its own, and `try_on`, which takes steps 3 to 10.

====  ==========================  ====================================================================================
 1    `segment_style_image`       the garment on the style image
 2    `wanted_by_picture`         its colours and pattern, and the style that serves them (`fittingroom.tryon.wanted`)
 3    `segment_person`            garment, mask and box on the person photo
 4    `make_square`               square on white, and resized for the generator
 5    `translate`                 the new garment, as the generator paints it
 6    `resize_back`               to the square's own size
 7    `crop_to_box`               to the garment's box (`fittingroom.framing`)
 8    `pad_to_photo`              to the photo's size (there, too)
 9    `mask_photo_and_garment`    how much of which shows where
10    `compose.blend`             the picture
====  ==========================  ====================================================================================

**Every pixel where the result's alpha is 0 has the input's own bytes.**
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from fittingroom.appearance.repeat import Repeat
from fittingroom.boxes import Box
from fittingroom.errors import DoubtfulMask, NoGarmentFound
from fittingroom.framing import WHITE, SquareFit, crop_to_box, fit_square, pad_to_photo, to_square
from fittingroom.garment import Garment, GarmentFinder, Painting
from fittingroom.images import RGB, resize
from fittingroom.masks import Mask
from fittingroom.preparing.square import prepare_image
from fittingroom.style_card import Lab
from fittingroom.tryon import compose
from fittingroom.tryon.compose import Alpha
from fittingroom.tryon.doubts import doubt_in_words, doubts_about
from fittingroom.tryon.nearness import Nearness, nearness
from fittingroom.tryon.settings import TryOnSettings
from fittingroom.tryon.targets import Found, Target, number_garments, take
from fittingroom.tryon.wording import Taken


class GarmentTranslator(Protocol):
    """Anything that paints a garment in a style: `fittingroom.translation.predict.Translator`, or a stand-in."""

    def translate(self, image_rgb: RGB, mask: Mask, dyes: Sequence[Lab] | None = None) -> RGB:
        """(S, S, 3) garment on white and its mask to (S, S, 3), in ``dyes`` where there are any."""
        ...


@runtime_checkable
class PatternPainter(Protocol):
    """A translator whose pattern can be as fine as is asked for, and as sharp as the photo."""

    @property
    def takes_repeat(self) -> bool:
        """Whether these weights can."""
        ...

    def translate(
        self, image_rgb: RGB, mask: Mask, dyes: Sequence[Lab] | None = None, repeat: Repeat | None = None
    ) -> RGB:
        """As `GarmentTranslator.translate`, with ``repeat`` or the style's own."""
        ...

    def paint(
        self, image_rgb: RGB, mask: Mask, dyes: Sequence[Lab] | None = None, repeat: Repeat | None = None
    ) -> Painting:
        """What `GarmentTranslator.translate` mixes."""
        ...


@dataclass(frozen=True, eq=False)
class Changed:
    """One garment before and after.

    Attributes:
        found: which one of the photo's it is.
        garment_image: (S, S, 3), the old garment as the generator saw it.
        garment_mask: bool (S, S).
        translated: (S, S, 3), the new garment as the generator painted it.
        new_garment: (H, W, 3), the new garment on a white sheet of the photo's size.
        alpha: float (H, W), 0 to 1: how much of it shows.
        colour: how near ``translated`` came to the cloth of the settings, dye by dye; empty where they have none.
        doubts: what speaks against its mask, in words.
    """

    found: Found
    garment_image: RGB
    garment_mask: Mask
    translated: RGB
    new_garment: RGB
    alpha: Alpha
    colour: tuple[Nearness, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class TryOnResult:
    """A try-on with its in-between pictures.

    Attributes:
        image: (H, W, 3), or (H, W, 4) with the input's own alpha channel where it came with one.
        alpha: float (H, W), 0 to 1: how much of the new garments shows. Where it is 0, ``image`` is the input.
        new_garments: (H, W, 3), the new garments on a white sheet of the photo's size.
        changed: the garments that were changed, the largest first; ``garment``, ``box`` and ``colour`` are the first's.
        found: every garment that was found.
        taken: which garments were changed, in words, and why they were.
        seconds: what each step took.
    """

    image: RGB
    alpha: Alpha
    new_garments: RGB
    changed: tuple[Changed, ...]
    found: tuple[Found, ...]
    taken: Taken
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def garment(self) -> Garment:
        """The garment that was changed; of several the largest."""
        return self.changed[0].found.garment

    @property
    def box(self) -> Box:
        """Its box in the photo."""
        return self.garment.box_xyxy

    @property
    def colour(self) -> tuple[Nearness, ...]:
        """How near it came to the cloth of the settings."""
        return self.changed[0].colour

    @property
    def doubt(self) -> str:
        """One sentence on the masks that are doubtful; empty where none is."""
        return doubt_in_words([(each.found, each.doubts) for each in self.changed])

    def garments(self) -> list[dict[str, Any]]:
        """Every garment found, as JSON values, and whether it was changed."""
        numbers = {each.found.number for each in self.changed}
        return [each.to_json() | {"changed": each.number in numbers} for each in self.found]


# Step 1: which garment is wanted


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
        raise NoGarmentFound(
            f"no garment was found on the style image: {refused}; a picture of nothing but cloth is taken as such "
            "(--cloth, in a flow cloth=true)"
        ) from None
    return np.ascontiguousarray(lying.rgba[..., :3]), lying.mask, None


# Steps 3 to 10: the picture


def segment_person(
    image: RGB, finder: GarmentFinder, target: Target, score_threshold: float | None = None
) -> tuple[list[Found], list[Found], Taken]:
    """Step 3: every garment on the photo (mask and box), those to change, and the words for them.

    Raises:
        NoGarmentFound: there is none, or not the one that was asked for.
    """
    found = number_garments(finder.find(image, score_threshold))
    chosen, taken = take(found, target)
    return found, chosen, taken


def make_square(image: RGB, mask: Mask, size: int, settings: TryOnSettings) -> tuple[SquareFit, RGB, Mask, RGB, Mask]:
    """Step 4: the garment on a white square, at its own size and, resized as training pictures are, the generator's.

    Returns:
        where it lies; the square (side, side, 3) and its mask; both again at (size, size).

    Raises:
        NoGarmentFound: a sliver, of which nothing is left at (size, size).
    """
    fit = fit_square(mask, settings.margin, settings.grow_pixels(mask))
    square, square_mask = to_square(image, mask, fit)
    rgba = np.dstack([square, np.where(square_mask, np.uint8(255), np.uint8(0))])
    try:
        prepared = prepare_image(rgba, size)
    except NoGarmentFound:
        raise NoGarmentFound("the garment found on the person photo is too thin to be changed") from None
    small, small_mask = np.ascontiguousarray(prepared[..., :3]), prepared[..., 3] > 0
    return fit, square, square_mask, small, small_mask


def translate(
    small: RGB,
    small_mask: Mask,
    translator: GarmentTranslator,
    dyes: Sequence[Lab] | None = None,
    repeat: Repeat | None = None,
) -> RGB:
    """Step 5: the garment in the new style, (size, size, 3), in ``dyes`` and with ``repeat``, or in the style's own."""
    if isinstance(translator, PatternPainter) and translator.takes_repeat:
        return np.asarray(translator.translate(small, small_mask, dyes, repeat), np.uint8)
    return np.asarray(translator.translate(small, small_mask, dyes), np.uint8)


def resize_back(
    translated: RGB,
    small_mask: Mask,
    square: RGB,
    square_mask: Mask,
    settings: TryOnSettings,
    painting: Painting | None = None,
) -> RGB:
    """Step 6: the new garment at the square's own size, with the original's fine detail.

    Its colours are spread over the white surround first: resized with the white it would get a bright rim. Of a
    pattern, where the square is the larger, it is not the colours that are resized but their ``painting``.
    """
    side = square.shape[0]
    if painting is None:
        large = resize(compose.spread_colours(translated, small_mask), side, side)
    else:
        large = compose.mix_at(painting, small_mask, side)
    return compose.add_detail(large, square, square_mask, translated.shape[0], settings.detail)


def mask_photo_and_garment(mask: Mask, fit: SquareFit, settings: TryOnSettings) -> Alpha:
    """Step 9: how much of the new garment shows, (H, W); the rest of each pixel is the photo."""
    alpha = np.zeros(mask.shape, np.float32)
    near = fit.box_xyxy.expand(2).clip(fit.height, fit.width)  # work on the part that changes: photos may be large
    part = (slice(near.y1, near.y2), slice(near.x1, near.x2))
    alpha[part] = compose.feather(mask[part], settings.feather_pixels(mask), settings.grow_pixels(mask))
    return alpha


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
        NoGarmentFound: the photo shows none, not the one that was asked for, or only a sliver of one.
        DoubtfulMask: with strict settings, a mask that is not to be trusted.
    """
    settings = settings or TryOnSettings()
    size = settings.size or int(getattr(translator, "size", 256))
    clock = _Clock()
    photo = np.ascontiguousarray(person[..., :3])
    seen = photo if person.shape[2] == 3 else np.where(person[..., 3:] > 0, photo, WHITE).astype(np.uint8)
    target = Target(target_category, settings.garment, settings.person)
    found, chosen, taken = segment_person(seen, finder, target, settings.score_threshold)
    clock("segment_person")
    doubts = {each.number: doubts_about(seen, each.garment) for each in chosen}
    if settings.strict and any(doubts.values()):
        raise DoubtfulMask(doubt_in_words([(each, doubts[each.number]) for each in chosen]))
    clock("judge_mask")
    changed = tuple(
        replace(each, doubts=doubts[each.found.number])
        for each in _change_all(seen, chosen, translator, size, settings, clock)
    )
    sheet, alpha = compose.stack([(each.new_garment, each.alpha) for each in changed])
    merged = compose.blend(photo, sheet, alpha)
    clock("mask_and_merge")
    image = merged if person.shape[2] == 3 else np.dstack([merged, person[..., 3]])
    return TryOnResult(image, alpha, sheet, changed, tuple(found), taken, clock.seconds)


def _change_all(
    seen: RGB, chosen: Sequence[Found], translator: GarmentTranslator, size: int, settings: TryOnSettings, clock: _Clock
) -> tuple[Changed, ...]:
    """Each garment changed; slivers are left as they are where there is another."""
    changed: list[Changed] = []
    for number, found in enumerate(chosen, 1):
        try:
            changed.append(_change(seen, found, translator, size, settings, clock))
        except NoGarmentFound:
            if number == len(chosen) and not changed:
                raise
    return tuple(changed)


def _change(
    seen: RGB, found: Found, translator: GarmentTranslator, size: int, settings: TryOnSettings, clock: _Clock
) -> Changed:
    """Steps 4 to 9 on one garment."""
    mask = found.garment.mask
    fit, square, square_mask, small, small_mask = make_square(seen, mask, size, settings)
    clock("make_square")
    repeat = Repeat(settings.repeat) if settings.repeat else None
    translated = translate(small, small_mask, translator, settings.dyes, repeat)
    clock("translate")
    colour = nearness(translated, small_mask, settings.pattern, settings.cloth)
    clock("measure_colour")
    painting = None
    if len(square) > size and isinstance(translator, PatternPainter) and translator.takes_repeat:
        painting = translator.paint(small, small_mask, settings.dyes, repeat)
    large = resize_back(translated, small_mask, square, square_mask, settings, painting)
    clock("resize_back")
    sheet = pad_to_photo(crop_to_box(large, fit), fit)
    clock("crop_and_pad")
    alpha = mask_photo_and_garment(mask, fit, settings)
    clock("mask_and_merge")
    return Changed(found, small, small_mask, translated, sheet, alpha, colour)


class _Clock:
    """Seconds of each step, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def __call__(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step] = round(self.seconds.get(step, 0.0) + now - self._last, 4)
        self._last = now
