"""Choosing a style: the one of a style image's colour and pattern, else the nearest there is, said in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fittingroom.appearance.colours import ciede2000, colour_name
from fittingroom.errors import InputError, MissingInputError
from fittingroom.style_card import Lab, StyleCard

PATTERN_PENALTY = 25.0
"""What another pattern costs, in CIEDE2000 units: about the step from red to orange. Between the same two colours
the right pattern wins; a wholly different colour (40 and more) does not win by its pattern."""
UNCERTAIN_PATTERN_PENALTY = 10.0
"""The same where the style image's pattern was read with little confidence."""
CONFIDENT = 0.5


class Description(Protocol):
    """What is known of the style image's garment; `fittingroom.appearance.describe.StyleDescription` is one."""

    @property
    def colour(self) -> str:
        """A basic colour's name."""
        ...

    @property
    def lab(self) -> Sequence[float]:
        """The colour in CIELAB (D65)."""
        ...

    @property
    def pattern(self) -> str:
        """solid, striped, checked, dotted, floral or graphic."""
        ...

    @property
    def confidence(self) -> float:
        """Of the pattern, 0 to 1."""
        ...


@dataclass(frozen=True)
class AvailableStyle(StyleCard):
    """A style that serves."""

    takes_dyes: bool = field(default=False, compare=False)
    """Whether its weights paint their pattern in any colours; nobody's words, so it is no tag."""


@dataclass(frozen=True)
class Choice:
    """The style taken, whether it is what was asked for, a sentence that says so, and how far off it is."""

    style: AvailableStyle
    exact: bool
    message: str
    distance: float = 0.0


def wanted_name(name: str) -> str:
    """A style's name as it is registered, out of what a person typed."""
    return name.strip().lower().replace(" ", "-").replace("_", "-")


def choose_by_name(name: str, available: Sequence[AvailableStyle]) -> Choice:
    """The style of that name; capitals, spaces and underscores are forgiven.

    Raises:
        MissingInputError: there is none; the message lists what there is.
    """
    wanted = wanted_name(name)
    for style in available:
        if style.name == wanted:
            return Choice(style, True, f"style {style.words()}")
    raise MissingInputError("style", name, listing(available))


def choose_style(
    description: Description,
    available: Sequence[AvailableStyle],
    exact: bool = False,
    category: str | None = None,
    own_colours: bool = False,
) -> Choice:
    """The style with the described colour and pattern, else the nearest.

    Distance is CIEDE2000 between the colours, plus `PATTERN_PENALTY` where the patterns differ. Among equals the
    style of the wanted ``category`` wins, then the first by name. With ``own_colours`` the garment is painted in its
    own, so a style that takes dyes is one of its colour.

    Raises:
        InputError: no style at all, or ``exact`` and none matches; the message lists what there is.
    """
    if not available:
        raise InputError("no style is registered yet: train one with `fittingroom train style` or run the lifecycle")
    wanted = f"{description.colour} {description.pattern}"

    def off(style: AvailableStyle) -> float:
        return _distance(description, style, any_colour=own_colours and style.takes_dyes)

    def key(style: AvailableStyle) -> tuple[float, float, bool, str]:
        other = bool(category) and style.category != category
        return off(style), _distance(description, style), other, style.name

    def has_colour(style: AvailableStyle) -> bool:
        return (own_colours and style.takes_dyes) or _same_colour(description, style)

    matching = [s for s in available if s.pattern == description.pattern and has_colour(s)]
    if matching:
        best = min(matching, key=key)
        dyed = own_colours and best.takes_dyes
        message = f"the style image is {wanted}: style {best.words()}" + (
            ", in the picture's own colours" if dyed else ""
        )
        return Choice(best, True, message, off(best))
    if exact:
        raise InputError(f"no style is {wanted}; {listing(available)}")
    best = min(available, key=key)
    message = f"no style is {wanted}; the nearest is {best.words()}"
    if best.pattern != description.pattern and best.pattern:
        message += f", {best.pattern} instead of {description.pattern}"
    return Choice(best, False, message, off(best))


@dataclass(frozen=True)
class _Measured:
    """A style of one's own, as a description: nothing about it is guessed."""

    colour: str
    lab: Lab
    pattern: str
    confidence: float = 1.0


def nearest_style(wanted: StyleCard, available: Sequence[AvailableStyle]) -> AvailableStyle | None:
    """The available style that looks most like ``wanted``, whose colour was measured; None where there is none."""
    if wanted.lab is None or not available:
        return None
    measured = _Measured(wanted.colour, wanted.lab, wanted.pattern)
    return choose_style(measured, available, category=wanted.category).style


def _same_colour(description: Description, style: AvailableStyle) -> bool:
    """By name; a style may be called *navy* by its catalog, so the basic name of its measured colour counts too."""
    names = {style.colour} | ({colour_name(style.lab)} if style.lab else set())
    return description.colour in names


def _distance(description: Description, style: AvailableStyle, any_colour: bool = False) -> float:
    if any_colour:
        colour = 0.0
    elif style.lab is not None:
        colour = float(ciede2000(description.lab, style.lab))
    else:
        colour = 0.0 if style.colour == description.colour else 50.0
    if style.pattern == description.pattern:
        return colour
    sure = math.isfinite(description.confidence) and description.confidence >= CONFIDENT
    return colour + (PATTERN_PENALTY if sure else UNCERTAIN_PATTERN_PENALTY)


def listing(available: Sequence[AvailableStyle]) -> str:
    """What there is, for the message that says what there is not."""
    return "there is " + (", ".join(style.words() for style in available) or "none yet")
