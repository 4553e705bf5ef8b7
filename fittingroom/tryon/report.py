"""The report of a lifecycle or a retraining: one HTML file that needs nothing else, not even a network, to be read.

Everything in it that came from outside (names, reasons, file names) is escaped; pictures are put in as data URIs and
curves as inline SVG; it runs no script and loads nothing.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fittingroom.checks.check import Check
from fittingroom.errors import FittingroomError, NothingProduced
from fittingroom.images import RGB, at_most, read_rgb
from fittingroom.sheets import Cell, Row, contact_sheet
from fittingroom.training.progress import history
from fittingroom.tryon.charts import Curve, figure, svg_chart
from fittingroom.workspace import write_text

_MAX_POINTS = 300


@dataclass(frozen=True)
class StageRow:
    """One stage of the run, one after the other: the wall clock it took, how it ended, and the work done in it.

    Work that went on at once, or was found done, adds up to another time than the wall clock's; ``detail`` says it.
    """

    name: str
    seconds: float
    state: str = "Completed"
    detail: str = ""


@dataclass(frozen=True)
class FigureRow:
    """One figure in plain words; ``good`` says what is ("1 is perfect; at least 0.5 passes"), ``held`` whether it is.

    ``held`` is None for a figure that no gate looks at.
    """

    name: str
    value: float
    good: str = ""
    held: bool | None = None


@dataclass(frozen=True)
class DataRow:
    """A set of pictures that was used: what it is for, how many there are, the digest of their content, and details."""

    name: str
    use: str
    pictures: int
    digest: str = ""
    detail: str = ""


@dataclass(frozen=True)
class ModelRow:
    """One trained model and its gate's verdict. Paths in ``samples`` are pictures made while it learned."""

    name: str
    version: int | None = None
    passed: bool | None = None
    reasons: list[str] = field(default_factory=list)
    figures: list[FigureRow] = field(default_factory=list)
    curves: dict[str, Curve] = field(default_factory=dict)
    samples: list[str] = field(default_factory=list)
    caption: str = ""
    note: str = ""


@dataclass(frozen=True)
class PictureRow:
    """A picture (a path) and the words under it."""

    path: str
    caption: str = ""


@dataclass(frozen=True)
class TryOnRow:
    """One person: the photo, the photo with its mask, the results by style, and what was said."""

    name: str
    photo: str
    overlay: str = ""
    results: dict[str, str] = field(default_factory=dict)
    message: str = ""


@dataclass(frozen=True)
class RejectedRow:
    """Pictures left out for one reason: how many, some examples by name, and some pictures where there are any."""

    stage: str
    reason: str
    count: int
    examples: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ReportData:
    """All that a report shows; paths are text."""

    title: str
    subtitle: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    command: str = ""
    problems: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    data: list[DataRow] = field(default_factory=list)
    stages: list[StageRow] = field(default_factory=list)
    tryons: list[TryOnRow] = field(default_factory=list)
    models: list[ModelRow] = field(default_factory=list)
    masks: list[PictureRow] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)


def curves_of(progress_file: Path) -> dict[str, Curve]:
    """The values of a training's progress file as curves, thinned to a few hundred points each."""
    curves: dict[str, Curve] = {}
    for event in history(progress_file):
        for name, value in event.values.items():
            if math.isfinite(value):
                curves.setdefault(name, []).append((event.step, value))
    return {name: _thinned(curve) for name, curve in curves.items()}


def _thinned(curve: Curve) -> Curve:
    """Means of equal runs of points, so that no spike is drawn as if it were the rule."""
    if len(curve) <= _MAX_POINTS:
        return curve
    parts = np.array_split(np.asarray(curve, np.float64), _MAX_POINTS)
    return [(float(part[-1, 0]), float(part[:, 1].mean())) for part in parts]


def write_report(path: Path, data: ReportData) -> Path:
    """Write the report atomically and return its path. A picture that cannot be read is said, not fatal."""
    write_text(path, render_report(data))
    return path


def render_report(data: ReportData) -> str:
    """The report as one HTML document."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("fittingroom.tryon", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"picture": picture_uri, "duration": duration, "figure": figure}
    longest = max((stage.seconds for stage in data.stages), default=0.0)
    styles = list(dict.fromkeys(style for row in data.tryons for style in row.results))
    total = sum(stage.seconds for stage in data.stages)
    template = environment.get_template("report.html")
    return template.render(data=data, longest=longest, styles=styles, total=total, charts_of=_charts_of)


_COUNTS = ("pictures", "best_step", "best_epoch")
"""Values of a training that say how many or when: a curve of them tells nothing."""


def persons_sheet(rows: Sequence[TryOnRow], side: int = 320) -> RGB:
    """A contact sheet: rows are persons; columns the photo, its mask and every style; (H, W, 3).

    A style a person lacks is an empty cell.

    Raises:
        NothingProduced: no rows.
    """
    if not rows:
        raise NothingProduced("contact sheet: expected at least one person, got none")
    styles = list(dict.fromkeys(style for row in rows for style in row.results))
    columns = ["photo", *(["garment found"] if any(row.overlay for row in rows) else []), *styles]
    drawn = []
    for number, row in enumerate(rows):
        known = {"photo": row.photo, "garment found": row.overlay, **row.results}
        drawn.append(Row([Cell(known.get(name) or None, "" if number else name) for name in columns]))
    return contact_sheet(drawn, side, square=True)


def _charts_of(model: ModelRow) -> list[Any]:
    """Its curves as SVG, without those of which there is nothing to draw."""
    return [chart for name, curve in model.curves.items() if name not in _COUNTS and (chart := svg_chart(curve, name))]


def picture_uri(path: str | Path, side: int = 640) -> str:
    """A picture file as a data URI, made smaller where its longer side is over ``side``; empty where unreadable."""
    try:
        image = read_rgb(Path(path))
    except (FittingroomError, OSError):
        return ""
    buffer = io.BytesIO()
    Image.fromarray(at_most(image, side)).save(buffer, "WEBP", quality=86, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min 05 s``, ``1 h 02 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
