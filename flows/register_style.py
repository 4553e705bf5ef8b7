"""Register a style that was trained: its weights and figures -> gate -> registry."""

from __future__ import annotations

from fittingroom.settings import get_settings
from flows.parameters import RegisterStyleParameters
from flows.stories import MINUTES, story
from tasks import registering, training
from tasks.caching import CachedResult, result_storage


@story(
    RegisterStyleParameters,
    name="register-style",
    run_name=lambda parameters: f"register style {parameters.style}",
    timeout_seconds=30 * MINUTES,
)
def register_style(parameters: RegisterStyleParameters) -> CachedResult:
    """Register what lies in the style's training folder; it serves when its gate passes."""
    preset = training.chosen_preset(parameters.preset, get_settings().device)
    with result_storage(parameters.place):
        return registering.register_trained(parameters.place, parameters.style, preset, parameters.force)
