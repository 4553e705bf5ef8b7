"""What a try-on says of the garment it changed. A category is the segmenter's guess, and is never told as a fact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fittingroom.categories import CATEGORY_IDS, group_of
from fittingroom.garment import Garment

_PLURAL = ("shorts", "trousers")
_PARTS = {"upper": "upper-body", "lower": "lower-body", "full": "full-body"}


@dataclass(frozen=True)
class Taken:
    """Which garment was changed (a noun with what is guessed of it), and why it is not of the style's category.

    ``why`` is empty where it is, or where nothing was wanted.
    """

    what: str
    why: str = ""

    def sentence(self, style: str = "") -> str:
        """``changed what is probably a vest to red-solid``; without the style's name where that is known already."""
        to = f" to {style}" if style else ""
        return f"changed {self.what}{to}" + (f"; {self.why}" if self.why else "")


def with_article(category: str) -> str:
    """``a skirt``, ``trousers``, ``short sleeve outwear``: a category as it stands in a sentence."""
    return category if category in _PLURAL or category.endswith("outwear") else f"a {category}"


def describe_taken(taken: Garment, found: Sequence[Garment], wanted: str | None) -> Taken:
    """The words for ``taken``, one of the garments ``found`` on a photo, where a style of ``wanted`` was asked for."""
    guess = f"(probably {with_article(taken.category)})"
    if not wanted:
        return Taken(f"{_one_of(len(found))} {guess}")
    same = sum(garment.category == wanted for garment in found)
    if taken.category == wanted:
        several = f"the largest of {same} garments, each" if same > 1 else "what is"
        return Taken(f"{several} probably {with_article(wanted)}")
    group = group_of(CATEGORY_IDS[wanted])
    part, style = _PARTS[group], f"the style was learnt from pictures of the category {wanted}"
    if taken.group == group:
        return Taken(f"{_one_of(sum(garment.group == group for garment in found), part)} {guess}", style)
    return Taken(f"{_one_of(len(found))} {guess}", f"{style}, and no {part} garment was found")


def _one_of(count: int, part: str = "") -> str:
    noun = f"{part} garment" if part else "garment"
    return f"the only {noun} found" if count == 1 else f"the largest of {count} {noun}s found"
