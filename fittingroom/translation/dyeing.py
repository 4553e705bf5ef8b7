"""A style's weights are its pattern; what each colour of their palette is for is known, or learnt from what they paint.

A generator with a palette (`networks.PALETTE` slots) says for each pixel how much of which slot it takes, whatever
colours lie in the slots. What its own palette paints on grey cloth has dyes, as any cloth has (`styles.cloth`), and
each slot is one of those, in more or less light, or lies between two. So given other dyes there is a palette that
paints the pattern in them. Weights that were taught with dyes drawn at random have slots whose use is known
(`dyed.SLOTS`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from fittingroom.appearance.cloth import Dye, between
from fittingroom.appearance.colours import lab_to_srgb, srgb_to_lab
from fittingroom.style_card import Lab
from fittingroom.translation.dyed import SLOTS

_SHADOW = (0.5, 1.35)
"""Lightness of a slot over that of the dye whose shadow or light it is."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Slots:
    """What the slots of a palette are for.

    Attributes:
        dyes: the style's own, the ground first.
        mixture: (slots, dyes), rows sum to 1: how much of each dye a slot is.
    """

    dyes: tuple[Dye, ...]
    mixture: Floats

    @classmethod
    def of(cls, palette: NDArray[np.floating], dyes: Sequence[Dye]) -> Slots:
        """Of the style's own ``palette`` (slots, 3), sRGB 0..1, and the ``dyes`` of what it paints."""
        own = np.array([dye.lab for dye in dyes])
        return cls(tuple(dyes), np.stack([_mixture(slot, own) for slot in srgb_to_lab(palette.astype(np.float64))]))

    @classmethod
    def known(cls, palette: NDArray[np.floating], pattern: str) -> Slots:
        """Of weights that were taught with dyes drawn at random, by the ``palette`` (slots, 3), sRGB 0..1, of their
        own: ground and figure, of a plain style the ground. A slot's own light is left out, as what is painted is
        shaded besides: with it a dye would come out in two lights."""
        shares = (0.0,) if pattern == "solid" else (0.0, 1.0)
        own = srgb_to_lab(palette[[SLOTS.index((share, 1.0)) for share in shares]].astype(np.float64))
        mixture = np.array([[1 - share, share] for share, _ in SLOTS])
        dyes = tuple(Dye((float(lightness), float(a), float(b))) for lightness, a, b in own)
        return cls(dyes, mixture if len(dyes) > 1 else np.ones((len(SLOTS), 1)))

    def dyed(self, dyes: Sequence[Lab]) -> NDArray[np.float32]:
        """The palette (slots, 3), sRGB 0..1, that paints in ``dyes``, the ground first.

        One dye alone is the ground's, and figures keep their own; of several the last serves all further figures, and
        those that the style has no figure for are left out.

        Raises:
            ValueError: no dye.
        """
        return lab_to_srgb(self.mixture @ np.array(self.given(dyes))).astype(np.float32)

    def given(self, dyes: Sequence[Lab]) -> list[Lab]:
        """The dye that ground and each figure get, as `dyed` has it."""
        if not dyes:
            raise ValueError("dyes: expected one or more, got none")
        own = [dye.lab for dye in self.dyes]
        rest = own[1:] if len(dyes) == 1 else [dyes[-1]] * len(own)
        return [*dyes, *rest[len(dyes) - 1 :]][: len(own)]


def _mixture(slot: Floats, dyes: Floats) -> Floats:
    """Of which dyes (N, 3) a slot's colour (3,), CIELAB, is: one in other light, or two mixed, whichever is nearer."""
    shares = np.eye(len(dyes))
    found = [(_off_in_light(slot, dye), shares[number]) for number, dye in enumerate(dyes)]
    for first, second in combinations(range(len(dyes)), 2):
        part, off = between(slot, dyes[first], dyes[second])
        found.append((off, (1 - part) * shares[first] + part * shares[second]))
    return np.asarray(min(found, key=lambda one: one[0])[1])


def _off_in_light(slot: Floats, dye: Floats) -> float:
    """How far a colour is from a dye in more or less light."""
    light = float(np.clip(slot[0] / max(dye[0], 1.0), *_SHADOW))
    return float(np.linalg.norm(slot - dye * np.array([light, min(light, 1.0), min(light, 1.0)])))
