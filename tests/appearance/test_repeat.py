"""How fine a pattern is and which way it runs is measured on a garment, and laid on another one as it was."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fittingroom.appearance.cloth import cloth_of
from fittingroom.appearance.repeat import Repeat, figure_share, laid_waves, local_waves, repeat_of
from fittingroom.images import RGB
from fittingroom.masks import Mask
from fittingroom.sample.fabrics import COLOURS, Fabric
from fittingroom.style_card import Pattern


def cloth(pattern: Pattern, period: float, angle: float = 0.0, size: int = 360) -> tuple[RGB, Mask]:
    """An ellipse 300 pixels high of cloth whose repeat is ``period`` of that, under soft light from one side."""
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    fabric = Fabric(pattern, COLOURS["navy"], COLOURS["white"], period=period * 300, angle=angle, share=0.45)
    light = 0.75 + 0.25 * columns / size
    image = fabric.sample(columns, rows, 1.0) * light[..., None]
    mask = np.zeros((size, size), np.uint8)
    cv2.ellipse(mask, (size // 2, size // 2), (130, 150), 0, 0, 360, 1, -1)
    image[mask == 0] = 1.0
    return np.clip(np.round(255 * image), 0, 255).astype(np.uint8), mask.astype(bool)


@pytest.mark.parametrize("period", [0.03, 0.06, 0.1, 0.18])
@pytest.mark.parametrize("angle", [0.0, 0.5, np.pi / 2])
def test_stripes_have_one_vector_of_their_period_across_them(period: float, angle: float) -> None:
    image, mask = cloth("striped", period, angle)
    repeat = repeat_of(image, mask, cloth_of(image, mask, "striped"), "striped")
    assert repeat is not None
    ((x, y),) = repeat.vectors
    assert np.hypot(x, y) == pytest.approx(1 / period, rel=0.08, abs=0.6)
    turned = abs(np.sin(np.arctan2(y, x) - np.arctan2(np.cos(angle), -np.sin(angle))))
    assert turned < 0.15


@pytest.mark.parametrize("period", [0.04, 0.08, 0.12])
def test_checks_repeat_both_ways(period: float) -> None:
    image, mask = cloth("checked", period, 0.3)
    repeat = repeat_of(image, mask, cloth_of(image, mask, "checked"), "checked")
    assert repeat is not None
    assert len(repeat.vectors) == 2
    for x, y in repeat.vectors:
        assert np.hypot(x, y) == pytest.approx(1 / period, rel=0.1)
    (a, b), (c, d) = repeat.vectors
    assert abs(a * c + b * d) < 0.2 * np.hypot(a, b) * np.hypot(c, d)


def test_what_does_not_repeat_has_no_repeat() -> None:
    image, mask = cloth("striped", 0.08)
    plain = np.where(mask[..., None], np.uint8(90), np.uint8(255)).repeat(3, 2)
    noise = np.random.default_rng(0).integers(40, 200, (*mask.shape, 3)).astype(np.uint8)
    assert repeat_of(image, mask, cloth_of(image, mask, "striped"), "solid") is None
    assert repeat_of(plain, mask, cloth_of(plain, mask, "striped"), "striped") is None
    assert repeat_of(noise, mask, cloth_of(noise, mask, "striped"), "striped") is None
    nothing = np.zeros_like(mask)
    assert repeat_of(image, nothing, cloth_of(image, mask, "striped"), "striped") is None
    assert not figure_share(image, nothing, cloth_of(image, mask, "striped")).any()


@pytest.mark.parametrize("vectors", [((0.0, 12.0),), ((20.0, 3.0),), ((9.0, 0.0), (0.0, 9.0))])
def test_a_repeat_laid_on_a_garment_is_measured_there_again(vectors: tuple[tuple[float, float], ...]) -> None:
    image, mask = cloth("solid", 0.1)
    waves = laid_waves(image, mask, Repeat(vectors))
    assert waves.shape == (2 * len(vectors), *mask.shape)
    assert not waves[:, ~mask].any()
    figure = np.prod([waves[2 * number] > 0 for number in range(len(vectors))], axis=0)
    painted = np.where((figure * mask)[..., None] > 0, np.array(COLOURS["white"]), np.array(COLOURS["red"]))
    painted = np.where(mask[..., None], 255 * painted, 255).astype(np.uint8)
    pattern = "striped" if len(vectors) == 1 else "checked"
    again = repeat_of(painted, mask, cloth_of(painted, mask, pattern), pattern)
    assert again is not None
    assert len(again.vectors) == len(vectors)
    lengths = sorted(float(np.hypot(*vector)) for vector in again.vectors)
    assert lengths == pytest.approx(sorted(float(np.hypot(*vector)) for vector in vectors), rel=0.06)


def test_a_phase_is_0_in_the_middle_of_a_figure_and_bends_with_the_cloth() -> None:
    image, mask = cloth("striped", 0.08)
    rows, columns = np.mgrid[: mask.shape[0], : mask.shape[1]].astype(np.float32)
    down = rows + 8 * np.sin(columns / 40)
    bent = np.asarray(cv2.remap(image, columns, down, cv2.INTER_LINEAR, borderValue=(255, 255, 255)), np.uint8)
    bent[~mask] = 255
    dyes = cloth_of(bent, mask, "striped")
    repeat = repeat_of(bent, mask, dyes, "striped")
    assert repeat is not None
    figure = figure_share(bent, mask, dyes)
    cosine = local_waves(figure, mask, repeat)[0]
    core = cv2.erode(mask.astype(np.uint8), np.ones((31, 31))).astype(bool)
    agree = ((cosine > 0) == (figure > 0.5))[core].mean()
    assert agree > 0.9


def test_a_figures_share_is_0_on_the_ground_and_1_on_the_figure() -> None:
    image, mask = cloth("striped", 0.2)
    dyes = cloth_of(image, mask, "striped")
    share = figure_share(image, mask, dyes)
    assert not share[~mask].any()
    assert ((share[mask] < 0.2) | (share[mask] > 0.8)).mean() > 0.85
    assert not figure_share(image, mask, dyes[:1]).any()


def test_a_repeat_has_one_or_two_vectors() -> None:
    with pytest.raises(ValueError, match="one or two vectors, got 0"):
        Repeat(())
