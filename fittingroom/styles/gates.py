"""The gates: whether a new version may serve. Better than the champion, or above the floor, on held-out images.

A version that breaks a *hard* limit (it leaks colour onto the white surround, say) never passes, however it compares.
One that fails stays registered, is not promoted, and the verdict says why with figures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from fittingroom.errors import SettingError


@dataclass(frozen=True)
class StyleFloors:
    """What a style model must reach on held-out garments.

    The defaults fit the ``cpu``, ``standard`` and ``recipe`` presets.
    """

    ciede2000_median_at_most: float = 12.0
    """Median colour difference to the style's own colour; 2 is noticeable side by side, 12 is another shade."""
    luminance_ssim_at_least: float = 0.55
    """Structural similarity of lightness to the original garment, -1 to 1: folds and shadows kept."""
    leak_at_most: float = 0.05
    """Share of change that falls outside the mask, 0 to 1. A hard limit: beating the champion does not excuse it."""
    pattern_recognised_at_least: float = 0.5
    """Share of results whose described pattern is the style's, 0 to 1; judged only where it was measured."""
    cycle_error_at_most: float = 0.4
    """Mean difference of a garment that went to the style and back, 0 to 1; judged only where it was measured. A way
    back that learnt next to nothing has more: what the style's colours cannot carry makes 0.2 to 0.3 by itself."""
    kid_mobilenet_v2_at_most: float = 0.9
    """KID to the style's pictures by MobileNetV2's features; judged only where it was measured. Worn garments are some
    0.6 from a shop's flat ones whatever their colour; the wrong style had 1.05 (docs/training.md)."""

    def __post_init__(self) -> None:
        _at_least("ciede2000_median_at_most", self.ciede2000_median_at_most, 0.0, math.inf)
        _at_least("luminance_ssim_at_least", self.luminance_ssim_at_least, -1.0, 1.0)
        _at_least("leak_at_most", self.leak_at_most, 0.0, 1.0)
        _at_least("pattern_recognised_at_least", self.pattern_recognised_at_least, 0.0, 1.0)
        _at_least("cycle_error_at_most", self.cycle_error_at_most, 0.0, 1.0)
        _at_least("kid_mobilenet_v2_at_most", self.kid_mobilenet_v2_at_most, 0.0, math.inf)


@dataclass(frozen=True)
class SegmenterFloors:
    """What a segmenter must reach on held-out photos; the defaults fit the ``standard`` preset."""

    mask_ap50_at_least: float = 0.50
    """COCO mask AP at IoU 0.5, categories ignored, 0 to 1 (the metric ``mask_ap50``)."""
    largest_iou_at_least: float = 0.60
    """Mean IoU of the largest garment of each photo, 0 to 1."""

    def __post_init__(self) -> None:
        _at_least("mask_ap50_at_least", self.mask_ap50_at_least, 0.0, 1.0)
        _at_least("largest_iou_at_least", self.largest_iou_at_least, 0.0, 1.0)


