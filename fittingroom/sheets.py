"""Contact sheets: rows of pictures on one sheet, with headings, titles and notes, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fittingroom.errors import ImageRejected, MissingInputError
from fittingroom.images import RGB, read_rgb, resize

Colour = tuple[int, int, int]
INK: Colour = (28, 30, 34)
_FAINT, _PAPER, _CELL_PAPER = (110, 114, 122), (255, 255, 255), (244, 245, 247)
_TITLE, _NOTE = 34, 14
"""Heights of a heading or a line of titles, and of a line of notes."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture, as (H, W, 3) or as the path of a file (None: an empty cell), its title and the notes under it.

    Files are read while the sheet is drawn, one at a time; one that cannot be read any more is an empty cell.
    """

    picture: RGB | Path | str | None
    title: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """Cells next to each other. ``edge`` is the colour of the heading and of a line around each cell."""

    cells: Sequence[Cell]
    heading: str = ""
    edge: Colour | None = None


def wrapped(cells: Sequence[Cell], columns: int, heading: str = "", edge: Colour | None = None) -> list[Row]:
    """Rows of at most ``columns`` cells, the first under ``heading``."""
    starts = range(0, len(cells), columns)
    return [Row(cells[start : start + columns], "" if start else heading, edge) for start in starts]


def contact_sheet(
    rows: Sequence[Row], height: int = 320, square: bool = False, gap: int = 12, paper: Colour = _PAPER
) -> RGB:
    """Draw ``rows``, each picture ``height`` pixels high, or fitted into a square of that side; (H, W, 3)."""
    drawn = [[_drawn(cell, height, square) for cell in row.cells] for row in rows]
    tops = [sum(_TITLE for titled in (row.heading, any(c.title for c in row.cells)) if titled) for row in rows]
    notes = [_NOTE * max((len(cell.notes) for cell in row.cells), default=0) for row in rows]
    first = 0 if tops and tops[0] else gap
    width = gap + max((sum(picture.shape[1] + gap for picture in pictures) for pictures in drawn), default=0)
    size = (width, first + sum(tops) + sum(notes) + len(rows) * (height + gap))
    sheet = Image.new("RGB", size, paper)
    draw, y = ImageDraw.Draw(sheet), first
    for row, pictures, top, below in zip(rows, drawn, tops, notes, strict=True):
        draw.text((gap, y + _TITLE // 2), row.heading, font=font(16), fill=row.edge or INK, anchor="lm")
        x, y = gap, y + top
        for cell, picture in zip(row.cells, pictures, strict=True):
            wide = picture.shape[1]
            sheet.paste(Image.fromarray(picture), (x, y))
            if row.edge is not None:
                draw.rectangle((x - 1, y - 1, x + wide, y + height), outline=row.edge)
            draw.text((x + wide // 2, y - _TITLE // 2), cell.title, font=font(16), fill=INK, anchor="mm")
            for line, note in enumerate(cell.notes):
                draw.text((x, y + height + 1 + line * _NOTE), note, font=font(11), fill=_FAINT if line else INK)
            x += wide + gap
        y += height + below + gap
    return np.array(sheet)


def side_by_side(pictures: Sequence[tuple[str, RGB]], height: int = 320) -> RGB:
    """Pictures of one height next to each other, each under its title."""
    return contact_sheet([Row([Cell(picture, title) for title, picture in pictures])], height)


def tiled(pictures: Sequence[RGB], columns: int = 6, height: int = 320) -> RGB:
    """Pictures side by side on white, each ``height`` pixels high, ``columns`` a row; (H, W, 3)."""
    return contact_sheet(wrapped([Cell(picture) for picture in pictures], columns), height, gap=8)


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The letters of every sheet and overlay, ``size`` pixels high."""
    return ImageFont.load_default(size)


def _drawn(cell: Cell, height: int, square: bool) -> RGB:
    picture = _read(cell.picture)
    if picture is None:
        empty = Image.new("RGB", (height, height), _CELL_PAPER)
        ImageDraw.Draw(empty).text((height // 2, height // 2), "none", font=font(16), fill=_FAINT, anchor="mm")
        return np.array(empty)
    scale = height / (max(picture.shape[:2]) if square else picture.shape[0])
    small = resize(picture, max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1))
    if not square:
        return small
    fitted = np.full((height, height, 3), _CELL_PAPER, np.uint8)
    top, left = (height - small.shape[0]) // 2, (height - small.shape[1]) // 2
    fitted[top : top + small.shape[0], left : left + small.shape[1]] = small
    return fitted


def _read(picture: RGB | Path | str | None) -> RGB | None:
    if not isinstance(picture, Path | str):
        return picture
    try:
        return read_rgb(Path(picture))
    except (ImageRejected, MissingInputError):
        return None
