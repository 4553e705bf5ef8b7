"""The gates: whether a new version may serve.

Where nothing serves yet, it must be above every floor. Where something does, both are measured on the same held-out
pictures (`fittingroom.registry.trial`), and a figure that is worse beyond chance fails it; not being worse, it must be
above every floor, or better in a figure. A starter that comes with the package is displaced only by what is better.

A version that breaks a *hard* limit (it leaks colour onto the white surround, or learnt next to nothing) never passes,
however it compares. One that fails stays registered, is not promoted, and the verdict says why with figures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeVar

from fittingroom.errors import SettingError
from fittingroom.fields import CheckedSettings, Range, Share
from fittingroom.registry.trial import Trial

Floors = TypeVar("Floors")


@dataclass(frozen=True)
class StyleFloors(CheckedSettings):
    """What a style model must reach on held-out garments.

    The defaults fit the ``cpu``, ``standard`` and ``recipe`` presets.
    """

    ciede2000_median_at_most: Annotated[float, Range(0)] = 12.0
    """Median colour difference to the style's own colour; 2 is noticeable side by side, 12 is another shade."""
    colour_moved_at_least: Annotated[float, Range(-math.inf, 1)] = 0.2
    """Share of the untouched garments' colour difference that is gone; judged only where it was measured. What
    gives its input back has 0, whatever the garments. A hard limit."""
    steps_at_least: Annotated[float, Range(0)] = 200
    """Steps behind the weights (the metric ``best_step``); judged only where it was measured. A hard limit: a palette
    generator begins with the style's own colours, so the other figures of a plain style are good after two steps
    already, before the discriminators have taught it anything (docs/training.md)."""
    luminance_ssim_at_least: Annotated[float, Range(-1, 1)] = 0.55
    """Structural similarity of lightness to the original garment: folds and shadows kept."""
    leak_at_most: Share = 0.05
    """Share of change that falls outside the mask. A hard limit: beating the champion does not excuse it."""
    pattern_recognised_at_least: Share = 0.5
    """Share of results whose described pattern is the style's; judged only where it was measured."""
    cycle_error_at_most: Share = 0.4
    """Mean difference of a garment that went to the style and back; judged only where it was measured. A way
    back that learnt next to nothing has more: what the style's colours cannot carry makes 0.2 to 0.3 by itself."""
    kid_mobilenet_v2_at_most: Annotated[float, Range(0)] = 0.9
    """KID to the style's pictures by MobileNetV2's features; judged only where it was measured. Worn garments are some
    0.6 from a shop's flat ones whatever their colour; the wrong style had 1.05 (docs/training.md)."""


@dataclass(frozen=True)
class SegmenterFloors(CheckedSettings):
    """What a segmenter must reach on held-out photos; the defaults fit the ``standard`` preset."""

    mask_ap50_at_least: Share = 0.50
    """COCO mask AP at IoU 0.5, categories ignored (the metric ``mask_ap50``)."""
    largest_iou_at_least: Share = 0.60
    """Mean IoU of the largest garment of each photo."""


