"""Admission of a trained model: register the version, ask its gate, and let it serve only when the gate says so.

Where something serves already, champion or starter, the gate sees both measured on the same pictures, now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fittingroom.domain import PHOTO, RENDERED
from fittingroom.errors import Damaged, InputError, WeightsRejected
from fittingroom.styles.choose import AvailableStyle
from fittingroom.styles.gates import Verdict, segmenter_floors, segmenter_gate, style_floors, style_gate
from fittingroom.styles.registry import SEGMENTER, ModelVersion, style_model
from fittingroom.styles.serving import Served, Serving
from fittingroom.styles.trial import Measure, Trial, hold_trial
from fittingroom.styles.weights_card import read_card


@dataclass(frozen=True)
class Admission:
    """A registered version and what its gate said.

    Attributes:
        passed: the gate's verdict. forced: it serves against that verdict, as was asked.
        compared_with: the champion's version; None where nothing of one's own served.
        trial: figures of both sides on the same pictures; None where nothing served.
        failures: those of ``reasons`` that it did not pass for.
    """

    model: str
    version: int
    passed: bool
    reasons: list[str]
    compared_with: int | None = None
    forced: bool = False
    trial: dict[str, Any] | None = None
    failures: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return asdict(self)


Gate = Callable[[Trial | None], Verdict]


def admit_segmenter(
    serving: Serving,
    weights: Path,
    metrics: Mapping[str, float],
    preset: str,
    digests: Mapping[str, str],
    recipe: Mapping[str, Any],
    measure: Measure,
    force: bool = False,
    **registration: Any,
) -> Admission:
    """Register a segmenter and promote it when its gate passes, or when ``force`` says so.

    Args:
        serving: where it shall serve.
        weights: its file. metrics: its figures.
        preset: whose floors the gate takes.
        digests, recipe: see `Registry.register`, which ``registration`` goes to as well.
        measure: measures a weights file on the held-out photos; called when something serves already.
        force: whether it is promoted whatever its gate says.
    """
    version = serving.registry.register(
        SEGMENTER, weights, metrics, digests, recipe, _domain_tag(weights), **registration
    )
    return _judge(
        serving,
        version,
        weights,
        lambda trial: segmenter_gate(metrics, trial, segmenter_floors(preset)),
        measure,
        force,
    )


def admit_style(
    serving: Serving,
    style: AvailableStyle,
    weights: Path,
    metrics: Mapping[str, float],
    preset: str,
    digests: Mapping[str, str],
    recipe: Mapping[str, Any],
    measure: Measure,
    force: bool = False,
    **registration: Any,
) -> Admission:
    """As `admit_segmenter`, for a style's version; ``measure`` measures on held-out garments."""
    tags = style.to_tags() | _domain_tag(weights)
    model = style_model(style.name)
    version = serving.registry.register(model, weights, metrics, digests, recipe, tags, **registration)
    return _judge(
        serving,
        version,
        weights,
        lambda trial: style_gate(metrics, trial, style_floors(preset)),
        measure,
        force,
    )


def _domain_tag(weights: Path) -> dict[str, str]:
    """What the model learnt from, where its weights say it: rendered pictures or photos."""
    try:
        domain = read_card(weights).domain
    except WeightsRejected:
        return {}
    return {"domain": domain} if domain else {}


def _judge(
    serving: Serving, version: ModelVersion, weights: Path, gate: Gate, measure: Measure, force: bool
) -> Admission:
    registry, incumbent = serving.registry, serving.incumbent(version.model)
    if incumbent and incumbent.version == version.version:  # registered and promoted before, by a run that was cut off
        return Admission(version.model, version.version, True, ["it serves already"])
    compared_with = incumbent.version if incumbent else None
    trial, verdict = None, None
    if incumbent and _is_rival(incumbent, version):
        try:
            trial = hold_trial(measure, weights, serving.weights(incumbent), _named(incumbent), incumbent.starter)
        except (Damaged, InputError, WeightsRejected) as error:  # what it is to be measured on, or beside, is gone
            why = f"it could not be measured beside the {_named(incumbent)}: {error}"
            verdict = Verdict(False, [why], [why])
    verdict = verdict or gate(trial)
    reasons, passed = list(verdict.reasons), verdict.passed
    if version.retired and passed:
        reasons.append(f"it does not serve: the style was retired; `fittingroom styles promote {version.style}"
                       f" {version.version}` lets it")  # fmt: skip
    forced = force and not passed
    if forced:
        reasons.append("it serves against this verdict, as was asked (force)")
    registry.note_verdict(version, passed, "; ".join(reasons))
    if (passed and not version.retired) or force:
        registry.promote(version.model, version.version, "; ".join(reasons))
    return Admission(
        version.model,
        version.version,
        passed,
        reasons,
        compared_with,
        forced,
        trial.to_json() if trial else None,
        verdict.failures,
    )


def _is_rival(incumbent: Served, version: ModelVersion) -> bool:
    """Any champion is, and a starter, which learnt from photos, for all but a model of the rendered world: neither is
    meant for the other's pictures, and the sample world has no others to judge on.
    """
    return not (incumbent.starter and incumbent.domain == PHOTO and version.tags.get("domain") == RENDERED)


def _named(incumbent: Served) -> str:
    return "starter" if incumbent.starter else f"champion (version {incumbent.version})"
