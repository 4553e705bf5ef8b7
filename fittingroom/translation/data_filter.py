"""Pictures worth learning from: whole garments, and, of a style, those of one colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from fittingroom.appearance.colours import ciede2000
from fittingroom.appearance.describe import describe_garment
from fittingroom.errors import ImageRejected, NoGarmentFound
from fittingroom.images import RGB
from fittingroom.masks import Mask, area, solidity
from fittingroom.translation.dataset import original_name, read_prepared, refuse_few
from fittingroom.translation.settings import StyleSettings


@dataclass(frozen=True, eq=False)
class Picture:
    """A prepared picture: RGB on white (S, S, 3) and its mask (S, S)."""

    path: Path
    image: RGB
    mask: Mask


@dataclass(frozen=True)
class LeftOut:
    """A picture that is not learnt from, and why. ``domain``: ``source`` or ``target``."""

    path: Path
    reason: str
    domain: Literal["source", "target"]

    def to_json(self) -> dict[str, str]:
        """As a JSON value."""
        return {"picture": self.path.name, "reason": self.reason}


@dataclass(frozen=True, eq=False)
class Chosen:
    """Decoded pictures worth learning from, those kept from it, and why each other one was left out."""

    source: list[Picture]
    target: list[Picture]
    held_out: list[Picture]
    left_out: list[LeftOut]


def choose_garments(
    source: Sequence[Path], target: Sequence[Path], held_out: Sequence[Path], settings: StyleSettings
) -> Chosen:
    """Decode all pictures of a training and leave out what its settings call not worth learning from.

    Raises:
        InputError: too few are left of a domain, mirrored twins not counted.
    """
    whole = (settings.image_size, settings.min_cover, settings.min_solidity)
    sources, faults = read_whole_garments(source, *whole)
    held, held_faults = read_whole_garments(held_out, *whole)
    targets, target_faults = read_whole_garments(target, *whole)
    if settings.target_spread:
        targets, other_colours = of_one_colour(targets, settings.target_spread, settings.min_pictures)
        target_faults += other_colours
    for domain, kept, refused in (
        ("source", sources + held, faults + held_faults),
        ("target", targets, target_faults),
    ):
        first = f" ({len(refused)} left out, first: {refused[0][0]}: {refused[0][1]})" if refused else ""
        what = f"pictures worth learning from{first}"
        refuse_few([picture.path for picture in kept], what, domain, settings.min_pictures)
    left_out = [LeftOut(path, reason, "source") for path, reason in faults + held_faults]
    return Chosen(sources, targets, held, left_out + [LeftOut(path, why, "target") for path, why in target_faults])


def rejection_reason(mask: Mask, min_cover: float, min_solidity: float) -> str | None:
    """Why a garment's mask is not worth learning from (a sliver, torn), or None."""
    cover = area(mask) / mask.size
    if cover == 0 or cover < min_cover:
        return f"covers {cover:.1%} of the picture, expected {min_cover:.1%} or more"
    whole = solidity(mask)
    if whole < min_solidity:
        return f"solidity {whole:.2f}, expected {min_solidity:.2f} or more"
    return None


def read_whole_garments(
    paths: Sequence[Path], size: int, min_cover: float = 0.0, min_solidity: float = 0.0
) -> tuple[list[Picture], list[tuple[Path, str]]]:
    """Decode ``paths``; returns the pictures of whole garments, and each other one with why it was left out."""
    pictures: list[Picture] = []
    left_out: list[tuple[Path, str]] = []
    for path in paths:
        try:
            image, mask = read_prepared(path, size)
        except ImageRejected as error:
            left_out.append((path, str(error)))
            continue
        fault = rejection_reason(mask, min_cover, min_solidity)
        if fault:
            left_out.append((path, fault))
        else:
            pictures.append(Picture(path, image, mask))
    return pictures, left_out


def of_one_colour(
    pictures: Sequence[Picture], spread: float, at_least: int = 1
) -> tuple[list[Picture], list[tuple[Path, str]]]:
    """The pictures whose main colour is that of the most typical one, and each other one with why it was left out.

    The most typical picture has the most others within ``spread`` (CIEDE2000) of its colour; what lies within that
    stays, and in any case the ``at_least`` nearest ones. A mirrored twin goes with its original.
    """
    labs: dict[str, tuple[float, float, float]] = {}
    for picture in pictures:
        name = original_name(picture.path)
        if name not in labs:
            try:
                labs[name] = describe_garment(picture.image, picture.mask).lab
            except NoGarmentFound:
                continue
    names = list(labs)
    if not names:
        return list(pictures), []
    colours = np.array([labs[name] for name in names])
    distances = ciede2000(colours[:, None], colours[None])
    neighbours = (distances <= spread).sum(1) - distances.sum(1) / (1 + distances.sum(1).max())
    typical = distances[int(neighbours.argmax())]
    order = np.argsort(typical, kind="stable")
    near = {names[i] for rank, i in enumerate(order) if typical[i] <= spread or rank < at_least}
    kept = [picture for picture in pictures if original_name(picture.path) in near]
    distance = dict(zip(names, typical.tolist(), strict=True))
    left_out = [
        (picture.path, f"its colour is {distance[original_name(picture.path)]:.0f} (CIEDE2000) from the style's")
        for picture in pictures
        if original_name(picture.path) not in near
    ]
    return kept, left_out
