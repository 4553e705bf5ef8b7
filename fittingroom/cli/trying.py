"""Try-ons from files: a photo or many, the wanted styles by name or picture, and the pictures written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fittingroom.cli.champions import load_segmenter, open_serving
from fittingroom.cli.output import counter, print_counts, print_json, print_named, progress_bar, remark
from fittingroom.errors import InputError, MissingInputError, NoGarmentFound, NothingNear
from fittingroom.locks import locked_if_free
from fittingroom.names import printable

if TYPE_CHECKING:
    from fittingroom.segmentation.predict import Segmenter
    from fittingroom.tryon.folder import Summary
    from fittingroom.tryon.models import Champions
    from fittingroom.tryon.verify import Verification
    from fittingroom.tryon.wanted import Wanted, Wish


@dataclass(frozen=True)
class TryOnOutcome:
    """What a try-on did, for a person and for a program.

    ``sentence`` says which garment was changed to what; ``messages`` are remarks next to it. ``exact`` is whether the
    style is what was asked for, ``distance`` how far it is from it (`fittingroom.appearance.choose.choose_style`),
    ``described`` what a picture of a style showed. ``colour`` has, for each dye of the wanted cloth, what came of it.
    ``garment``, ``score`` and ``box_xyxy`` are those of the garment that was changed, of several the largest;
    ``garments`` lists every one that was found (`fittingroom.tryon.targets.Found.to_json`) and whether it was
    ``changed``; ``doubt`` is what speaks against the mask of the one that was (empty: nothing does).
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
    garments: list[dict[str, Any]]
    changed_pixels: int
    doubt: str
    sentence: str
    messages: list[str]
    seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return asdict(self)


def try_on_files(
    person: Path,
    wanted: str,
    output: Path,
    wish: Wish | None = None,
    segmenter: Path | None = None,
    garment: str = "",
    whose: str = "",
    explain: Path | None = None,
    strict: bool = False,
) -> TryOnOutcome:
    """Show a garment of ``person`` in the wanted style and write the picture.

    Args:
        garment, whose: which one (`fittingroom.tryon.targets.Target`).
        explain: where the ten steps are drawn too.
        strict: refuse a garment whose mask is doubtful.

    Raises:
        InputError: a photo, style or output that cannot be used, found before any model is loaded where possible.
        NoGarmentFound, NothingNear: nothing to change, or no style to change it to; no picture is written.
    """
    from fittingroom.images import read_rgb, write_picture
    from fittingroom.outputs import PICTURE_SUFFIXES, check_output_file
    from fittingroom.registry.starters import MESSAGE
    from fittingroom.settings import get_settings
    from fittingroom.tryon.explain import explanation
    from fittingroom.tryon.models import Champions
    from fittingroom.tryon.nearness import in_words
    from fittingroom.tryon.photo import check_output, read_photo, try_on_photo, warning_of, write_result
    from fittingroom.tryon.provenance import MadeBy, write_mark
    from fittingroom.tryon.settings import TryOnSettings
    from fittingroom.tryon.signing import signer
    from fittingroom.tryon.wanted import is_picture

    check_output(output)
    signer()  # what cannot sign is refused before a model is loaded
    target: dict[str, Any] = {"garment": garment, "person": whose}
    TryOnSettings(**target)  # what means nothing is refused before a model is loaded
    if explain is not None:
        check_output_file(explain, "--explain", PICTURE_SUFFIXES)
    photo = read_photo(person)
    champions = Champions(open_serving(), device=get_settings().device)
    messages = []
    finder = _segmenter(segmenter, champions)
    found = _find(wanted, champions, wish, finder)
    choice = found.choice
    if found.described:
        messages.append(choice.message)
    if champions.serving.style(choice.style.name).starter:
        messages.insert(0, MESSAGE)
    found_by = finder()
    domains, versions = _models(champions, choice.style.name, segmenter)
    translator = champions.translator(choice.style.name)
    try:
        settings = TryOnSettings(**found.painting(), **target, strict=strict)
        result = try_on_photo(photo, found_by, translator, settings, choice.style.category or None)
    except NoGarmentFound as error:
        raise type(error)(f"{person}: {error}") from None
    sentence = "; ".join(
        part
        for part in (
            result.taken.sentence(found.words()),
            "" if choice.exact else f"{choice.message} (distance {choice.distance:.0f})",
            in_words(result.colour),
        )
        if part
    )
    if warning := warning_of(photo, result, domains):
        messages.append(f"warning: {warning}")
    made_by = MadeBy(found.label, versions)
    if explain is not None:
        steps = explanation(photo, result, read_rgb(Path(wanted)) if is_picture(wanted) else None)
        write_picture(explain, steps, write_mark(made_by))
    if loss := write_result(output, result, photo, made_by):
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
        garments=result.garments(),
        changed_pixels=int((result.alpha > 0).sum()),
        doubt=result.doubt,
        sentence=sentence,
        messages=messages,
        seconds=result.seconds,
    )


