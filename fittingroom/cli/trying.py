"""A try-on from files: the photo, the wanted style by name or picture, and the picture written."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fittingroom.cli.champions import find_segmenter, open_registry


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
    from fittingroom.images import read_rgb
    from fittingroom.settings import get_settings
    from fittingroom.tryon.champions import Champions
    from fittingroom.tryon.photo import check_output, read_photo, try_on_photo, write_result
    from fittingroom.tryon.pipeline import find_style

    check_output(output)
    photo = read_photo(person)
    champions = Champions(open_registry(), device=get_settings().device)
    available = champions.styles()
    messages = []
    if Path(wanted).is_file():
        style_image = read_rgb(Path(wanted))
        finder = find_segmenter(segmenter)
        choice = find_style(style_image, available, finder, exact)
        messages.append(choice.message)
    else:
        choice = find_style(wanted, available)  # a wrong name is said before a model is loaded
        finder = find_segmenter(segmenter)
    translator = champions.translator(choice.style.name)
    result = try_on_photo(photo, finder, translator, target_category=choice.style.category or None)
    messages.append(result.message)
    if loss := write_result(output, result, photo):
        messages.append(loss)
    return TryOnOutcome(
        output=str(output),
        style=choice.style.name,
        exact=choice.exact,
        garment=result.garment.category,
        score=round(result.garment.score, 4),
        box_xyxy=(result.box.x1, result.box.y1, result.box.x2, result.box.y2),
        changed_pixels=int((result.alpha > 0).sum()),
        messages=messages,
        seconds=result.seconds,
    )
