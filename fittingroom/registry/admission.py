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
from fittingroom.registry.gates import Verdict, segmenter_floors, segmenter_gate, style_floors, style_gate
from fittingroom.registry.registry import SEGMENTER, ModelVersion, style_model
from fittingroom.registry.serving import Served, Serving
from fittingroom.registry.trial import Measure, Trial, hold_trial
from fittingroom.registry.versions import BY_WITHDRAWAL
from fittingroom.registry.weights_card import read_card
from fittingroom.style_card import StyleCard


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
Mark = Callable[[], object]


@dataclass(frozen=True)
class Trained:
    """What a training gave, as it is registered.

    Attributes:
        weights: its file. metrics: its figures.
        preset: whose floors the gate takes.
        digests, recipe: see `fittingroom.registry.registry.Registry.register`.
        origin: further tags, which say where it comes from.
    """

    weights: Path
    metrics: Mapping[str, float]
    preset: str
    digests: Mapping[str, str]
    recipe: Mapping[str, Any]
    origin: Mapping[str, str] = field(default_factory=dict)


def admit_segmenter(
    serving: Serving,
    trained: Trained,
    measure: Measure,
    force: bool = False,
    mark: Mark = lambda: None,
    **registration: Any,
) -> Admission:
    """Register a segmenter and promote it when its gate passes, or when ``force`` says so.

    Args:
        serving: where it shall serve.
        trained: what is registered; ``registration`` goes to `Registry.register` as well.
        measure: measures a weights file on the held-out photos; called when something serves already.
        force: whether it is promoted whatever its gate says.
        mark: marks versions that learnt from a picture that was withdrawn, while they were trained too: none of these
            passes.

    Raises:
        MissingInputError: no such weights file. SettingError: no such preset.
        StorageUnavailable, Damaged: the registry does not answer, or cannot be read.
    """

    def gate(trial: Trial | None) -> Verdict:
        return segmenter_gate(trained.metrics, trial, segmenter_floors(trained.preset))

    return _admit(serving, SEGMENTER, {}, trained, gate, measure, force, mark, registration)


def admit_style(
    serving: Serving,
    style: StyleCard,
    trained: Trained,
    measure: Measure,
    force: bool = False,
    mark: Mark = lambda: None,
    **registration: Any,
) -> Admission:
    """As `admit_segmenter`, for a style's version; ``measure`` measures on held-out garments."""

    def gate(trial: Trial | None) -> Verdict:
        return style_gate(trained.metrics, trial, style_floors(trained.preset))

    return _admit(serving, style_model(style.name), style.to_tags(), trained, gate, measure, force, mark, registration)


_OF_THE_FILE = ("domain", "code", "warm_start")


def _tags_of_the_file(weights: Path) -> dict[str, str]:
    """What a model's weights say of it: rendered pictures or photos, which code, and the weights that it began with."""
    try:
        info = read_card(weights).info
    except WeightsRejected:
        return {}
    return {name: str(info[name]) for name in _OF_THE_FILE if info.get(name)}


def _admit(
    serving: Serving,
    model: str,
    tags: Mapping[str, str],
    trained: Trained,
    gate: Gate,
    measure: Measure,
    force: bool,
    mark: Mark,
    registration: Mapping[str, Any],
) -> Admission:
    registry, weights = serving.registry, trained.weights
    version = registry.register(
        model,
        weights,
        trained.metrics,
        trained.digests,
        trained.recipe,
        {**tags, **_tags_of_the_file(weights), **trained.origin},
        **registration,
    )
    mark()
    version = registry.version(model, version.version)
    incumbent = serving.incumbent(model)
    if incumbent and incumbent.version == version.version:  # registered and promoted before, by a run that was cut off
        return Admission(model, version.version, True, ["it serves already"])
    compared_with = incumbent.version if incumbent else None
    trial, verdict = None, None
    unlearnt = bool(incumbent and incumbent.champion and incumbent.champion.withdrawn)
    if version.withdrawn:
        why = f"it learnt from a picture that was withdrawn at {version.withdrawn}"
        verdict = Verdict(False, [why], [why])
    elif incumbent and not unlearnt and _is_rival(incumbent, version):
        try:
            trial = hold_trial(measure, weights, serving.weights(incumbent), _named(incumbent), incumbent.starter)
        except (Damaged, InputError, WeightsRejected) as error:  # what it is to be measured on, or next to, is gone
            why = f"it could not be measured next to the {_named(incumbent)}: {error}"
            verdict = Verdict(False, [why], [why])
    verdict = verdict or gate(trial)
    reasons, passed = list(verdict.reasons), verdict.passed
    if unlearnt:
        reasons.append(
            f"not compared with version {compared_with}, which learnt from a picture that was withdrawn since"
        )
    stays_retired = version.retired not in ("", BY_WITHDRAWAL)
    if stays_retired and passed:
        reasons.append(f"it does not serve: the style was retired; `fittingroom styles promote {version.style}"
                       f" {version.version}` lets it")  # fmt: skip
    forced = force and not passed
    if forced:
        reasons.append("it serves against this verdict, as was asked (force)")
    registry.note_verdict(version, passed, "; ".join(reasons))
    if (passed and not stays_retired) or force:
        registry.promote(model, version.version, "; ".join(reasons))
    return Admission(
        model,
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
