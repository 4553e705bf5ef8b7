"""Admission of a trained model: register the version, ask its gate, and let it serve only when the gate says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fittingroom.errors import WeightsRejected
from fittingroom.styles.choose import AvailableStyle
from fittingroom.styles.gates import Verdict, segmenter_floors, segmenter_gate, style_floors, style_gate
from fittingroom.styles.registry import SEGMENTER, ModelVersion, Registry, style_model
from fittingroom.styles.weights_card import read_card


@dataclass(frozen=True)
class Admission:
    """A registered version and what its gate said."""

    model: str
    version: int
    passed: bool
    reasons: list[str]
    compared_with: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return asdict(self)


Gate = Callable[[Mapping[str, float] | None, int | None], Verdict]


def admit_segmenter(
    registry: Registry,
    weights: Path,
    metrics: Mapping[str, float],
    preset: str,
    digests: Mapping[str, str],
    recipe: Mapping[str, Any],
    **registration: Any,
) -> Admission:
    """Register a segmenter and promote it when its gate passes. ``registration`` goes to `Registry.register`."""
    version = registry.register(SEGMENTER, weights, metrics, digests, recipe, _domain_tag(weights), **registration)
    return _judge(
        registry,
        version,
        lambda champion, number: segmenter_gate(metrics, champion, segmenter_floors(preset), number),
    )


def admit_style(
    registry: Registry,
    style: AvailableStyle,
    weights: Path,
    metrics: Mapping[str, float],
    preset: str,
    digests: Mapping[str, str],
    recipe: Mapping[str, Any],
    **registration: Any,
) -> Admission:
    """Register a style's version and promote it when its gate passes. ``registration`` goes to `Registry.register`."""
    tags = style.to_tags() | _domain_tag(weights)
    version = registry.register(style_model(style.name), weights, metrics, digests, recipe, tags, **registration)
    return _judge(
        registry,
        version,
        lambda champion, number: style_gate(metrics, champion, style_floors(preset), number),
    )


def _domain_tag(weights: Path) -> dict[str, str]:
    """What the model learnt from, where its weights say it: rendered pictures or photos."""
    try:
        domain = read_card(weights).domain
    except WeightsRejected:
        return {}
    return {"domain": domain} if domain else {}


def _judge(registry: Registry, version: ModelVersion, gate: Gate) -> Admission:
    champion = registry.champion(version.model)
    if champion and champion.version == version.version:  # registered and promoted before, by a run that was cut off
        return Admission(version.model, version.version, True, ["it serves already"])
    verdict = gate(champion.metrics if champion else None, champion.version if champion else None)
    if verdict.passed:
        registry.promote(version.model, version.version, "; ".join(verdict.reasons))
    return Admission(version.model, version.version, verdict.passed, verdict.reasons, verdict.compared_with)
