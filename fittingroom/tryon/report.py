"""The report of a lifecycle: one HTML file that needs nothing else, not even a network, to be read.

Everything in it that came from outside (names, reasons, file names) is escaped; pictures are put in as data URIs and
curves as inline SVG; it runs no script and loads nothing.
"""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fittingroom.errors import FittingroomError
from fittingroom.images import read_rgb, resize
from fittingroom.training.progress import history
from fittingroom.workspace import write_text

Curve = list[tuple[float, float]]
"""(step, value), by step."""

_MAX_POINTS = 300


@dataclass(frozen=True)
class StageRow:
    """One stage: what it was, how long it took, how it ended (``Completed``, ``Cached``, ``Failed``)."""

    name: str
    seconds: float
    state: str = "Completed"
    detail: str = ""


@dataclass(frozen=True)
class ModelRow:
    """One trained model and its gate's verdict. Paths in ``samples`` are pictures made while it learned."""

    name: str
    version: int | None = None
    passed: bool | None = None
    reasons: list[str] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    samples: list[str] = field(default_factory=list)
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
    """All that a report shows. A JSON value throughout: paths are text."""

    title: str
    subtitle: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    stages: list[StageRow] = field(default_factory=list)
    tryons: list[TryOnRow] = field(default_factory=list)
    models: list[ModelRow] = field(default_factory=list)
    masks: list[PictureRow] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ReportData:
        """From `to_json`'s value."""
        rows = {
            "stages": StageRow,
            "tryons": TryOnRow,
            "models": ModelRow,
            "masks": PictureRow,
            "rejected": RejectedRow,
        }
        known = {f.name for f in fields(cls)}
        own: dict[str, Any] = {
            k: [rows[k](**row) for row in v] if k in rows else v for k, v in values.items() if k in known
        }
        return cls(**own)


def curves_of(progress_file: Path, prefixes: Sequence[str] = ()) -> dict[str, Curve]:
    """The values of a training's progress file as curves, thinned to a few hundred points each.

    Args:
        prefixes: keep only values whose name begins with one of these; all by default.
    """
    curves: dict[str, Curve] = {}
    for event in history(progress_file):
        for name, value in event.values.items():
            if math.isfinite(value) and (not prefixes or name.startswith(tuple(prefixes))):
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
    environment.filters |= {
        "picture": picture_uri,
        "duration": duration,
        "figure": figure,
        "chart": svg_chart,
    }
    longest = max((stage.seconds for stage in data.stages), default=0.0)
    styles = list(dict.fromkeys(style for row in data.tryons for style in row.results))
    total = sum(stage.seconds for stage in data.stages)
    template = environment.get_template("report.html")
    return template.render(data=data, longest=longest, styles=styles, total=total)


def picture_uri(path: str | Path, side: int = 640) -> str:
    """A picture file as a data URI, made smaller where its longer side is over ``side``; empty where unreadable."""
    try:
        image = read_rgb(Path(path))
    except (FittingroomError, OSError):
        return ""
    height, width = image.shape[:2]
    if max(height, width) > side:
        scale = side / max(height, width)
        image = resize(image, max(round(width * scale), 1), max(round(height * scale), 1))
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "WEBP", quality=86, method=4)
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


def figure(value: float) -> str:
    """A number with three digits that matter."""
    if not math.isfinite(value):
        return "–"
    if value and (abs(value) >= 1000 or abs(value) < 0.001):
        return f"{value:.2e}" if abs(value) < 0.001 else f"{value:,.0f}"
    return f"{value:.3g}"


def svg_chart(curve: Sequence[tuple[float, float]], title: str, width: int = 260, height: int = 130) -> Any:
    """One curve as inline SVG (safe markup): the values faint, their running mean strong, first and last step named."""
    from markupsafe import Markup

    points = np.asarray(curve, np.float64).reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return Markup("")
    steps, values = points[:, 0], points[:, 1]
    low, high = float(values.min()), float(values.max())
    if high == low:
        low, high = low - 0.5, high + 0.5
    left, right, top, bottom = 44, width - 8, 24, height - 18
    x = left + (steps - steps[0]) / max(steps[-1] - steps[0], 1e-9) * (right - left)

    def line(series: np.ndarray[Any, np.dtype[np.float64]]) -> str:
        y = bottom - (series - low) / (high - low) * (bottom - top)
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))

    name = html.escape(title, quote=True)
    parts = [
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{name}">',
        f'<text x="{left}" y="14" class="t">{name}</text>',
        f'<text x="{right}" y="14" class="v">{figure(float(values[-1]))}</text>',
        f'<path d="M{left} {top}H{right}M{left} {(top + bottom) / 2}H{right}M{left} {bottom}H{right}" class="g"/>',
        f'<text x="{left - 5}" y="{top + 4}" class="a">{figure(high)}</text>',
        f'<text x="{left - 5}" y="{bottom + 3}" class="a">{figure(low)}</text>',
        f'<text x="{left}" y="{height - 4}" class="s">{steps[0]:.0f}</text>',
        f'<text x="{right}" y="{height - 4}" class="a">{steps[-1]:.0f}</text>',
    ]
    if len(points) == 1:
        parts.append(f'<circle cx="{left}" cy="{(top + bottom) / 2}" r="3" class="d"/>')
    else:
        parts.append(f'<polyline points="{line(values)}" class="r"/>')
        parts.append(f'<polyline points="{line(_running_mean(values))}" class="m"/>')
    return Markup("".join(parts) + "</svg>")  # every text in it is escaped above


def _running_mean(values: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    if len(values) < 12:
        return values
    weight, mean, result = 1 - 2 / (len(values) / 12 + 1), float(values[0]), np.empty_like(values)
    for index, value in enumerate(values):
        mean = weight * mean + (1 - weight) * float(value)
        result[index] = mean
    return result
