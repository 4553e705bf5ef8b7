"""A contact sheet of one style: what was kept and what was refused, each with the digest to overrule it by."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fittingroom import images
from fittingroom.errors import ImageRejected, MissingInputError
from fittingroom.manifest import ImageRow

CELL, _LABEL, _GAP, _HEADING = 132, 30, 8, 30
MOST = 48
"""Pictures of each kind on one sheet."""
DIGITS = 12
"""Characters of the digest that are shown: enough for the file of overrides."""
_INK, _FAINT, _PAPER, _KEPT, _REFUSED = (28, 30, 34), (110, 114, 122), (255, 255, 255), (30, 120, 60), (170, 40, 40)


@dataclass(frozen=True, slots=True)
class SheetCell:
    """One picture, its source's digest, and the reason why it was refused (empty: it was kept)."""

    picture: Path | str  # of a large folder strings: a `Path` takes five times the memory
    digest: str
    reason: str = ""


def contact_sheet(title: str, cells: Sequence[SheetCell], columns: int = 8) -> images.RGB:
    """Kept pictures first, then the refused by reason, at most `MOST` of each, as (H, W, 3).

    A picture that cannot be read any more is an empty cell.
    """
    groups = [
        ("kept", _KEPT, [cell for cell in cells if not cell.reason]),
        ("refused", _REFUSED, sorted((cell for cell in cells if cell.reason), key=lambda cell: cell.reason)),
    ]
    groups = [group for group in groups if group[2]]
    rows = [-(-min(len(group), MOST) // columns) for _, _, group in groups]
    width = _GAP + columns * (CELL + _GAP)
    height = _GAP + sum(_HEADING + count * (CELL + _LABEL + _GAP) for count in rows)
    sheet = Image.new("RGB", (width, max(height, _HEADING)), _PAPER)
    draw, top = ImageDraw.Draw(sheet), _GAP
    for (word, colour, group), count in zip(groups, rows, strict=True):
        shown = f", {MOST} shown" if len(group) > MOST else ""
        draw.text((_GAP, top + 5), f"{title}: {len(group)} {word}{shown}", font=_font(15), fill=colour)
        top += _HEADING
        for number, cell in enumerate(group[:MOST]):
            row, column = divmod(number, columns)
            _draw_cell(sheet, draw, cell, _GAP + column * (CELL + _GAP), top + row * (CELL + _LABEL + _GAP), colour)
        top += count * (CELL + _LABEL + _GAP)
    return np.array(sheet)


def cells_of(folder: Path, rows: Iterable[ImageRow], root: Path | None = None) -> list[SheetCell]:
    """Cells of a cut-out folder's rows: kept ones as they were cut, others as the photo they came from.

    ``root`` is what relative keys are relative to.
    """
    return [
        SheetCell(
            os.path.join(folder, row.path) if row.status == "kept" else os.path.join(root or "", row.key),  # noqa: PTH118
            row.source_sha256,
            "" if row.status == "kept" else row.reason or row.status,
        )
        for row in rows
    ]


def write_sheet(path: Path, title: str, cells: Sequence[SheetCell]) -> Path:
    """Write `contact_sheet`, as JPEG or PNG by its name, and return its path."""
    images.write_picture(path, contact_sheet(title, cells))
    return path


def _draw_cell(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, cell: SheetCell, x: int, y: int, colour: tuple[int, int, int]
) -> None:
    draw.rectangle((x, y, x + CELL - 1, y + CELL - 1), outline=colour)
    try:
        picture = images.read_rgb(Path(cell.picture))
    except (ImageRejected, MissingInputError):
        picture = None
    if picture is not None:
        scale = (CELL - 4) / max(picture.shape[:2])
        small = images.resize(picture, max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1))
        sheet.paste(Image.fromarray(small), (x + (CELL - small.shape[1]) // 2, y + (CELL - small.shape[0]) // 2))
    draw.text((x, y + CELL + 1), cell.digest[:DIGITS], font=_font(11), fill=_INK)
    draw.text((x, y + CELL + 14), cell.reason, font=_font(11), fill=_FAINT)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