def is_batch(people: Sequence[Path], styles: Sequence[str], output: Path) -> bool:
    """Whether results go into a folder: for several photos, a folder of them, several styles (none: all that serve), or
    where ``output`` is one."""
    from fittingroom.outputs import PICTURE_SUFFIXES

    into_folder = output.is_dir() and output.suffix.lower() not in PICTURE_SUFFIXES
    return into_folder or len(people) > 1 or len(styles) != 1 or people[0].is_dir()


def try_on_batch(
    people: Sequence[Path],
    wanted: Sequence[str],
    output: Path,
    wish: Wish | None = None,
    segmenter: Path | None = None,
    garment: str = "",
    whose: str = "",
    explain: Path | None = None,
    strict: bool = False,
    quiet: bool = False,
) -> Summary:
    """Show every wanted style on every photo, and write the pictures into a folder.

    Args:
        people: photos, and folders of photos.
        wanted: names or pictures; none for every style that serves.
        explain: is refused: it draws one photo. The others are as in `try_on_files`.

    Raises:
        InputError: photos, styles or a folder that cannot be used, found before any model is loaded where possible.
        NoGarmentFound, NothingNear: a style's picture shows nothing that could be painted.
    """
    from fittingroom.outputs import PICTURE_SUFFIXES, check_output_folder, made_folder
    from fittingroom.registry.starters import MESSAGE
    from fittingroom.settings import get_settings
    from fittingroom.tryon.batch import Look, photos_at_once, share_cores
    from fittingroom.tryon.folder import LOCK, ResultFolder, WantedLook, pictures_in
    from fittingroom.tryon.models import Champions
    from fittingroom.tryon.named import look_name
    from fittingroom.tryon.provenance import MadeBy
    from fittingroom.tryon.settings import TryOnSettings
    from fittingroom.tryon.signing import signer

    photos = pictures_in(people, output)
    if explain is not None:
        raise InputError(f"--explain {explain}: expected one photo, one style and a picture to write")
    if output.suffix.lower() in PICTURE_SUFFIXES and not output.is_dir():
        raise InputError(f"output {output}: expected a folder for several photos or styles, got a picture's name")
    check_output_folder(output, "output")
    signer()
    target: dict[str, Any] = {"garment": garment, "person": whose}
    TryOnSettings(**target)
    serving = open_serving()
    if not wanted:
        sound, failed = serving.sound_styles()
        wanted = [served.name for served in sound]
        for why in failed:
            remark(f"left out: {why}")
        if not wanted:
            raise MissingInputError("style", "any", "none serves; train one: fittingroom train style")
    champions = Champions(serving, get_settings().device, kept=len(wanted))
    finder = _segmenter(segmenter, champions)
    found = {each.label: each for each in (_find(one, champions, wish, finder) for one in wanted)}
    for each in found.values():
        if each.described:
            remark(each.choice.message)
    if any(serving.style(each.style.name).starter for each in found.values()):
        remark(MESSAGE)
    looks = []
    for label, each in found.items():
        domains, versions = _models(champions, each.style.name, segmenter)
        settings = TryOnSettings(**each.painting(), **target, strict=strict)
        name = look_name(label, garment, whose)
        looks.append(WantedLook(name, MadeBy(label, versions), settings, each.style.category or None, domains))

    def load() -> tuple[Segmenter, list[Look]]:
        share_cores(photos_at_once())
        painters = [champions.translator(each.style.name) for each in found.values()]
        return finder(), [
            Look(one.name, painter, one.made_by, one.settings, one.category, one.domains)
            for one, painter in zip(looks, painters, strict=True)
        ]

    with made_folder(output), locked_if_free(output / LOCK) as alone, progress_bar("try on", quiet) as listener:
        if not alone:
            raise InputError(f"{output}: another batch writes into it; wait for its end, or name another folder")
        return ResultFolder(output).try_on(photos, looks, load, counter(listener, len(photos) * len(looks)))


