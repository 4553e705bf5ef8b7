"""Before/after sheets: one picture in which a person sees at a glance what a translator does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fittingroom.images import RGB, write_picture
from fittingroom.sheets import Cell, Row, contact_sheet


def before_after(before: Sequence[RGB], after: Sequence[RGB], targets: Sequence[RGB] = (), columns: int = 6) -> RGB:
    """Rows of inputs, each with its outputs below, and a last row of pictures of the wanted style; all of one size."""
    rows: list[Sequence[RGB]] = []
    for start in range(0, len(before), columns):
        rows += [before[start : start + columns], after[start : start + columns]]
    if targets:
        rows.append(targets[:columns])
    cells = [Row([Cell(picture) for picture in row]) for row in rows]
    return contact_sheet(cells, before[0].shape[0], gap=6, paper=(128, 128, 128))  # garments lie on white


def write_sheet(
    path: Path, before: Sequence[RGB], after: Sequence[RGB], targets: Sequence[RGB] = (), columns: int = 6
) -> Path:
    """Write `before_after` atomically and return its path."""
    write_picture(path, before_after(before, after, targets, columns))
    return path
