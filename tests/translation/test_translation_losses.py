"""The losses against slow, plain rewrites of their formulas."""

from __future__ import annotations

import pytest
import torch

from fittingroom.translation.losses import (
    adversarial_loss,
    cycle_loss,
    patch_weight,
    pattern_share,
    smooth_l1,
    structure_loss,
    weighted_mean,
)


def slow_smooth_l1(value: torch.Tensor, target: torch.Tensor, beta: float, weight: torch.Tensor) -> float:
    """Pixel by pixel, in Python floats."""
    total = weights = 0.0
    count, channels, height, width = value.shape
    for n in range(count):
        for y in range(height):
            for x in range(width):
                w = float(weight[n, 0, y, x])
                for c in range(channels):
                    d = abs(float(value[n, c, y, x]) - float(target[n, c, y, x]))
                    total += w * (d * d / (2 * beta) if d < beta else d - beta / 2)
                    weights += w
    return total / weights


@pytest.fixture
def pictures() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    value, target = torch.randn(2, 3, 8, 8, generator=generator), torch.randn(2, 3, 8, 8, generator=generator)
    mask = (torch.rand(2, 1, 8, 8, generator=generator) > 0.4).float()
    return value, target, mask


@pytest.mark.parametrize("beta", [0.1, 1.0, 2.5])
def test_smooth_l1_is_the_papers_formula(pictures: tuple[torch.Tensor, ...], beta: float) -> None:
    value, target, mask = pictures
    everywhere = torch.ones_like(mask)
    assert float(smooth_l1(value, target, beta)) == pytest.approx(slow_smooth_l1(value, target, beta, everywhere), 1e-5)
    assert float(smooth_l1(value, target, beta, mask)) == pytest.approx(slow_smooth_l1(value, target, beta, mask), 1e-5)


def test_the_surround_has_no_say_in_a_masked_loss(pictures: tuple[torch.Tensor, ...]) -> None:
    value, target, mask = pictures
    changed = torch.where(mask.bool(), value, value + 100)
    assert torch.equal(smooth_l1(changed, target, 1.0, mask), smooth_l1(value, target, 1.0, mask))
    assert float(smooth_l1(changed, target, 1.0)) > float(smooth_l1(value, target, 1.0)) + 10


def test_an_empty_mask_gives_zero_and_no_gradient_blows_up() -> None:
    value = torch.randn(1, 3, 8, 8, requires_grad=True)
    loss = weighted_mean(value.square(), torch.zeros(1, 1, 8, 8))
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert value.grad is not None
    assert torch.isfinite(value.grad).all()


def test_patch_weight_is_the_share_of_garment_under_each_patch() -> None:
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4, :2] = 1
    assert patch_weight(mask, torch.zeros(1, 1, 2, 2)).tolist() == [[[[0.5, 0.0], [0.0, 0.0]]]]


def test_adversarial_loss_by_hand() -> None:
    scores = torch.tensor([[[[1.0, 0.5], [3.0, 0.0]]]])
    # real: |1-1|, |0.5-1|, |3-1|, |0-1| -> 0, 0.125, 1.5, 0.5
    assert float(adversarial_loss(scores, True, 1.0)) == pytest.approx((0 + 0.125 + 1.5 + 0.5) / 4)
    # fake: 1, 0.5, 3, 0 from 0 -> 0.5, 0.125, 2.5, 0
    assert float(adversarial_loss(scores, False, 1.0)) == pytest.approx((0.5 + 0.125 + 2.5 + 0) / 4)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2, 2:] = 1  # only the patch with score 0.5
    assert float(adversarial_loss(scores, False, 1.0, mask)) == pytest.approx(0.125)


def test_cycle_loss_without_chroma_forgives_a_lost_colour_but_not_a_lost_lightness() -> None:
    grey = torch.zeros(1, 3, 4, 4)
    # Same Rec. 601 luma, other colour: 0.299 r + 0.587 g + 0.114 b = 0.
    other = torch.tensor([0.587, -0.299, 0.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert float(cycle_loss(other, grey, 1.0, chroma=0.0)) == pytest.approx(0.0, abs=1e-9)
    assert float(cycle_loss(other, grey, 1.0, chroma=1.0)) == pytest.approx((0.587**2 + 0.299**2) / 2 / 3, 1e-5)
    assert float(cycle_loss(grey + 0.5, grey, 1.0, chroma=0.0)) == pytest.approx(0.125, 1e-5)
    half = float(cycle_loss(other, grey, 1.0, chroma=0.5))
    assert half == pytest.approx(0.5 * float(cycle_loss(other, grey, 1.0)), 1e-5)


def test_structure_loss_allows_another_colour_and_a_fine_pattern_but_no_lost_fold() -> None:
    mask = torch.ones(1, 1, 64, 64)
    fold = torch.linspace(0.4, 0.8, 64).view(1, 1, 1, 64).expand(1, 1, 64, 64)
    garment = (2 * fold - 1).expand(1, 3, 64, 64)
    darker = (2 * (0.5 * (fold + 0.05) - 0.05) - 1).expand(1, 3, 64, 64)  # the same shading on a darker cloth
    stripes = torch.tensor([0.1, -0.1]).repeat(32).view(1, 1, 64, 1)
    flat = torch.full((1, 3, 64, 64), 0.2)
    assert float(structure_loss(darker, garment, 16, mask)) < 0.01
    assert float(structure_loss(garment + stripes, garment, 16, mask)) < 0.01
    assert float(structure_loss(flat, garment, 16, mask)) > 0.1


def test_structure_loss_without_patterns_asks_for_folds_but_not_for_prints() -> None:
    mask = torch.ones(1, 1, 96, 96)
    place = torch.arange(96)
    fold = (0.8 + 0.15 * torch.sin(place / 20)).view(1, 1, 1, 96)
    dots = ((place % 12 < 6).view(-1, 1) & (place % 12 < 6).view(1, -1)).view(1, 1, 96, 96)
    pink, white, red = (
        torch.tensor(colour).view(1, 3, 1, 1) for colour in ([0.8, 0.3, 0.45], [0.95, 0.95, 0.9], [0.7, 0.1, 0.1])
    )
    plain_pink, plain_red = 2 * fold * pink - 1, 2 * fold * red - 1
    dotted = 2 * fold * torch.where(dots, white, pink) - 1
    dotted_red = 2 * fold * torch.where(dots, 1.4 * red, red) - 1
    without_fold = (2 * fold.mean() * red - 1).expand(1, 3, 96, 96)

    def loss(fake: torch.Tensor, real: torch.Tensor, patterns: bool) -> float:
        return float(structure_loss(fake, real, 4, mask, patterns))

    assert float(pattern_share(dotted, mask)[dots].min()) == 1.0
    assert float(pattern_share(plain_pink, mask).mean()) < 0.05
    assert loss(dotted_red, dotted, True) < loss(plain_red, dotted, True)
    assert loss(plain_red, dotted, False) < 0.5 * loss(dotted_red, dotted, False)
    assert loss(plain_red, plain_pink, False) < 0.1 * loss(without_fold, plain_pink, False)
    assert loss(plain_red, plain_pink, False) == pytest.approx(loss(plain_red, plain_pink, True), abs=0.01)


def test_structure_loss_looks_at_the_garment_only() -> None:
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 16:48, 16:48] = 1
    garment, fake = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    other = torch.where(mask.bool(), fake, torch.ones_like(fake))
    assert float(structure_loss(fake, garment, 8, mask)) == pytest.approx(
        float(structure_loss(other, garment, 8, mask)), 1e-5
    )
