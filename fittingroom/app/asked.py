"""What the form asks for: a style that is on offer, in its own colours or another, or a garment's picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile

from fittingroom.errors import ImageRejected, InputError
from fittingroom.styles.choose import AvailableStyle
from fittingroom.tryon.wanted import Wish


@dataclass(frozen=True, eq=False)
class Asked:
    """A style's name, or the bytes of a garment's picture, which wins; and how it is to be taken."""

    style: str
    picture: bytes
    wish: Wish


async def read_asked(fields: FormData, styles: Sequence[AvailableStyle]) -> Asked:
    """The form's second step.

    Raises:
        InputError: no style and no picture, a style that is not on offer, a colour beside a picture.
        ImageRejected: a picture without a byte.
    """
    picture, colour = fields.get("picture"), str(fields.get("colour") or "").strip()
    wish = Wish(nearest=bool(fields.get("nearest")), colours=(colour,) if colour else ())
    if isinstance(picture, UploadFile) and (picture.filename or picture.size):
        if not picture.size:
            raise ImageRejected("empty", str(picture.filename), "the garment's picture is empty; choose another")
        if colour:
            raise InputError("a garment's picture brings its own colours; leave out the colour, or the picture")
        return Asked("", await picture.read(), wish)
    wanted = fields.get("style")
    if not isinstance(wanted, str) or not wanted:
        raise InputError("choose a style first")
    return Asked(_style_named(wanted, styles).name, b"", wish)


def _style_named(name: str, styles: Sequence[AvailableStyle]) -> AvailableStyle:
    for style in styles:
        if style.name == name:
            return style
    raise InputError("this style is not on offer any more; choose one of those below")
