"""How near a result came to the cloth it was to look like, dye by dye."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fittingroom.appearance.cloth import cloth_of, colour_code, distance
from fittingroom.errors import NoGarmentFound
from fittingroom.images import RGB
from fittingroom.masks import Mask
from fittingroom.style_card import Lab

_WORDS = ((1.0, "the same to the eye"), (2.5, "very near"), (5.0, "near"), (10.0, "another shade"))
_FAR = "another colour"


@dataclass(frozen=True)
class Nearness:
    """One dye of the wanted cloth and what was made of it.

    Attributes:
        part: ``ground`` or ``figure``.
        wanted, got: the colours as ``#rrggbb``.
        ciede2000: the difference between them; 1 is just noticeable.
    """

    part: str
    wanted: str
    got: str
    ciede2000: float

    def words(self) -> str:
        """``#2f6b3a came out as #306c3b, the same to the eye (CIEDE2000 0.4)``."""
        how = next((words for most, words in _WORDS if self.ciede2000 < most), _FAR)
        return f"{self.wanted} came out as {self.got}, {how} (CIEDE2000 {self.ciede2000:.1f})"

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return asdict(self)


def nearness(painted: RGB, mask: Mask, pattern: str, wanted: Sequence[Lab]) -> tuple[Nearness, ...]:
    """Of each ``wanted`` dye, ground first, the nearest colour of the cloth at ``mask`` (S, S) of ``painted``
    (S, S, 3), folds and light left out. Empty where nothing was wanted.

    Args:
        pattern: of the style that was painted.
    """
    if not wanted:
        return ()
    try:
        got = [dye.lab for dye in cloth_of(painted, mask, pattern)]
    except NoGarmentFound:
        return ()
    found = []
    for number, dye in enumerate(wanted):
        nearest = min(got, key=lambda lab: distance(lab, dye))
        part = "figure" if number else "ground"
        found.append(Nearness(part, colour_code(dye), colour_code(nearest), distance(dye, nearest)))
    return tuple(found)


def in_words(found: Sequence[Nearness]) -> str:
    """A sentence on all of them, without a full stop; empty where there are none."""
    return "; ".join(("the ground " if n == 0 and len(found) > 1 else "") + one.words() for n, one in enumerate(found))
