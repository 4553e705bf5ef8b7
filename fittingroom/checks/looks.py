"""What checks see in pictures: how far a style's colours lie apart, and which pictures are nearly one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from fittingroom.appearance.colours import ciede2000, srgb_to_lab
from fittingroom.crawl.images.check import seen
from fittingroom.crawl.images.hashes import HashIndex, same_look
from fittingroom.crawl.settings import CrawlSettings
from fittingroom.errors import ImageRejected, MissingInputError
from fittingroom.images import RGB, read_rgba

MOST_MEASURED = 64
"""Pictures of a style whose colour is measured, evenly spread over the names, which are digests."""
_PIXELS = 2000
"""Of one garment that are looked at."""


def colour_spread(pictures: Sequence[Path]) -> float:
    """Mean difference (CIEDE2000) of the garments' colours to that of the most typical one, which it is smallest for.

    A garment's colour is the mean of its pixels in CIELAB: where a pattern begins changes it little. ``pictures`` are
    prepared ones (RGBA); what cannot be read is passed over, and of fewer than two the spread is 0.
    """
    originals = [path for path in sorted(pictures) if not path.stem.endswith("_flip")]
    colours = []
    for path in originals[:: max(-(-len(originals) // MOST_MEASURED), 1)]:
        try:
            picture = read_rgba(path)
        except (ImageRejected, MissingInputError):
            continue
        inside = picture[..., :3][picture[..., 3] >= 128]
        if len(inside):
            colours.append(srgb_to_lab(inside[:: max(len(inside) // _PIXELS, 1)]).mean(axis=0))
    if len(colours) < 2:
        return 0.0
    found = np.array(colours)
    differences = ciede2000(found[:, None], found[None])
    return float(differences.sum(1).min() / (len(found) - 1))


def near_duplicates(pictures: Iterable[Path], among: Iterable[Path]) -> dict[Path, Path]:
    """Which of ``pictures`` are nearly one of ``among``, and which, as a crawl tells it: by perceptual hash and look.

    Pictures that cannot be read are no duplicates.
    """
    index, looks, by_key = HashIndex(), dict[str, RGB](), dict[str, Path]()
    bits = CrawlSettings.near_duplicate_bits
    for path in among:
        if (known := seen(path)) is not None:
            key = str(path)
            index.put(key, known[0])
            looks[key], by_key[key] = known[1], path
    found = {}
    for path in pictures:
        if (picture := seen(path)) is None:
            continue
        near = (key for key in index.within(picture[0], bits) if same_look(looks[key], picture[1]))
        if (first := next(near, None)) is not None:
            found[path] = by_key[first]
    return found
