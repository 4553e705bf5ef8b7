"""Pictures to look at: pairs side by side, and the contact sheet of persons (rows) in styles (columns)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from fittingroom.errors import NothingProduced
from fittingroom.images import RGB, read_rgb, resize, write_png
from fittingroom.segmentation.overlay import font

_INK, _FAINT, _PAPER, _CELL_PAPER = (28, 30, 34), (110, 114, 122), (255, 255, 255), (244, 245, 247)
_GAP, _HEADER = 12, 34


@dataclass(frozen=True)
class SheetRow:
    """One person: a name, the photo, the photo with its mask, and the result of each style by name."""

    name: str
    photo: Path
    overlay: Path | None = None
    results: dict[str, Path] = field(default_factory=dict)


def side_by_side(pictures: Sequence[tuple[str, RGB]], height: int = 320) -> RGB:
    """Pictures of one height beside each other, each under its title."""
    cells = [(title, _to_height(picture, height)) for title, picture in pictures]
    width = sum(cell.shape[1] for _, cell in cells) + _GAP * (len(cells) + 1)
    sheet = Image.new("RGB", (width, height + _HEADER + _GAP), _PAPER)
    draw, x = ImageDraw.Draw(sheet), _GAP
    for title, cell in cells:
        draw.text((x, 9), title, font=font(16), fill=_INK)
        sheet.paste(Image.fromarray(cell), (x, _HEADER))
        x += cell.shape[1] + _GAP
    return np.array(sheet)


def contact_sheet(rows: Sequence[SheetRow], cell: int = 320) -> RGB:
    """Rows are persons; columns the photo, its mask and every style. A style a row lacks is an empty cell.

    Raises:
        NothingProduced: no rows.
    """
    if not rows:
        raise NothingProduced("contact sheet: expected at least one person, got none")
    styles = list(dict.fromkeys(style for row in rows for style in row.results))
    columns = ["photo", *(["garment found"] if any(row.overlay for row in rows) else []), *styles]
    shape = (_GAP + len(columns) * (cell + _GAP), _HEADER + len(rows) * (cell + _GAP))
    sheet = Image.new("RGB", shape, _PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(columns):
        left = _GAP + column * (cell + _GAP)
        draw.text((left + cell // 2, _HEADER // 2), title, font=font(18), fill=_INK, anchor="mm")
    for number, row in enumerate(rows):
        top = _HEADER + number * (cell + _GAP)
        known = {"photo": row.photo, "garment found": row.overlay, **row.results}
        for column, title in enumerate(columns):
            left = _GAP + column * (cell + _GAP)
            draw.rectangle((left, top, left + cell - 1, top + cell - 1), fill=_CELL_PAPER)
            path = known.get(title)
            if path is None:
                draw.text((left + cell // 2, top + cell // 2), "none", font=font(16), fill=_FAINT, anchor="mm")
                continue
            picture = _to_fit(read_rgb(path), cell)
            offset = ((cell - picture.shape[1]) // 2, (cell - picture.shape[0]) // 2)
            sheet.paste(Image.fromarray(picture), (left + offset[0], top + offset[1]))
    return np.array(sheet)


def write_contact_sheet(path: Path, rows: Sequence[SheetRow], cell: int = 320) -> Path:
    """Write `contact_sheet` as a PNG and return its path."""
    write_png(path, contact_sheet(rows, cell))
    return path


def _to_fit(picture: RGB, side: int) -> RGB:
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    return resize(picture, max(round(width * scale), 1), max(round(height * scale), 1))


def _to_height(picture: RGB, height: int) -> RGB:
    return resize(picture, max(round(picture.shape[1] * height / picture.shape[0]), 1), height)
