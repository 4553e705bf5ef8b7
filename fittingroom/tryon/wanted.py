"""What somebody wants to wear: a style by its name, or a picture of the very garment, and the colours that come of it.

A style's weights are its pattern. Of a picture, its colour and pattern choose the weights, and its own cloth gives the
colours to paint in; a style that is named keeps its own, or takes those that are named with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fittingroom.appearance.choose import AvailableStyle, Choice, choose_by_name, choose_style, listing
from fittingroom.appearance.cloth import Dye, cloth_of, parse_dye
from fittingroom.appearance.repeat import Repeat, repeat_of
from fittingroom.errors import InputError, MissingInputError, NothingNear
from fittingroom.garment import GarmentFinder
from fittingroom.images import RGB

if TYPE_CHECKING:
    from fittingroom.tryon.models import Champions

_NAME = re.compile(r"[\w -]*")


@dataclass(frozen=True)
class Wish:
    """How the wanted style is to be taken.

    Attributes:
        exact: refuse (as wrong input) a style that is only near the wanted one.
        nearest: take the nearest style even where none has the wanted pattern.
        house_colours: a picture chooses the style, which keeps its own colours.
        colours: for a style by its name, the colours to paint it in (`fittingroom.appearance.cloth.parse_dye`), its
            ground first.
        cloth: the whole of a picture is cloth, with no garment to be found on it.
    """

    exact: bool = False
    nearest: bool = False
    house_colours: bool = False
    colours: Sequence[str] = ()
    cloth: bool = False

    def __post_init__(self) -> None:
        if self.exact and self.nearest:
            raise InputError("exact and nearest: expected one of them, got both")
        if self.house_colours and self.colours:
            raise InputError("colour and house colours: expected one of them, got both")


@dataclass(frozen=True)
class Wanted:
    """A style to paint, and the cloth it is to look like.

    Attributes:
        choice: the style taken, and why.
        cloth: the dyes of the wanted cloth, its ground first; empty where a name alone was given.
        dyed: whether it is painted in them, not in the style's own colours.
        repeat: of the picture's pattern; None where it was not seen, or a name alone was given.
        described: what the picture shows (``colour``, ``pattern``, ``confidence``); None for a name.
    """

    choice: Choice
    cloth: tuple[Dye, ...] = ()
    dyed: bool = False
    repeat: Repeat | None = None
    described: dict[str, Any] | None = None

    @property
    def style(self) -> AvailableStyle:
        """The style taken."""
        return self.choice.style

    def painting(self) -> dict[str, Any]:
        """The fields of `fittingroom.tryon.settings.TryOnSettings` that say how to paint it, JSON values; none for a
        style in its own colours, by its name."""
        if not self.cloth:
            return {}
        cloth = [list(dye.lab) for dye in self.cloth]
        painting = {"dyes": cloth if self.dyed else None, "cloth": cloth, "pattern": self.style.pattern}
        return painting | ({"repeat": [list(vector) for vector in self.repeat.vectors]} if self.repeat else {})

    @property
    def label(self) -> str:
        """A name for results: the style's, and the codes of other colours and a repeat (``plain-in-2f6b3a``)."""
        codes = [dye.code.removeprefix("#") for dye in self.cloth] if self.dyed else []
        repeat = [self.repeat.code] if self.repeat else []
        return "-".join([self.style.name, *(["in"] if codes else []), *codes, *repeat])

    def words(self) -> str:
        """For a sentence: ``navy-striped (blue, striped)``, ``red-solid in #2f6b3a``."""
        if not self.dyed:
            return self.style.words()
        return f"{self.style.name} in {' and '.join(dye.code for dye in self.cloth)}"


def is_picture(wanted: str) -> bool:
    """Whether this is a picture's path: no style's name has a dot or a slash in it."""
    return not _NAME.fullmatch(wanted) or Path(wanted).is_file()


def find_wanted(
    wanted: str, champions: Champions, wish: Wish | None = None, finder: GarmentFinder | None = None
) -> Wanted:
    """The style of that name, or the one that has the pattern of the garment on that picture.

    Args:
        wanted: a name, or the path of a picture.
        champions: what serves; its segmenter looks at the picture, unless there is another ``finder``.

    Raises:
        MissingInputError: no such style, or no such picture. ImageRejected: it cannot be decoded.
        NoGarmentFound: the picture shows none. Otherwise as `wanted_by_name` and `wanted_by_picture`.
    """
    from fittingroom.images import read_rgb

    wish = wish or Wish()
    if not is_picture(wanted):
        return wanted_by_name(wanted, champions.styles(), wish)
    if not Path(wanted).is_file():
        raise MissingInputError("style picture", wanted)
    if wish.colours:
        raise InputError(f"colour: a picture brings its own colours; name a style with it, or leave it out: {wanted}")
    return wanted_by_picture(read_rgb(Path(wanted)), champions.styles(), finder or champions.segmenter(), wish)


def wanted_by_name(name: str, available: Sequence[AvailableStyle], wish: Wish) -> Wanted:
    """The style of that name, in its own colours or in those wished for.

    Raises:
        MissingInputError: there is none. InputError: no colour, or a style that has its own alone.
    """
    choice = choose_by_name(name, available)
    cloth = tuple(Dye(parse_dye(colour), 1 / len(wish.colours)) for colour in wish.colours)
    if cloth and not choice.style.takes_dyes:
        raise InputError(
            f"colour: style {choice.style.name} has no colours but its own; train it with skip=palette (the presets "
            "standard, cpu and demo)"
        )
    return Wanted(choice, cloth, dyed=bool(cloth))


def wanted_by_picture(
    image: RGB, available: Sequence[AvailableStyle], finder: GarmentFinder, wish: Wish | None = None
) -> Wanted:
    """The style that has the pattern of the garment on ``image`` (H, W, 3), and the colours of its cloth.

    Where the whole of it is wished to be cloth, ``finder`` is not asked.

    Raises:
        NoGarmentFound: it shows none.
        NothingNear: no style that serves has its pattern, and the nearest is not wished for.
        InputError: no style at all; or an exact one is wished for, and there is none.
    """
    from fittingroom.appearance.describe import describe_garment
    from fittingroom.tryon.steps import style_garment

    wish = wish or Wish()
    if wish.cloth:
        mask, category = np.ones(image.shape[:2], bool), None
    else:
        image, mask, category = style_garment(image, finder)
    seen = describe_garment(image, mask)
    choice = choose_style(seen, available, wish.exact, category, own_colours=not wish.house_colours)
    house_style = wish.house_colours and choice.style.pattern == seen.pattern
    if not (choice.exact or wish.nearest or house_style):
        doubt = (
            "" if seen.confidence >= SURE else f" (the pattern was read with little confidence, {seen.confidence:.0%})"
        )
        raise NothingNear(
            f"{choice.message}{doubt}",
            "nothing was painted: take the nearest all the same (--nearest, in a flow nearest=true), or name a style; "
            + listing(available),
        )
    cloth = cloth_of(image, mask, seen.pattern)
    described = {"colour": seen.colour, "pattern": seen.pattern, "confidence": seen.confidence}
    repeat = repeat_of(image, mask, cloth, seen.pattern) if choice.style.pattern == seen.pattern else None
    return Wanted(choice, cloth, not wish.house_colours and choice.style.takes_dyes, repeat, described)


SURE = 0.5
"""Confidence below which a refusal says that the pattern may have been misread."""
