"""A model's figures for a person: what each is called in plain words, what is good, and what passes its gate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fittingroom.registry.gates import Rule, segmenter_floors, segmenter_rules, style_floors, style_rules
from fittingroom.registry.registry import SEGMENTER

_PERFECT = "1 is perfect"

WORDS = MappingProxyType(
    {
        "mask_ap50": ("garments found with the right outline (mask AP50, categories ignored)", _PERFECT),
        "largest_iou": ("overlap of the largest garment's mask (mean IoU)", _PERFECT),
        "mask_ap": ("the same, by stricter and stricter outlines (mask AP)", _PERFECT),
        "mask_ap75": ("garments found with a close outline (mask AP75)", _PERFECT),
        "box_ap": ("boxes, by stricter and stricter fit (box AP)", _PERFECT),
        "box_ap50": ("garments found with the right box (box AP50)", _PERFECT),
        "box_ap75": ("garments found with a close box (box AP75)", _PERFECT),
        "category_mask_ap": ("outlines of the right category (mask AP)", _PERFECT),
        "category_mask_ap50": ("outlines of the right category (mask AP50)", _PERFECT),
        "category_mask_ap75": ("outlines of the right category (mask AP75)", _PERFECT),
        "category_box_ap": ("boxes of the right category (box AP)", _PERFECT),
        "category_box_ap50": ("boxes of the right category (box AP50)", _PERFECT),
        "category_box_ap75": ("boxes of the right category (box AP75)", _PERFECT),
        "leak": ("change that falls outside the garment", "0 is none, 1 is all"),
        "ciede2000_median": (
            "distance to the style's colour, median (CIEDE2000)",
            "0 is the same colour, 2 is just noticeable",
        ),
        "ciede2000_90": ("the same, for the worst tenth", "0 is the same colour, 2 is just noticeable"),
        "luminance_ssim": ("folds and shading kept (SSIM of lightness)", _PERFECT),
        "fold_ssim": ("folds kept, the pattern blurred away (SSIM)", _PERFECT),
        "pattern_recognised": ("results that show the style's pattern", "1 is all of them"),
        "cycle_error": ("error of a garment's way to the style and back", "0 is none"),
        "kid_mobilenet_v2": ("distance to the style's pictures (KID, MobileNetV2)", "0 is none"),
        "kid_inception": ("distance to the style's pictures (KID, Inception)", "0 is none"),
        "colour_moved": ("share of the garments' distance to the style's colour that is gone", "1 is all of it"),
        "best_step": ("training steps behind these weights", ""),
        "pictures": ("held-out garments it was judged on", ""),
    }
)
"""Metric: its plain name, and what is good."""


@dataclass(frozen=True)
class ExplainedFigure:
    """One figure in words. ``passes`` is what passes the gate ("at least 0.5"), ``held`` whether this value does."""

    metric: str
    name: str
    value: float
    scale: str = ""
    passes: str = ""
    held: bool | None = None

    def good(self) -> str:
        """``1 is perfect; at least 0.5 passes``; empty where nothing is known."""
        return "; ".join(part for part in (self.scale, f"{self.passes} passes" if self.passes else "") if part)


def explain(model: str, metrics: Mapping[str, float], preset: str) -> list[ExplainedFigure]:
    """A model's figures, those that its gate looks at first, in the gate's order.

    Raises:
        SettingError: no such preset.
    """
    rules = segmenter_rules(segmenter_floors(preset)) if model == SEGMENTER else style_rules(style_floors(preset))
    judged = {rule.metric: rule for rule in rules}
    order = [name for name in judged if name in metrics]
    order += [name for name in WORDS if name in metrics and name not in judged]
    order += sorted(name for name in metrics if name not in WORDS and name not in judged)
    return [_explained(name, metrics[name], judged.get(name)) for name in order]


def _explained(metric: str, value: float, rule: Rule | None) -> ExplainedFigure:
    name, scale = WORDS.get(metric, (metric.replace("_", " "), ""))
    if rule is None or not math.isfinite(rule.floor):
        return ExplainedFigure(metric, name, value, scale)
    bound = "at most" if rule.better == "lower" else "at least"
    return ExplainedFigure(metric, name, value, scale, f"{bound} {rule.floor:g}", rule.holds(value))
