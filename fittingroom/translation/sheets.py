"""Before/after sheets: one picture in which a person sees at a glance what a translator does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fittingroom.images import RGB, write_picture

GAP = 6


def tile(rows: Sequence[Sequence[RGB]]) -> RGB:
    """Pictures of one size as a grid on grey, (H, W, 3)."""
    height, width = rows[0][0].shape[:2]
    columns = max(len(row) for row in rows)
    sheet = np.full((len(rows) * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), 128, np.uint8)
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            y, x = GAP + r * (height + GAP), GAP + c * (width + GAP)
            sheet[y : y + height, x : x + width] = picture
    return sheet


def before_after(before: Sequence[RGB], after: Sequence[RGB], targets: Sequence[RGB] = (), columns: int = 6) -> RGB:
    """Rows of inputs, each with its outputs below, and a last row of pictures of the wanted style."""
    rows: list[Sequence[RGB]] = []
    for start in range(0, len(before), columns):
        rows += [before[start : start + columns], after[start : start + columns]]
    if targets:
        rows.append(targets[:columns])
    return tile(rows)


def write_sheet(
    path: Path, before: Sequence[RGB], after: Sequence[RGB], targets: Sequence[RGB] = (), columns: int = 6
) -> Path:
    """Write `before_after` atomically and return its path."""
    write_picture(path, before_after(before, after, targets, columns))
    return path
