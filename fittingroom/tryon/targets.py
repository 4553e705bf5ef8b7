"""Which garments of a photo are changed: those a person asked for, else the one of the style's own kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fittingroom.categories import CATEGORY_IDS, group_of
from fittingroom.errors import InputError, NoGarmentFound, SettingError
from fittingroom.garment import Garment
from fittingroom.names import nearest
from fittingroom.tryon.wording import Taken, describe_taken, with_article

GROUPS = ("upper", "lower", "full")
ALL = "all"
SAME_PERSON = 0.5
"""Garments whose boxes share this much of the narrower one's width are one person's: people stand side by side."""
BYSTANDER = 0.1
"""Who shows less cloth than this share of the largest person's is not counted: a stray find, or somebody far away."""
CONTAINED = 0.7
"""Of a garment that lies by this share inside a larger one's mask, the larger is changed."""
LEAST_OF_GROUP = 0.3
"""A garment of the style's category that is smaller than this share of the largest on that part of the body is rather
a piece of it under a wrong name: categories are guesses. docs/results.md has what it is worth."""


@dataclass(frozen=True)
class Target:
    """What somebody wants changed. Empty fields leave it to the style and to the photo.

    Attributes:
        category: the style's own, a DeepFashion2 category.
        garment: a category, ``upper``, ``lower``, ``full``, a number as `Found` counts them, or ``all``.
        person: a number, counted from the left, or ``all``.

    Raises:
        InputError: a category that there is none of. SettingError: another field that means nothing.
    """

    category: str | None = None
    garment: str = ""
    person: str = ""

    def __post_init__(self) -> None:
        if self.category and self.category not in CATEGORY_IDS:
            raise InputError(f"category: expected one of {', '.join(CATEGORY_IDS)}, got {self.category!r}")
        words = (*GROUPS, ALL, *CATEGORY_IDS)
        if self.garment and self.garment not in words and not _is_number(self.garment):
            meant = nearest(self.garment, words)
            hint = f"; did you mean {meant}?" if meant else f" ({', '.join(CATEGORY_IDS)})"
            raise SettingError("garment", self.garment, f"all, upper, lower, full, a number or a category{hint}")
        if self.person and self.person != ALL and not _is_number(self.person):
            raise SettingError("person", self.person, "a number, counted from the left, or all")


@dataclass(frozen=True, eq=False)
class Found:
    """A garment found on a photo. ``number``: 1 is the largest; ``person``: 1 stands furthest to the left."""

    number: int
    person: int
    garment: Garment

    def to_json(self) -> dict[str, Any]:
        """As a JSON value; ``share`` is of the photo's pixels."""
        garment = self.garment
        return {
            "number": self.number,
            "person": self.person,
            "category": garment.category,
            "group": garment.group,
            "score": round(garment.score, 4),
            "box_xyxy": list(garment.box_xyxy),
            "share": round(garment.area / garment.mask.size, 4),
        }

    def __str__(self) -> str:
        return f"{self.number} probably {with_article(self.garment.category)}"


def number_garments(garments: Sequence[Garment]) -> list[Found]:
    """The garments with their numbers and whose they are, the largest first."""
    ordered = sorted(garments, key=lambda garment: garment.area, reverse=True)
    people: list[list[Garment]] = []
    for garment in ordered:
        near = max(people, key=lambda person: _shared_width(person[0], garment), default=None)
        if near is not None and _shared_width(near[0], garment) >= SAME_PERSON:
            near.append(garment)
        else:
            people.append([garment])
    cloth = [sum(garment.area for garment in person) for person in people]
    for person, shown in reversed(list(zip(people, cloth, strict=True))):  # small ones go to whom they are nearest
        if shown < BYSTANDER * max(cloth):
            people.remove(person)
            min(people, key=lambda other: abs(_centre(other[0]) - _centre(person[0]))).extend(person)
    people.sort(key=lambda person: _centre(person[0]))
    whose = {id(garment): number for number, person in enumerate(people, 1) for garment in person}
    return [Found(number, whose[id(garment)], garment) for number, garment in enumerate(ordered, 1)]


