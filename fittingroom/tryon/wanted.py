"""The style somebody wants: by its name, or by a picture of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from fittingroom.errors import MissingInputError
from fittingroom.styles.choose import Choice, choose_by_name

if TYPE_CHECKING:
    from fittingroom.tryon.champions import Champions

_NAME = re.compile(r"[\w -]*")


def is_picture(wanted: str) -> bool:
    """Whether this is a picture's path: no style's name has a dot or a slash in it."""
    return not _NAME.fullmatch(wanted) or Path(wanted).is_file()


def find_wanted(wanted: str, champions: Champions, exact: bool = False) -> Choice:
    """The style of that name, or the one that looks most like the garment on that picture.

    Args:
        wanted: a name, or the path of a picture.
        champions: what serves; its segmenter looks at the picture.
        exact: refuse a style that is only near the wanted one.

    Raises:
        MissingInputError: no such style, or no such picture. ImageRejected: it cannot be decoded.
        NoGarmentFound: the picture shows none.
    """
    from fittingroom.images import read_rgb
    from fittingroom.tryon.pipeline import find_style

    if not is_picture(wanted):
        return choose_by_name(wanted, champions.styles())
    if not Path(wanted).is_file():
        raise MissingInputError("style picture", wanted)
    return find_style(read_rgb(Path(wanted)), champions.styles(), champions.segmenter(), exact)
