"""A try-on from files: the photo, the wanted style by name or picture, and the picture written."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fittingroom.cli.champions import find_segmenter, open_registry
from fittingroom.errors import InputError, NoGarmentFound

if TYPE_CHECKING:
    from fittingroom.garment import GarmentFinder
    from fittingroom.images import RGB
    from fittingroom.styles.choose import AvailableStyle, Choice

LOSSLESS = (".png",)
LOSSY = (".jpg", ".jpeg")


@dataclass(frozen=True)
class TryOnOutcome:
    """What a try-on did, for a person and for a program."""

    output: str
    style: str
    exact: bool
    garment: str
    score: float
    box_xyxy: tuple[int, int, int, int]
    changed_pixels: int
    messages: list[str]
    seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return asdict(self)


def try_on_files(
    person: Path, wanted: str, output: Path, exact: bool = False, segmenter: Path | None = None
) -> TryOnOutcome:
    """Show a garment of ``person`` in the wanted style and write the picture.

    Raises:
        InputError: a photo, style or output that cannot be used, found before any model is loaded where possible.
        NoGarmentFound: nothing to change; no picture is written.
    """
    suffix = output.suffix.lower()
    if suffix not in LOSSLESS + LOSSY:
        raise InputError(f"--output: expected a name ending in .png (or .jpg), got {str(output)!r}")
    from fittingroom.images import read_rgb, read_rgba
    from fittingroom.styles.choose import available_styles, choose_by_name

    photo = read_rgba(person)
    if photo[..., 3].min() == 255:
        photo = photo[..., :3]
    registry = open_registry()
    available = available_styles(registry)
    style_image = read_rgb(Path(wanted)) if Path(wanted).is_file() else None
    choice = choose_by_name(wanted, available) if style_image is None else None
    finder = find_segmenter(segmenter)
    assert finder is not None
    messages = []
    if style_image is not None:
        choice = _style_of(style_image, available, finder, exact)
        messages.append(choice.message)
    assert choice is not None
    champion = registry.champion(f"style-{choice.style.name}")
    assert champion is not None

    from fittingroom.settings import get_settings
    from fittingroom.translation.predict import Translator
    from fittingroom.tryon.pipeline import try_on

    translator = Translator.load(registry.weights_path(champion), device=get_settings().device)
    result = try_on(photo, finder, translator, target_category=choice.style.category or None)
    messages.append(result.message)
    messages += _write(output, result.image)
    return TryOnOutcome(
        output=str(output),
        style=choice.style.name,
        exact=choice.exact,
        garment=result.garment.category,
        score=round(result.garment.score, 4),
        box_xyxy=tuple(result.box),
        changed_pixels=int((result.alpha > 0).sum()),
        messages=messages,
        seconds=result.seconds,
    )


def _style_of(image: RGB, available: list[AvailableStyle], finder: GarmentFinder, exact: bool) -> Choice:
    """The style of a style image: worn by somebody, or lying on a plain ground where a segmenter may see nothing."""
    from fittingroom.cutout import Refused, cut_out
    from fittingroom.garment import Garment
    from fittingroom.styles.choose import choose_style
    from fittingroom.styles.describe import describe_garment
    from fittingroom.tryon.pipeline import pick_style, segment_style_image

    try:
        garment: Garment = segment_style_image(image, finder)
        return pick_style(image, garment, available, exact)[1]
    except NoGarmentFound:
        pass
    try:
        cutout = cut_out(image)
    except Refused as refused:
        raise NoGarmentFound(f"no garment was found on the style image: {refused}") from None
    return choose_style(describe_garment(cutout.rgba[..., :3], cutout.mask), available, exact)


def _write(output: Path, image: RGB) -> list[str]:
    from fittingroom.images import encode_jpeg, flatten_on_white, write_png
    from fittingroom.workspace import write_bytes

    if output.suffix.lower() in LOSSLESS:
        write_png(output, image)
        return []
    write_bytes(output, encode_jpeg(flatten_on_white(image) if image.shape[2] == 4 else image, quality=95))
    return ["JPEG changes every pixel a little; write to .png to keep all but the garment byte for byte"]
