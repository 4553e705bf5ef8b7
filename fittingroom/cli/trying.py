"""A try-on from files: the photo, the wanted style by name or picture, and the picture written."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fittingroom.cli.champions import load_segmenter, open_serving
from fittingroom.errors import InputError, MissingInputError, NoGarmentFound, NothingNear

if TYPE_CHECKING:
    from fittingroom.segmentation.predict import Segmenter
    from fittingroom.tryon.champions import Champions
    from fittingroom.tryon.wanted import Wish


@dataclass(frozen=True)
class TryOnOutcome:
    """What a try-on did, for a person and for a program.

    ``sentence`` says which garment was changed to what; ``messages`` are remarks beside it. ``exact`` is whether the
    style is what was asked for, ``distance`` how far it is from it (`fittingroom.styles.choose.choose_style`),
    ``described`` what a picture of a style showed. ``colour`` has, for each dye of the wanted cloth, what came of it.
    """

    output: str
    style: str
    exact: bool
    distance: float
    described: dict[str, Any] | None
    own_colours: bool
    colour: list[dict[str, Any]]
    garment: str
    score: float
    box_xyxy: tuple[int, int, int, int]
    changed_pixels: int
    sentence: str
    messages: list[str]
    seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return asdict(self)


def try_on_files(
    person: Path, wanted: str, output: Path, wish: Wish | None = None, segmenter: Path | None = None
) -> TryOnOutcome:
    """Show a garment of ``person`` in the wanted style and write the picture.

    Raises:
        InputError: a photo, style or output that cannot be used, found before any model is loaded where possible.
        NoGarmentFound, NothingNear: nothing to change, or no style to change it to; no picture is written.
    """
    from fittingroom.domain import warn_of_photo
    from fittingroom.images import IMAGE_SUFFIXES, REFUSED_SUFFIXES
    from fittingroom.settings import get_settings
    from fittingroom.starter import MESSAGE
    from fittingroom.styles.weights_card import read_card
    from fittingroom.tryon.champions import Champions
    from fittingroom.tryon.nearness import in_words
    from fittingroom.tryon.photo import check_output, read_photo, try_on_photo, write_result
    from fittingroom.tryon.pipeline import TryOnSettings
    from fittingroom.tryon.wanted import find_wanted, is_picture

    if person.is_dir():
        raise InputError(
            f"expected a photo, got a folder: {person}; for many photos use: "
            f"fittingroom run try-on-batch --param persons={person}"
        )
    check_output(output)
    photo = read_photo(person)
    champions = Champions(open_serving(), device=get_settings().device)
    messages = []
    if Path(wanted).is_dir():
        raise InputError(f"style: expected a style's name or a picture, got a folder: {wanted}")
    if Path(wanted).suffix.lower() in IMAGE_SUFFIXES + REFUSED_SUFFIXES and not Path(wanted).exists():
        raise MissingInputError("picture of the style", wanted)
    if not is_picture(wanted):
        champions.serving.refuse_damaged(wanted)
    try:
        own = load_segmenter(segmenter) if segmenter and is_picture(wanted) else None
        found = find_wanted(wanted, champions, wish, own)  # a wrong name is said before a model is loaded
    except NoGarmentFound as error:
        raise NoGarmentFound(f"{wanted}: {error}") from None
    except NothingNear as error:
        raise NothingNear(f"{wanted}: {error.what}", error.way_out) from None
    choice, finder = found.choice, own or _finder(segmenter, champions)
    if found.described:
        messages.append(choice.message)
    if champions.serving.style(choice.style.name).starter:
        messages.insert(0, MESSAGE)
    domains = champions.domains(choice.style.name)
    if segmenter is not None:
        domains["segmenter"] = read_card(segmenter).domain
    if warning := warn_of_photo(photo.rendered, domains):
        messages.append(f"warning: {warning}")
    translator = champions.translator(choice.style.name)
    try:
        settings = TryOnSettings(**found.painting())
        result = try_on_photo(photo, finder, translator, settings, choice.style.category or None)
    except NoGarmentFound as error:
        raise NoGarmentFound(f"{person}: {error}") from None
    sentence = "; ".join(
        part
        for part in (
            result.taken.sentence(found.words()),
            "" if choice.exact else f"{choice.message} (distance {choice.distance:.0f})",
            in_words(result.colour),
        )
        if part
    )
    if loss := write_result(output, result, photo):
        messages.append(loss)
    return TryOnOutcome(
        output=str(output),
        style=choice.style.name,
        exact=choice.exact,
        distance=round(choice.distance, 2),
        described=found.described,
        own_colours=found.dyed,
        colour=[one.to_json() for one in result.colour],
        garment=result.garment.category,
        score=round(result.garment.score, 4),
        box_xyxy=(result.box.x1, result.box.y1, result.box.x2, result.box.y2),
        changed_pixels=int((result.alpha > 0).sum()),
        sentence=sentence,
        messages=messages,
        seconds=result.seconds,
    )


def _finder(weights: Path | None, champions: Champions) -> Segmenter:
    """The segmenter in the file named, or the one that serves."""
    return champions.segmenter() if weights is None else load_segmenter(weights)
