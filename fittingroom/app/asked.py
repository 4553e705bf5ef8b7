"""What the form asks for: a style that is on offer, in its own colours or another, or a garment's picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from starlette.datastructures import FormData, UploadFile

from fittingroom.app.words import Refusal
from fittingroom.appearance.choose import AvailableStyle
from fittingroom.appearance.cloth import parse_dye
from fittingroom.errors import InputError, SettingError
from fittingroom.tryon.targets import Target
from fittingroom.tryon.wanted import Wish


@dataclass(frozen=True, eq=False)
class Asked:
    """A style's name, or the bytes of a garment's picture, which wins; how it is to be taken, and what is changed."""

    style: str
    picture: bytes
    wish: Wish
    target: Target


def photo_in(fields: FormData) -> UploadFile:
    """The photo of a form, which lies in memory or in a temporary file until it is read.

    Raises:
        Refusal: there is none, or it has no byte.
    """
    upload = fields.get("photo")
    if not isinstance(upload, UploadFile) or not (upload.filename or upload.size):
        raise Refusal("no_photo")
    if not upload.size:
        raise Refusal("empty_photo")
    return upload


async def read_asked(fields: FormData, styles: Sequence[AvailableStyle]) -> Asked:
    """The form's second step.

    Raises:
        Refusal: no style and no picture, a style that is not on offer or a picture without a byte; what is no colour,
            or one next to a picture or for a style that has its own alone.
    """
    picture, colour = fields.get("picture"), str(fields.get("colour") or "").strip()
    wish = Wish(nearest=bool(fields.get("nearest")), colours=(colour,) if colour else ())
    garment, person = (str(fields.get(name) or "") for name in ("garment", "person"))
    try:
        target = Target(garment=garment, person=person)
    except SettingError:
        raise Refusal("no_target") from None
    if isinstance(picture, UploadFile) and (picture.filename or picture.size):
        if not picture.size:
            raise Refusal("empty_picture")
        if colour:
            raise Refusal("two_colours")
        return Asked("", await picture.read(), replace(wish, cloth=bool(fields.get("cloth"))), target)
    wanted = fields.get("style")
    if not isinstance(wanted, str) or not wanted:
        raise Refusal("no_style")
    style = _style_named(wanted, styles)
    if colour:
        try:
            parse_dye(colour)
        except InputError:
            raise Refusal("no_colour", got=colour) from None
        if not style.takes_dyes:
            raise Refusal("own_colours", style=style.name)
    return Asked(style.name, b"", wish, target)


def _style_named(name: str, styles: Sequence[AvailableStyle]) -> AvailableStyle:
    for style in styles:
        if style.name == name:
            return style
    raise Refusal("gone_style")
