"""Patterns have the period, share and colours that they say."""

from __future__ import annotations

import numpy as np
import pytest

from fittingroom.sample.fabrics import COLOURS, Fabric, random_fabric

BLACK, WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


def sampled(fabric: Fabric, size: int = 400, texel: float = 0.01) -> np.ndarray:
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) * np.float32(texel)
    return fabric.sample(x, y, texel)


def strongest_period(signal: np.ndarray, texel: float) -> float:
    spectrum = np.abs(np.fft.rfft(signal - signal.mean()))
    return texel * len(signal) / int(np.argmax(spectrum))


@pytest.mark.parametrize("period", [0.1, 0.2, 0.4])
def test_stripes_run_across_with_their_period(period: float) -> None:
    cloth = sampled(Fabric("striped", BLACK, WHITE, period, share=0.5, weave=0.0))[..., 0]
    assert np.ptp(cloth, axis=1).max() == 0  # along a stripe nothing changes
    assert strongest_period(cloth[:, 0], 0.01) == pytest.approx(period, rel=0.02)


def test_stripes_turned_by_a_right_angle_run_down() -> None:
    cloth = sampled(Fabric("striped", BLACK, WHITE, 0.2, angle=np.pi / 2, weave=0.0))[..., 0]
    assert np.ptp(cloth, axis=0).max() < 1e-3
    assert strongest_period(cloth[0], 0.01) == pytest.approx(0.2, rel=0.02)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.7])
def test_share_is_the_second_colours_area(share: float) -> None:
    cloth = sampled(Fabric("striped", BLACK, WHITE, 0.2, share=share, weave=0.0))
    assert cloth.mean() == pytest.approx(share, abs=0.02)


def test_checks_have_three_shades_and_both_periods() -> None:
    cloth = sampled(Fabric("checked", BLACK, WHITE, 0.2, share=0.5, weave=0.0))[..., 0]
    shares = [(np.abs(cloth - level) < 0.02).mean() for level in (0.0, 0.5, 1.0)]
    assert shares[0] > 0.15
    assert shares[1] > 0.35
    assert shares[2] > 0.15
    assert strongest_period(cloth.mean(axis=0), 0.01) == pytest.approx(0.2, rel=0.02)
    assert strongest_period(cloth.mean(axis=1), 0.01) == pytest.approx(0.2, rel=0.02)


def test_dots_are_discs_of_the_second_colour() -> None:
    share, period = 0.5, 0.4
    cloth = sampled(Fabric("dotted", BLACK, WHITE, period, share=share, weave=0.0))
    assert cloth.mean() == pytest.approx(np.pi * (0.62 * share) ** 2, abs=0.01)


def test_solid_cloth_keeps_its_colour() -> None:
    cloth = sampled(Fabric("solid", COLOURS["red"], weave=0.02))
    assert cloth.mean(axis=(0, 1)) == pytest.approx(COLOURS["red"], rel=0.02)
    assert cloth.std() > 0


def test_random_fabrics_are_repeatable_and_varied() -> None:
    first = [random_fabric(np.random.default_rng([1, i])) for i in range(60)]
    assert first == [random_fabric(np.random.default_rng([1, i])) for i in range(60)]
    assert {fabric.pattern for fabric in first} == {"solid", "striped", "checked", "dotted", "floral"}
    for fabric in first:
        if fabric.pattern != "solid":
            assert sum(abs(a - b) for a, b in zip(fabric.base, fabric.second, strict=True)) > 0.3