def take(found: Sequence[Found], target: Target) -> tuple[list[Found], Taken]:
    """The garments to change, the largest first, and the words for them.

    Of several people the one who shows most cloth nearest the middle is taken. Of that person's garments: the largest
    of the style's category, unless it is little of what covers that part of the body; else the largest that covers it;
    else the largest. A find that lies on another of the same part of the body, of which the segmenter is surer, is a
    piece of that.

    Raises:
        NoGarmentFound: none, or not the one that was asked for.
    """
    if not found:
        raise NoGarmentFound(
            "no garment was found on the person photo; try one that shows the garment larger, from the front"
        )
    people = sorted({each.person for each in found})
    if _is_number(target.garment):
        chosen = [each for each in found if each.number == int(target.garment)]
        if not chosen:
            raise NoGarmentFound(f"garment {target.garment} was not found on the person photo; found: {_listed(found)}")
        return chosen, Taken(f"garment {target.garment} of {len(found)} (probably {_guess(chosen[0])})")
    if _is_number(target.person) and int(target.person) not in people:
        raise NoGarmentFound(f"person {target.person} was not found on the photo; people with garments: {len(people)}")
    if target.person == ALL:
        whom = people
    else:
        whom = [int(target.person) if target.person else _in_the_middle(found, people)]
    asked = [(person, _asked_of([each for each in found if each.person == person], target)) for person in whom]
    chosen = sorted((each for _, garments in asked for each in garments), key=lambda each: each.number)
    if not chosen:
        raise NoGarmentFound(
            f"no garment of the kind {target.garment} was found on the person photo; found: {_listed(found)}"
        )
    return chosen, _words(found, chosen, target, people)


def _asked_of(own: Sequence[Found], target: Target) -> list[Found]:
    """Of one person's garments, sorted by size, those that are asked for."""
    if target.garment in CATEGORY_IDS:
        return [each for each in own if each.garment.category == target.garment][:1]
    own = [each for each in own if not any(_piece_of(each.garment, other.garment) for other in own)]
    if target.garment == ALL:
        kept: list[Found] = []
        for each in own:
            if not any(_inside(each.garment, larger.garment) for larger in kept):
                kept.append(each)
        return kept
    if target.garment in GROUPS:
        return [each for each in own if each.garment.group == target.garment][:1]
    return [_largest_that_suits(own, target.category)]


def _largest_that_suits(own: Sequence[Found], category: str | None) -> Found:
    if not category:
        return own[0]
    group = group_of(CATEGORY_IDS[category])
    of_group = [each for each in own if each.garment.group == group]
    if not of_group:
        return own[0]
    least = LEAST_OF_GROUP * of_group[0].garment.area
    of_category = (each for each in of_group if each.garment.category == category and each.garment.area >= least)
    return next(of_category, of_group[0])


def _words(found: Sequence[Found], chosen: Sequence[Found], target: Target, people: Sequence[int]) -> Taken:
    persons = {each.person for each in chosen}
    own = [each for each in found if each.person in persons]
    if len(chosen) > 1:
        said = Taken(f"{len(chosen)} garments ({', '.join(_guess(each) for each in chosen)}, each a guess)")
    elif target.garment in CATEGORY_IDS:
        said = Taken(f"what is probably {_guess(chosen[0])}, as asked for,")
    elif target.garment in GROUPS:
        said = Taken(f"the {target.garment} garment asked for (probably {_guess(chosen[0])})")
    else:
        said = describe_taken(chosen[0].garment, [each.garment for each in own], target.category)
    if len(people) == 1:
        return said
    if len(persons) > 1:
        return Taken(f"{said.what} on {len(persons)} people", said.why)
    how = "" if target.person else "; the one who shows most near the middle"
    return Taken(f"{said.what} on person {chosen[0].person} of {len(people)} (from the left{how})", said.why)


def _in_the_middle(found: Sequence[Found], people: Sequence[int]) -> int:
    """Who shows most cloth, counted half at the photo's sides."""
    width = found[0].garment.mask.shape[1]

    def weight(person: int) -> float:
        own = [each.garment for each in found if each.person == person]
        return float(sum(g.area * (1 - 0.5 * abs(_centre(g) - width / 2) / (width / 2)) for g in own))

    return max(people, key=weight)


def _shared_width(one: Garment, other: Garment) -> float:
    a, b = one.box_xyxy, other.box_xyxy
    return (min(a.x2, b.x2) - max(a.x1, b.x1)) / max(min(a.width, b.width), 1)


def _centre(garment: Garment) -> float:
    box = garment.box_xyxy
    return (box.x1 + box.x2) / 2


def _inside(small: Garment, large: Garment) -> bool:
    return bool((small.mask & large.mask).sum() >= CONTAINED * small.area)


def _piece_of(one: Garment, other: Garment) -> bool:
    return one.group == other.group and one.score < other.score and _inside(one, other)


def _guess(found: Found) -> str:
    return with_article(found.garment.category)


def _listed(found: Sequence[Found]) -> str:
    return ", ".join(map(str, found))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < len(text) < 4 and int(text) > 0
