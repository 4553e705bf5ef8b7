"""What a style looks like by its own pictures: the colour and pattern that style images are compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from fittingroom.appearance.describe import describe_garment
from fittingroom.errors import ImageRejected, InputError, NoGarmentFound
from fittingroom.images import read_rgba
from fittingroom.masks import from_white_surround
from fittingroom.style_card import StyleCard

PICTURES = 12
"""Pictures of a style that are measured."""


def measured_style(name: str, pictures: Sequence[Path], category: str = "", pattern: str = "") -> StyleCard:
    """The style as its prepared pictures (RGBA, or RGB on white) show it.

    The colour is the basic colour that most of them are described by, ``lab`` the median of theirs; a shop's own word
    for it (navy, burgundy) would match no description. The pattern is the one given, else the most frequent one.

    Raises:
        InputError: no picture shows a garment.
    """
    found = []
    for path in [path for path in sorted(pictures) if not path.stem.endswith("_flip")][:PICTURES]:
        try:
            picture = read_rgba(path)
        except ImageRejected:
            continue
        rgb, alpha = picture[..., :3], picture[..., 3]
        try:
            found.append(describe_garment(rgb, alpha > 0 if alpha.min() < 255 else from_white_surround(rgb)))
        except NoGarmentFound:
            continue
    if not found:
        raise InputError(f"style {name}: expected pictures of a garment to measure, got none of {len(pictures)}")
    lightness, a, b = (float(median(values)) for values in zip(*(each.lab for each in found), strict=True))
    return StyleCard(
        name,
        Counter(each.colour for each in found).most_common(1)[0][0],
        pattern or Counter(each.pattern for each in found).most_common(1)[0][0],
        category,
        (lightness, a, b),
    )