_STYLE_FLOORS = {
    "demo": StyleFloors(
        ciede2000_median_at_most=14.0,
        luminance_ssim_at_least=0.5,
        pattern_recognised_at_least=0.4,
        steps_at_least=20,
    ),
    "cpu": StyleFloors(
        ciede2000_median_at_most=16.0,
        luminance_ssim_at_least=0.45,
        pattern_recognised_at_least=0.3,
        steps_at_least=100,
    ),
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
    return _of(preset, _STYLE_FLOORS)


def segmenter_floors(preset: str) -> SegmenterFloors:
    """The floors of a training preset.

    Raises:
        SettingError: no such preset.
    """
    return _of(preset, _SEGMENTER_FLOORS)


def _of(preset: str, floors: Mapping[str, Floors]) -> Floors:
    if preset not in floors:
        raise SettingError("preset", preset, "one of " + ", ".join(floors))
    return floors[preset]


@dataclass(frozen=True)
class Verdict:
    """A gate's decision. ``reasons`` are sentences with figures, ``failures`` those that it did not pass for."""

    passed: bool
    reasons: list[str]
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Rule:
    """One figure: where its floor is, which way is better, and what it is called in a sentence."""

    metric: str
    words: str
    better: Literal["lower", "higher"]
    floor: float
    """Infinite: only the incumbent's figure is there to compare with."""
    hard: bool = False
    optional: bool = False
    compared: bool = True
    """Whether it counts in a trial."""
    smallest_gain: float = 0.0
    """Figures closer than this count as equal, whatever their noise."""

    def holds(self, value: float) -> bool:
        """Whether the figure is at its floor or on the better side of it."""
        return value <= self.floor if self.better == "lower" else value >= self.floor

    def gain(self, trial: Trial) -> float:
        """How much better than the incumbent, in the metric's unit: positive is better; 0 where it may be chance."""
        new, old = trial.challenger[self.metric], trial.defended[self.metric]
        difference = old - new if self.better == "lower" else new - old
        noise = max(trial.noise.get(self.metric, 0.0), self.smallest_gain)
        return 0.0 if abs(difference) <= noise else difference

    def sentence(self, value: float) -> str:
        """The figure next to its floor, in words."""
        word = "at most" if self.better == "lower" else "at least"
        verdict = "is" if self.holds(value) else "is not"
        return f"{self.words} {_figure(value)} {verdict} {word} {_figure(self.floor)}"


def style_gate(metrics: Mapping[str, float], trial: Trial | None = None, floors: StyleFloors | None = None) -> Verdict:
    """Judge a style model by ``ciede2000_median``, ``luminance_ssim``, ``leak`` and, where they are given,
    ``colour_moved``, ``best_step``, ``pattern_recognised``, ``cycle_error`` and KID. ``trial`` sets it next to what
    serves; ``kid_inception`` has no floor and counts there alone.
    """
    return _judge(style_rules(floors or StyleFloors()), metrics, trial)


def style_rules(floors: StyleFloors) -> list[Rule]:
    """What a style is judged by, the gravest first."""
    return [
        Rule("leak", "leak outside the mask", "lower", floors.leak_at_most, hard=True, smallest_gain=0.005),
        Rule(
            "colour_moved",
            "share of the garments' colour difference that is gone",
            "higher",
            floors.colour_moved_at_least,
            hard=True,
            optional=True,
            compared=False,  # ciede2000_median in other words
        ),
        Rule(
            "best_step",
            "steps it learnt from",
            "higher",
            floors.steps_at_least,
            hard=True,
            optional=True,
            compared=False,
        ),
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
    metrics: Mapping[str, float], trial: Trial | None = None, floors: SegmenterFloors | None = None
) -> Verdict:
    """Judge a segmenter by ``mask_ap50`` and ``largest_iou``; ``trial`` sets it next to what serves."""
    return _judge(segmenter_rules(floors or SegmenterFloors()), metrics, trial)


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


def _judge(rules: list[Rule], metrics: Mapping[str, float], trial: Trial | None) -> Verdict:
    """See the module's own words; it never passes on a figure that is missing or not a number."""
    missing = [r for r in rules if not r.optional and not math.isfinite(metrics.get(r.metric, math.nan))]
    if missing:
        unknown = [f"{r.words} ({r.metric}) was not measured" for r in missing]
        return Verdict(False, unknown, unknown)
    judged = [r for r in rules if math.isfinite(metrics.get(r.metric, math.nan))]

    below_floor = [r.sentence(metrics[r.metric]) for r in judged if not r.holds(metrics[r.metric])]
    reasons = [r.sentence(metrics[r.metric]) for r in judged if math.isfinite(r.floor)]
    if trial is None:
        return Verdict(not below_floor, reasons, below_floor)

    shared = [r for r in rules if r.compared and _in_both(r.metric, trial)]
    gains = [r.gain(trial) for r in shared]
    compared = [_comparison(r, gain, trial) for r, gain in zip(shared, gains, strict=True)]
    reasons += compared or [f"no figure could be compared with the {trial.incumbent}'s"]
    failures = [r.sentence(metrics[r.metric]) for r in judged if r.hard and not r.holds(metrics[r.metric])]
    failures += [words for words, gain in zip(compared, gains, strict=True) if gain < 0] if compared else reasons[-1:]
    if not any(gain > 0 for gain in gains):
        if trial.must_be_better:
            reasons.append(f"the {trial.incumbent} goes on: it is displaced only by what is better")
            failures.append(reasons[-1])
        else:
            failures += [words for words in below_floor if words not in failures]
    return Verdict(not failures, reasons, failures)


def _in_both(metric: str, trial: Trial) -> bool:
    return all(math.isfinite(side.get(metric, math.nan)) for side in (trial.challenger, trial.defended))


def _comparison(rule: Rule, gain: float, trial: Trial) -> str:
    word = "as good as" if gain == 0 else ("better than" if gain > 0 else "worse than")
    noise = max(trial.noise.get(rule.metric, 0.0), rule.smallest_gain)
    chance = (
        f"differences up to {_figure(noise)} are chance" if math.isfinite(noise) else "which one picture cannot tell"
    )
    return (
        f"on the same {trial.pictures} held-out pictures {rule.words} {_figure(trial.challenger[rule.metric])}"
        f" is {word} the {trial.incumbent}'s {_figure(trial.defended[rule.metric])} ({chance})"
    )


def _figure(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
