"""The gates: what passes, what does not, and that the reasons say it with figures."""

from __future__ import annotations

import math

import pytest

from fittingroom.errors import SettingError
from fittingroom.styles.gates import (
    SegmenterFloors,
    StyleFloors,
    segmenter_floors,
    segmenter_gate,
    style_floors,
    style_gate,
)

FLOORS = StyleFloors(
    ciede2000_median_at_most=12, luminance_ssim_at_least=0.55, leak_at_most=0.05, pattern_recognised_at_least=0.5
)
GOOD = {"ciede2000_median": 8.0, "luminance_ssim": 0.7, "leak": 0.01}


def test_above_the_floor_without_a_champion() -> None:
    verdict = style_gate(GOOD, floors=FLOORS)
    assert verdict.passed
    assert verdict.compared_with is None
    assert "median colour difference (CIEDE2000) 8 is at most 12" in verdict.reasons


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ciede2000_median": 12.1}, "12.1 is not at most 12"),
        ({"luminance_ssim": 0.54}, "0.54 is not at least 0.55"),
        ({"leak": 0.06}, "0.06 is not at most 0.05"),
        ({"pattern_recognised": 0.4}, "0.4 is not at least 0.5"),
        ({"cycle_error": 0.41}, "back 0.41 is not at most 0.4"),
        ({"kid_mobilenet_v2": 1.05}, "1.05 is not at most 0.9"),
    ],
)
def test_each_floor_stops_it_alone(change: dict[str, float], words: str) -> None:
    verdict = style_gate({**GOOD, **change}, floors=FLOORS)
    assert not verdict.passed
    assert any(words in reason for reason in verdict.reasons)


def test_exactly_on_the_floor_passes() -> None:
    assert style_gate({"ciede2000_median": 12.0, "luminance_ssim": 0.55, "leak": 0.05}, floors=FLOORS).passed


def test_better_than_a_poor_champion_passes_below_the_floor() -> None:
    champion = {"ciede2000_median": 20.0, "luminance_ssim": 0.5, "leak": 0.01}
    verdict = style_gate({"ciede2000_median": 15.0, "luminance_ssim": 0.5, "leak": 0.01}, champion, FLOORS, 3)
    assert verdict.passed
    assert verdict.compared_with == 3
    assert any("15 is better than the champion (version 3)'s 20" in reason for reason in verdict.reasons)


def test_better_in_one_and_worse_in_another_is_not_better() -> None:
    champion = {"ciede2000_median": 20.0, "luminance_ssim": 0.5, "leak": 0.01}
    verdict = style_gate({"ciede2000_median": 15.0, "luminance_ssim": 0.3, "leak": 0.01}, champion, FLOORS)
    assert not verdict.passed
    assert any("worse than the champion" in reason for reason in verdict.reasons)


def test_a_difference_within_noise_is_no_gain() -> None:
    champion = {"ciede2000_median": 15.1, "luminance_ssim": 0.5, "leak": 0.01}
    assert not style_gate({"ciede2000_median": 15.0, "luminance_ssim": 0.5, "leak": 0.01}, champion, FLOORS).passed


def test_a_leak_is_not_excused_by_a_worse_champion() -> None:
    champion = {"ciede2000_median": 30.0, "luminance_ssim": 0.1, "leak": 0.5}
    assert not style_gate({**GOOD, "leak": 0.2}, champion, FLOORS).passed


def test_above_the_floor_passes_beside_a_better_champion() -> None:
    champion = {"ciede2000_median": 3.0, "luminance_ssim": 0.9, "leak": 0.0}
    assert style_gate(GOOD, champion, FLOORS).passed


def test_a_distance_without_a_floor_is_only_compared_with_the_champions() -> None:
    assert style_gate(GOOD | {"kid_inception": 9.0}, floors=FLOORS).reasons == style_gate(GOOD, floors=FLOORS).reasons
    poor = {"ciede2000_median": 20.0, "luminance_ssim": 0.5, "leak": 0.01, "kid_inception": 0.2}
    nearer = style_gate(poor | {"kid_inception": 0.1}, poor, FLOORS, 1)
    assert nearer.passed
    assert any("KID, Inception) 0.1 is better than the champion (version 1)'s 0.2" in why for why in nearer.reasons)
    assert not style_gate(poor | {"ciede2000_median": 15.0, "kid_inception": 0.3}, poor, FLOORS, 1).passed


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_figure_that_is_missing_or_no_number_never_passes(value: float | None) -> None:
    metrics = {k: v for k, v in {**GOOD, "luminance_ssim": value}.items() if v is not None}
    verdict = style_gate(metrics, {"ciede2000_median": 99, "luminance_ssim": 0, "leak": 1}, FLOORS)
    assert not verdict.passed
    assert verdict.reasons == ["likeness of folds and shading (SSIM) (luminance_ssim) was not measured"]


def test_segmenter_gate() -> None:
    floors = SegmenterFloors(mask_ap50_at_least=0.5, largest_iou_at_least=0.6)
    assert segmenter_gate({"mask_ap50": 0.5, "largest_iou": 0.6}, floors=floors).passed
    low = {"mask_ap50": 0.4, "largest_iou": 0.6}
    assert not segmenter_gate(low, floors=floors).passed
    assert segmenter_gate(low, {"mask_ap50": 0.3, "largest_iou": 0.6}, floors, 1).passed
    assert not segmenter_gate(low, {"mask_ap50": 0.4, "largest_iou": 0.6}, floors, 1).passed


def test_demo_floors_are_the_loosest() -> None:
    demo, standard = style_floors("demo"), style_floors("standard")
    assert demo.ciede2000_median_at_most > standard.ciede2000_median_at_most
    assert demo.luminance_ssim_at_least < standard.luminance_ssim_at_least
    assert demo.leak_at_most == standard.leak_at_most  # the hard limit is nobody's to loosen
    assert segmenter_floors("demo").mask_ap50_at_least < segmenter_floors("standard").mask_ap50_at_least


def test_wrong_settings_name_field_value_and_range() -> None:
    with pytest.raises(SettingError, match=r"preset: expected one of demo, cpu, standard, recipe, got 'huge'"):
        style_floors("huge")
    with pytest.raises(SettingError, match="leak_at_most"):
        StyleFloors(leak_at_most=1.5)
    with pytest.raises(SettingError, match="largest_iou_at_least"):
        SegmenterFloors(largest_iou_at_least=float("nan"))


def test_a_verdict_is_json() -> None:
    assert style_gate(GOOD, floors=FLOORS).to_json()["passed"] is True
