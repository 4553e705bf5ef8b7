"""A training's curves as inline SVG: axes with round numbers, the values faint, their running mean strong."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Curve = list[tuple[float, float]]
"""(step, value), by step."""

WIDTH, HEIGHT = 340, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 30, 38

CURVES = {
    "loss": "loss, all parts together",
    "learning_rate": "learning rate",
    "cycle": "cycle loss (there and back)",
    "identity": "identity loss",
    "generators": "both generators' loss, all parts together",
    "discriminator_a": "loss of the discriminator of other garments",
    "discriminator_b": "loss of the discriminator of the style",
    "structure": "structure loss (folds kept)",
    "adversarial": "adversarial loss",
    "loss_classifier": "category loss",
    "loss_box_reg": "box loss",
    "loss_mask": "mask loss",
    "loss_objectness": "proposals: loss of what is a garment",
    "loss_rpn_box_reg": "proposals: box loss",
    "mask_ap50": "mask AP50 on held-out photos",
    "largest_iou": "overlap of the largest garment on held-out photos",
    "luminance_ssim": "folds and shading kept, held-out garments",
    "fold_ssim": "folds kept, held-out garments",
    "ciede2000_median": "distance to the style's colour, median",
    "ciede2000_90": "distance to the style's colour, worst tenth",
    "pattern_recognised": "held-out garments with the style's pattern",
    "colour_moved": "distance to the style's colour that is gone",
    "leak": "change outside the garment",
}
"""Plain names of the values that trainings report most; others stand as they are."""


def figure(value: float) -> str:
    """A number with three digits that matter."""
    if not math.isfinite(value):
        return "–"
    if value and (abs(value) >= 1000 or abs(value) < 0.001):
        return f"{value:.2e}" if abs(value) < 0.001 else f"{value:,.0f}"
    return f"{value:.3g}"


def round_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) that enclose ``low`` to ``high``, at most ``most`` + 1."""
    if not high > low:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    step *= next(times for times in (1, 2, 5, 10, 20) if (high - low) / (step * times) <= most - 1 or times == 20)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def svg_chart(curve: Sequence[tuple[float, float]], title: str, across: str = "step") -> Any:
    """One curve as inline SVG (safe markup); nothing where there are fewer than two points to join.

    Args:
        across: what the first numbers count.
    """
    from markupsafe import Markup

    points = np.asarray(curve, np.float64).reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < 2 or points[0, 0] == points[-1, 0]:
        return Markup("")
    steps, values = points[:, 0], points[:, 1]
    low, high = float(values.min()), float(values.max())
    ticks = round_ticks(0.0 if 0 <= low < 0.6 * high else low, high)
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    # From 0, for a training begins there, to the last step, which is no round number and yet worth knowing.
    marks = [tick for tick in round_ticks(0, float(steps[-1]), 4) if tick < 0.85 * steps[-1]] + [float(steps[-1])]
    start = min(0.0, float(steps[0]))

    def across_at(step: Any) -> Any:
        return _LEFT + (step - start) / (steps[-1] - start) * (right - _LEFT)

    def down_at(value: Any) -> Any:
        return bottom - (value - ticks[0]) / (ticks[-1] - ticks[0]) * (bottom - _TOP)

    def line(series: NDArray[np.float64], kind: str) -> str:
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across_at(steps), down_at(series), strict=True))
        return f'<polyline points="{places}" class="{kind}"/>'

    name = html.escape(CURVES.get(title, title.replace("_", " ")), quote=True)
    smooth = _running_mean(values)
    last = float(smooth[-1])
    return Markup(  # every text in it is escaped above
        "".join(
            [
                f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}, at last {figure(last)}">',
                f'<text x="8" y="18" class="t">{name}</text>',
                *(
                    f'<path d="M{_LEFT} {down_at(tick):.1f}H{right}" class="g"/>'
                    f'<text x="{_LEFT - 6}" y="{down_at(tick) + 3.5:.1f}" class="a">{tick:.4g}</text>'
                    for tick in ticks
                ),
                *(
                    f'<path d="M{across_at(mark):.1f} {bottom}v4" class="k"/>'
                    f'<text x="{across_at(mark):.1f}" y="{bottom + 16}" class="{"e" if mark == steps[-1] else "c"}">'
                    f"{mark:,.0f}</text>"
                    for mark in marks
                ),
                f'<path d="M{_LEFT} {bottom}H{right}" class="k"/>',
                f'<text x="{(_LEFT + right) / 2:.1f}" y="{HEIGHT - 7}" class="c">{html.escape(across)}</text>',
                line(values, "r"),
                line(smooth, "m"),
                f'<circle cx="{right}" cy="{down_at(last):.1f}" r="3" class="d"/>',
                "</svg>",
            ]
        )
    )


def _running_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(values) < 12:
        return values
    weight, mean, result = 1 - 2 / (len(values) / 12 + 1), float(values[0]), np.empty_like(values)
    for index, value in enumerate(values):
        mean = weight * mean + (1 - weight) * float(value)
        result[index] = mean
    return result
