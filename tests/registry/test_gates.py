"""The gates: what passes, what does not, and that the reasons say it with figures."""

from __future__ import annotations

import math

import pytest

from fittingroom.errors import SettingError
from fittingroom.registry.gates import (
    SegmenterFloors,
    StyleFloors,
    segmenter_floors,
    segmenter_gate,
    style_floors,
    style_gate,
)
from fittingroom.registry.trial import Trial

FLOORS = StyleFloors(
    ciede2000_median_at_most=12, luminance_ssim_at_least=0.55, leak_at_most=0.05, pattern_recognised_at_least=0.5
)
GOOD = {"ciede2000_median": 8.0, "luminance_ssim": 0.7, "leak": 0.01}


def test_above_the_floor_without_a_champion() -> None:
    verdict = style_gate(GOOD, floors=FLOORS)
    assert verdict.passed
    assert "median colour difference (CIEDE2000) 8 is at most 12" in verdict.reasons


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ciede2000_median": 12.1}, "12.1 is not at most 12"),
        ({"luminance_ssim": 0.54}, "0.54 is not at least 0.55"),
        ({"leak": 0.06}, "0.06 is not at most 0.05"),
        ({"pattern_recognised": 0.4}, "0.4 is not at least 0.5"),
        ({"colour_moved": 0.1}, "0.1 is not at least 0.2"),
        ({"best_step": 2.0}, "steps it learnt from 2 is not at least 200"),
        ({"cycle_error": 0.41}, "back 0.41 is not at most 0.4"),
        ({"kid_mobilenet_v2": 1.05}, "1.05 is not at most 0.9"),
    ],
)
def test_each_floor_stops_it_alone(change: dict[str, float], words: str) -> None:
    verdict = style_gate({**GOOD, **change}, floors=FLOORS)
    assert not verdict.passed
    (failure,) = verdict.failures
    assert words in failure
    assert failure in verdict.reasons


def test_exactly_on_the_floor_passes() -> None:
    assert style_gate({"ciede2000_median": 12.0, "luminance_ssim": 0.55, "leak": 0.05}, floors=FLOORS).passed


def trial(new: dict[str, float], old: dict[str, float], noise: float = 0.0, must_be_better: bool = False) -> Trial:
    """Ten pictures; ``noise`` is the same for all figures."""
    return Trial("champion (version 3)", 10, new, old, dict.fromkeys(new, noise), must_be_better)


def test_better_than_a_poor_champion_passes_below_the_floor() -> None:
    new = {"ciede2000_median": 15.0, "luminance_ssim": 0.5, "leak": 0.01}
    verdict = style_gate(new, trial(new, new | {"ciede2000_median": 20.0}), FLOORS)
    assert verdict.passed
    words = "on the same 10 held-out pictures median colour difference (CIEDE2000) 15 is better than the"
    assert any(f"{words} champion (version 3)'s 20" in reason for reason in verdict.reasons)


@pytest.mark.parametrize("worse", ["ciede2000_median", "luminance_ssim", "leak", "pattern_recognised"])
def test_a_regression_never_passes_however_far_above_the_floors(worse: str) -> None:
    old = {"ciede2000_median": 4.0, "luminance_ssim": 0.8, "leak": 0.0, "pattern_recognised": 0.9}
    new = old | {"ciede2000_median": 3.0} | {worse: {"ciede2000_median": 6.0, "leak": 0.04}.get(worse, 0.7)}
    assert style_gate(new, floors=FLOORS).passed
    verdict = style_gate(new, trial(new, old), FLOORS)
    assert not verdict.passed
    (failure,) = verdict.failures
    assert "worse than the champion" in failure


def test_a_difference_within_noise_is_neither_a_gain_nor_a_regression() -> None:
    new = {"ciede2000_median": 5.0, "luminance_ssim": 0.7, "leak": 0.01}
    old = new | {"ciede2000_median": 4.2}
    assert not style_gate(new, trial(new, old, noise=0.5), FLOORS).passed
    kept = style_gate(new, trial(new, old, noise=1.0), FLOORS)
    assert kept.passed
    assert any(
        "5 is as good as the champion (version 3)'s 4.2 (differences up to 1 are chance)" in r for r in kept.reasons
    )
    poor, poorer = new | {"ciede2000_median": 15.0}, new | {"ciede2000_median": 15.1}
    assert not style_gate(poor, trial(poor, poorer), FLOORS).passed, "below the floor, and better by next to nothing"