def _at_least(field: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SettingError(field, value, f"a number from {low:g} to {high:g}")


_STYLE_FLOORS = {
    "demo": StyleFloors(
        ciede2000_median_at_most=14.0,
        luminance_ssim_at_least=0.5,
        pattern_recognised_at_least=0.4,
    ),
    "cpu": StyleFloors(ciede2000_median_at_most=16.0, luminance_ssim_at_least=0.45, pattern_recognised_at_least=0.3),
    "standard": StyleFloors(),
    "recipe": StyleFloors(leak_at_most=0.25),  # this generator is not told the mask; try-on masks what it leaks
}
_SEGMENTER_FLOORS = {
    "demo": SegmenterFloors(mask_ap50_at_least=0.40, largest_iou_at_least=0.60),
    "cpu": SegmenterFloors(mask_ap50_at_least=0.35, largest_iou_at_least=0.50),
    "standard": SegmenterFloors(),
}


def style_floors(preset: str) -> StyleFloors:
    """The floors of a training preset.

    Raises:
        SettingError: no such preset.
    """
    if preset not in _STYLE_FLOORS:
        raise SettingError("preset", preset, "one of " + ", ".join(_STYLE_FLOORS))
    return _STYLE_FLOORS[preset]


def segmenter_floors(preset: str) -> SegmenterFloors:
    """The floors of a training preset.

    Raises:
        SettingError: no such preset.
    """
    if preset not in _SEGMENTER_FLOORS:
        raise SettingError("preset", preset, "one of " + ", ".join(_SEGMENTER_FLOORS))
    return _SEGMENTER_FLOORS[preset]


@dataclass(frozen=True)
class Verdict:
    """A gate's decision. ``reasons`` are sentences with figures; ``compared_with`` is the champion's version."""

    passed: bool
    reasons: list[str]
    compared_with: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return asdict(self)


@dataclass(frozen=True)
class Rule:
    """One figure: where its floor is, which way is better, and what it is called in a sentence."""

    metric: str
    words: str
    better: Literal["lower", "higher"]
    floor: float
    """Infinite: only the champion's figure is there to compare with."""
    hard: bool = False
    optional: bool = False
    smallest_gain: float = 0.0
    """Two figures closer than this count as equal: held-out sets are small."""

    def holds(self, value: float) -> bool:
        return value <= self.floor if self.better == "lower" else value >= self.floor

    def gain(self, value: float, champion: float) -> float:
        """How much better than the champion: positive is better, in the metric's unit."""
        difference = champion - value if self.better == "lower" else value - champion
        return 0.0 if abs(difference) < self.smallest_gain else difference

    def sentence(self, value: float) -> str:
        word = "at most" if self.better == "lower" else "at least"
        verdict = "is" if self.holds(value) else "is not"
        return f"{self.words} {_figure(value)} {verdict} {word} {_figure(self.floor)}"


def style_gate(
    metrics: Mapping[str, float],
    champion_metrics: Mapping[str, float] | None = None,
    floors: StyleFloors | None = None,
    champion_version: int | None = None,
) -> Verdict:
    """Judge a style model by ``ciede2000_median``, ``luminance_ssim``, ``leak`` and, where they are given,
    ``pattern_recognised``, ``cycle_error`` and KID. ``kid_inception`` has no floor: it is compared with the champion's.
    """
    return _judge(style_rules(floors or StyleFloors()), metrics, champion_metrics, champion_version)


def style_rules(floors: StyleFloors) -> list[Rule]:
    """What a style is judged by, the gravest first."""
    return [
        Rule("leak", "leak outside the mask", "lower", floors.leak_at_most, hard=True),
        Rule(
            "ciede2000_median",
            "median colour difference (CIEDE2000)",
            "lower",
            floors.ciede2000_median_at_most,
            smallest_gain=0.25,
        ),
        Rule(
            "luminance_ssim",
            "likeness of folds and shading (SSIM)",
            "higher",
            floors.luminance_ssim_at_least,
            smallest_gain=0.01,
        ),
        Rule(
            "pattern_recognised",
            "share of results with the style's pattern",
            "higher",
            floors.pattern_recognised_at_least,
            optional=True,
            smallest_gain=0.02,
        ),
        Rule(
            "cycle_error",
            "error of the way to the style and back",
            "lower",
            floors.cycle_error_at_most,
            optional=True,
            smallest_gain=0.02,
        ),
        Rule(
            "kid_mobilenet_v2",
            "distance to the style's pictures (KID, MobileNetV2)",
            "lower",
            floors.kid_mobilenet_v2_at_most,
            optional=True,
            smallest_gain=0.05,
        ),
        Rule(
            "kid_inception",
            "distance to the style's pictures (KID, Inception)",
            "lower",
            math.inf,
            optional=True,
            smallest_gain=0.01,
        ),
    ]


def segmenter_gate(
    metrics: Mapping[str, float],
    champion_metrics: Mapping[str, float] | None = None,
    floors: SegmenterFloors | None = None,
    champion_version: int | None = None,
) -> Verdict:
    """Judge a segmenter by ``mask_ap50`` and ``largest_iou``."""
    return _judge(segmenter_rules(floors or SegmenterFloors()), metrics, champion_metrics, champion_version)


def segmenter_rules(floors: SegmenterFloors) -> list[Rule]:
    """What a segmenter is judged by."""
    return [
        Rule(
            "mask_ap50",
            "mask AP50 (categories ignored)",
            "higher",
            floors.mask_ap50_at_least,
            smallest_gain=0.005,
        ),
        Rule(
            "largest_iou",
            "mean IoU of the largest garment",
            "higher",
            floors.largest_iou_at_least,
            smallest_gain=0.005,
        ),
    ]


def _judge(
    rules: list[Rule],
    metrics: Mapping[str, float],
    champion_metrics: Mapping[str, float] | None,
    champion_version: int | None,
) -> Verdict:
    """Pass when every floor holds, or when no figure is worse than the champion's and one is better; never against a
    hard limit, and never on a figure that is missing or not a number.
    """
    missing = [r for r in rules if not r.optional and not math.isfinite(metrics.get(r.metric, math.nan))]
    if missing:
        return Verdict(False, [f"{r.words} ({r.metric}) was not measured" for r in missing], champion_version)
    judged = [r for r in rules if math.isfinite(metrics.get(r.metric, math.nan))]

    above_floor = all(r.holds(metrics[r.metric]) for r in judged)
    reasons = [r.sentence(metrics[r.metric]) for r in judged if math.isfinite(r.floor)]
    if champion_metrics is None:
        return Verdict(above_floor, reasons)

    name = f"champion (version {champion_version})" if champion_version is not None else "champion"
    shared = [r for r in judged if math.isfinite(champion_metrics.get(r.metric, math.nan))]
    gains = {r: r.gain(metrics[r.metric], champion_metrics[r.metric]) for r in shared}
    better = bool(gains) and min(gains.values()) >= 0 and max(gains.values()) > 0
    for rule, gain in gains.items():
        word = "as good as" if gain == 0 else ("better than" if gain > 0 else "worse than")
        reasons.append(f"{rule.words} {_figure(metrics[rule.metric])} is {word} the {name}'s "
                       f"{_figure(champion_metrics[rule.metric])}")  # fmt: skip
    within_limits = all(r.holds(metrics[r.metric]) for r in judged if r.hard)
    return Verdict(within_limits and (above_floor or better), reasons, champion_version)


def _figure(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
