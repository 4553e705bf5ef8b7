"""Which world pictures are of: photos, or the rendered sample world; a model is of the world of its training pictures.

The sample world writes `MARK` into every picture as a comment (JPEG's COM, PNG's tEXt), and what is made of such a
picture (a crawled copy, a cut-out, a training picture, a try-on) carries it on. A picture without it counts as a photo.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from fittingroom.errors import ImageRejected, MissingInputError
from fittingroom.opening import opened

RENDERED = "rendered"
PHOTO = "photo"
MARK = "Fittingroom: rendered sample world, not a photo"

WORDS = {RENDERED: "trained on the rendered sample world", PHOTO: "trained on photos"}
"""What a model's domain means, for a person; an unknown one (empty) has no words."""


def is_rendered(source: Path | bytes) -> bool:
    """Whether a picture bears the sample world's mark; False for one that is not there or cannot be read."""
    try:
        with opened(source, header_only=True) as image:
            found = image.info.get("comment") or image.info.get("Comment")
    except (ImageRejected, MissingInputError):
        return False
    return found in (MARK, MARK.encode())


def mark_of(source: Path | bytes) -> str:
    """The comment that a picture made of ``source`` carries on: `MARK`, or nothing."""
    return MARK if is_rendered(source) else ""


def domain_of(pictures: Iterable[Path]) -> str:
    """`RENDERED` where every picture bears the mark, `PHOTO` where one does not, empty for no pictures."""
    domain = ""
    for picture in pictures:
        if not is_rendered(picture):
            return PHOTO
        domain = RENDERED
    return domain


def warn_of_photo(rendered: bool, domains: Mapping[str, str]) -> str:
    """A sentence where models that know the rendered world alone are pointed at a photo; empty where all is well.

    Args:
        rendered: whether the picture of the person is of the rendered world.
        domains: by the models' names ("segmenter", "style red-solid") what each learnt from.
    """
    drawn = [name for name, domain in domains.items() if domain == RENDERED]
    if rendered or not drawn:
        return ""
    who = f"the {' and the '.join(drawn)} {'have' if len(drawn) > 1 else 'has'}"
    return (
        f"{who} seen drawings of the sample world only, and this is a photo: do not trust the result; "
        "train on photos, or choose a workspace without the demo's models (FITTINGROOM_WORKSPACE)"
    )