def test_one_picture_tells_neither_better_nor_worse() -> None:
    new = {"ciede2000_median": 5.0, "luminance_ssim": 0.7, "leak": 0.01}
    verdict = style_gate(new, trial(new, new | {"ciede2000_median": 9.0}, noise=math.inf), FLOORS)
    assert any("which one picture cannot tell" in reason for reason in verdict.reasons)
    assert not any("better" in reason for reason in verdict.reasons)


def test_a_hard_limit_is_not_excused_by_a_worse_champion() -> None:
    champion = {"ciede2000_median": 30.0, "luminance_ssim": 0.1, "leak": 0.5}
    for broken in ({"leak": 0.2}, {"best_step": 2.0}, {"colour_moved": 0.0}):
        new = GOOD | broken
        assert not style_gate(new, trial(new, champion), FLOORS).passed
        assert not style_gate(new, floors=FLOORS).passed


def test_what_a_starter_wants_is_to_be_better() -> None:
    equal = style_gate(GOOD, trial(GOOD, GOOD, must_be_better=True), FLOORS)
    assert not equal.passed
    assert "displaced only by what is better" in equal.reasons[-1]
    assert style_gate(GOOD, trial(GOOD, GOOD), FLOORS).passed, "a champion of one's own gives way to its like"
    better = GOOD | {"ciede2000_median": 5.0}
    assert style_gate(better, trial(better, GOOD, must_be_better=True), FLOORS).passed


def test_a_distance_without_a_floor_counts_in_a_trial_alone() -> None:
    assert style_gate(GOOD | {"kid_inception": 9.0}, floors=FLOORS).reasons == style_gate(GOOD, floors=FLOORS).reasons
    near, far = GOOD | {"kid_inception": 0.1}, GOOD | {"kid_inception": 0.2}
    assert style_gate(near, trial(near, far, must_be_better=True), FLOORS).passed
    assert not style_gate(far, trial(far, near), FLOORS).passed


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_figure_that_is_missing_or_no_number_never_passes(value: float | None) -> None:
    metrics = {k: v for k, v in {**GOOD, "luminance_ssim": value}.items() if v is not None}
    verdict = style_gate(metrics, trial(GOOD, {"ciede2000_median": 99, "luminance_ssim": 0, "leak": 1}), FLOORS)
    assert not verdict.passed
    assert verdict.reasons == ["likeness of folds and shading (SSIM) (luminance_ssim) was not measured"]


def test_segmenter_gate() -> None:
    floors = SegmenterFloors(mask_ap50_at_least=0.5, largest_iou_at_least=0.6)
    assert segmenter_gate({"mask_ap50": 0.5, "largest_iou": 0.6}, floors=floors).passed
    low = {"mask_ap50": 0.4, "largest_iou": 0.6}
    assert not segmenter_gate(low, floors=floors).passed
    assert segmenter_gate(low, trial(low, {"mask_ap50": 0.3, "largest_iou": 0.6}), floors).passed
    assert not segmenter_gate(low, trial(low, {"mask_ap50": 0.4, "largest_iou": 0.6}), floors).passed
    fine = {"mask_ap50": 0.618, "largest_iou": 0.75}
    assert not segmenter_gate(fine, trial(fine, {"mask_ap50": 0.818, "largest_iou": 0.8}), floors).passed


def test_demo_floors_are_the_loosest() -> None:
    demo, standard = style_floors("demo"), style_floors("standard")
    assert demo.ciede2000_median_at_most > standard.ciede2000_median_at_most
    assert demo.luminance_ssim_at_least < standard.luminance_ssim_at_least
    assert demo.steps_at_least < style_floors("cpu").steps_at_least < standard.steps_at_least
    assert demo.colour_moved_at_least == standard.colour_moved_at_least
    assert demo.leak_at_most == standard.leak_at_most  # the hard limit is nobody's to loosen
    assert segmenter_floors("demo").mask_ap50_at_least < segmenter_floors("standard").mask_ap50_at_least


def test_wrong_settings_name_field_value_and_range() -> None:
    with pytest.raises(SettingError, match=r"preset: expected one of demo, cpu, standard, recipe, got 'huge'"):
        style_floors("huge")
    with pytest.raises(SettingError, match="leak_at_most"):
        StyleFloors(leak_at_most=1.5)
    with pytest.raises(SettingError, match="largest_iou_at_least"):
        SegmenterFloors(largest_iou_at_least=float("nan"))