def _find(wanted: str, champions: Champions, wish: Wish | None, finder: Callable[[], Segmenter]) -> Wanted:
    """The style that is wanted; what is wrong with it is said with its name, before a model is loaded if it can be.

    Raises:
        InputError, NoGarmentFound, NothingNear: as `fittingroom.tryon.wanted.find_wanted`.
    """
    from fittingroom.images import IMAGE_SUFFIXES, REFUSED_SUFFIXES
    from fittingroom.tryon.wanted import find_wanted, is_picture

    if Path(wanted).is_dir():
        raise InputError(f"style: expected a style's name or a picture, got a folder: {wanted}")
    if Path(wanted).suffix.lower() in IMAGE_SUFFIXES + REFUSED_SUFFIXES and not Path(wanted).exists():
        raise MissingInputError("picture of the style", wanted)
    if wish and wish.cloth and not is_picture(wanted):
        raise InputError(f"--cloth: expected a picture of cloth as the style, got a style's name: {wanted}")
    if not is_picture(wanted):
        champions.serving.refuse_damaged(wanted)
    try:
        return find_wanted(wanted, champions, wish, finder() if Path(wanted).is_file() else None)
    except NoGarmentFound as error:
        raise NoGarmentFound(f"{wanted}: {error}") from None
    except NothingNear as error:
        raise NothingNear(f"{wanted}: {error.what}", error.way_out) from None


def _models(champions: Champions, style: str, segmenter: Path | None) -> tuple[dict[str, str], dict[str, str]]:
    """By the models' names what they learnt from, and which weights they are; ``segmenter`` is a file instead of the
    one that serves."""
    from fittingroom.registry.intact import known_digest
    from fittingroom.registry.weights_card import check_weights, read_card

    domains, versions = champions.domains(style), champions.weights_of(style)
    if segmenter is not None:
        domains["segmenter"] = read_card(check_weights(segmenter, "segmenter weights", "segmenter")).domain
        versions["segmenter"] = f"sha256 {known_digest(segmenter)}"
    return domains, versions


def _segmenter(weights: Path | None, champions: Champions) -> Callable[[], Segmenter]:
    """What gives the segmenter in the file named, or the one that serves, loaded once."""
    return champions.segmenter if weights is None else cache(partial(load_segmenter, weights))


def report_batch(summary: Summary, output: Path, as_json: bool) -> None:
    """Say what became of a batch."""
    from fittingroom.tryon.folder import MANIFEST

    manifest = output / MANIFEST
    if as_json:
        print_json({"output": str(output), "manifest": str(manifest), **asdict(summary)})
        return
    lines = [f"{row['photo']}: {row['style']}: {row['error']}" for row in summary.without]
    print_named(lines, str(manifest), stderr=True)
    if summary.doubted:
        remark(f"warning: {summary.doubted} of the results may be wrong: see warning in {manifest}")
    print_counts(summary.counts)
    print(f"{manifest}; {', '.join(summary.sheets)}")


def report_verification(found: Verification, result: Path, as_json: bool) -> None:
    """Say what came of comparing a result with its photo."""
    if as_json:
        print_json(found.to_json())
        return
    if found.marked:
        print(f"marked as changed by AI: {found.tool}, style {found.style} ({found.models})")
    if found.changed_share is not None:
        box = f", within {tuple(found.changed_box_xyxy)}" if found.changed_box_xyxy else ""
        print(f"{found.changed_share:.1%} of the pixels differ from the photo{box}")
    if found.signature:
        print(printable(f"signed by {found.signature['signed']}: {found.signature['state']}"))
    for reason in found.reasons:
        remark(f"{result}: {reason}")
    if found.verified:
        print("every pixel outside the changed region is the photo's")
