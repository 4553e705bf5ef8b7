"""What a shopper would see: the masks that are served, on whole photos and on close-ups, not averages over scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from fittingroom.categories import CATEGORY_NAMES, group_of
from fittingroom.segmentation.compare import Compared

GOOD, POOR = 0.85, 0.7
"""IoU from which a mask is good, and below which it is poor."""
MOST_OF = 0.5
"""A mask that covers at least this share of two garments merges them."""
PIECE_OF = 0.25
"""A garment is split when two masks lie mostly on it and cover at least this share of it each."""
LEAST_IN_GROUP = 5
"""Garments a group needs to be reported."""
BODY_IN_BOX = ((0.05, "little"), (0.15, "some"), (1.0, "much"))
"""Upper bounds of the share of a garment's box that is skin or hair, and their names."""

DIFFICULTIES: dict[str, dict[int, str]] = {
    "scale": {1: "small", 2: "moderate", 3: "large"},
    "occlusion": {1: "slight", 2: "medium", 3: "heavy"},
    "zoom_in": {1: "no", 2: "medium", 3: "large"},
    "viewpoint": {1: "not worn", 2: "frontal", 3: "side or back"},
}
"""Degrees as DeepFashion2 numbers and names them."""


@dataclass(frozen=True)
class ServedFigures:
    """Of some pictures, each asked for one garment: its IoU with the served mask that covers it best, 0 to 1.

    ``skin_changed`` and ``hair_changed`` are the mean shares of the skin and hair on a picture that lie inside that
    mask, which a try-on would paint; None where no part map tells.
    """

    pictures: int
    iou: float
    good: float
    """Share of pictures of an IoU above 0.85."""
    poor: float
    """Share of pictures of an IoU below 0.7, those where nothing is found among them."""
    skin_changed: float | None
    hair_changed: float | None
    merged: int
    """Served masks that take two garments or more for one."""
    split: int
    """Labelled garments served in two pieces or more."""

    def to_row(self) -> dict[str, float]:
        """The figures that there are, by name."""
        return {name.replace("_", " "): value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Group:
    """Labelled garments that are alike in one field."""

    field: str
    degree: str
    garments: int
    iou: float
    """Mean over them of the IoU with the best served mask."""
    poor: float
    """Share below 0.7."""


def served_figures(compared: Sequence[Compared], threshold: float, upper: bool = False) -> ServedFigures:
    """Figures of pictures at a serving threshold; each is asked for its largest garment.

    Args:
        compared: the pictures.
        threshold: 0 to 1, the least score that is served.
        upper: ask for the largest garment of the upper body, where there is one.
    """
    asked = [(each, _asked_for(each, upper)) for each in compared if each.categories.size]
    ious, changed = [], {"skin": [], "hair": []}  # type: ignore[var-annotated]
    for each, garment in asked:
        served = each.scores >= threshold
        column = each.mask_ious[served, garment]
        ious.append(float(column.max(initial=0.0)))
        # With no mask on the garment a try-on takes the largest there is; with none at all it changes nothing.
        taken = None if not column.size else int(column.argmax() if column.any() else each.found_areas[served].argmax())
        for part, shares in each.covered.items():
            changed[part].append(0.0 if taken is None else float(shares[served][taken]))
    merged, split = (sum(counts) for counts in zip(*(_confusions(each, threshold) for each in compared), strict=True))
    return ServedFigures(
        len(ious),
        float(np.mean(ious)) if ious else 0.0,
        float(np.mean(np.array(ious) > GOOD)) if ious else 0.0,
        float(np.mean(np.array(ious) < POOR)) if ious else 0.0,
        float(np.mean(changed["skin"])) if changed["skin"] else None,
        float(np.mean(changed["hair"])) if changed["hair"] else None,
        merged,
        split,
    )


def worst_groups(whole: Sequence[Compared], near: Sequence[Compared], threshold: float) -> tuple[Group, ...]:
    """Garments by view, category, DeepFashion2's fields and what is before them, worst IoU first.

    All of the garments on ``whole`` photos, and of the close-ups ``near`` the one each was cut around.
    """
    members: dict[tuple[str, str], list[float]] = {}
    for view, pictures in (("whole photo", whole), ("close-up", near)):
        for each in pictures:
            best = each.mask_ious[each.scores >= threshold].max(axis=0, initial=0.0)
            asked = range(len(best)) if view == "whole photo" else [_asked_for(each, upper=True)]
            for number in asked:
                for key in (("view", view), *_groups_of(each, number)):
                    members.setdefault(key, []).append(float(best[number]))
    groups = [
        Group(*key, len(ious), float(np.mean(ious)), float(np.mean(np.array(ious) < POOR)))
        for key, ious in members.items()
        if len(ious) >= LEAST_IN_GROUP
    ]
    return tuple(sorted(groups, key=lambda group: (group.iou, group.field, group.degree)))


def _asked_for(each: Compared, upper: bool) -> int:
    areas = each.areas.astype(float)
    own = np.array([group_of(int(number)) == "upper" for number in each.categories])
    return int(np.where(own, areas, -1.0).argmax() if upper and own.any() else areas.argmax())


def _confusions(each: Compared, threshold: float) -> tuple[int, int]:
    """Masks that merge garments, and garments that are split."""
    served = each.scores >= threshold
    if not served.any() or not each.areas.size:
        return 0, 0
    ious, found = each.mask_ious[served], each.found_areas[served].astype(np.float64)[:, None]
    shared = ious / (1 + ious) * (found + each.areas)  # IoU and both areas say how much is shared
    of_garment: NDArray[np.float64] = shared / each.areas
    merged = (of_garment >= MOST_OF).sum(1) >= 2
    pieces = (of_garment >= PIECE_OF) & (shared / np.maximum(found, 1) >= MOST_OF)
    return int(merged.sum()), int((pieces.sum(0) >= 2).sum())


def _groups_of(each: Compared, number: int) -> Iterator[tuple[str, str]]:
    yield "category", CATEGORY_NAMES[int(each.categories[number])]
    for field, degrees in DIFFICULTIES.items():
        degree = each.fields[number].get(field)
        if degree in degrees:
            yield field, degrees[degree]
    share = each.body_in_box[number]
    if not np.isnan(share):
        yield "skin and hair in its box", next(name for most, name in BODY_IN_BOX if share <= most)
