"""Shapes, parameter counts and the mask's promises of the networks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fittingroom.translation.networks import (
    Discriminator,
    GarmentNorm,
    Generator,
    build_discriminator,
    build_generator,
)
from fittingroom.translation.settings import StyleSettings, preset
from fittingroom.translation.shading import luminance

SMALL: dict[str, Any] = {"filters": 4, "blocks": 1, "discriminator_filters": 4}


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def paper_generator_parameters(filters: int, blocks: int) -> int:
    """c7s1-f, d2f, d4f, R4f x blocks, u2f, uf, c7s1-3, counted by hand: weights and biases."""

    def layer(kernel: int, channels: int, out: int) -> int:
        return kernel * kernel * channels * out + out

    f = filters
    ends = layer(7, 3, f) + layer(7, f, 3)
    scales = layer(3, f, 2 * f) + layer(3, 2 * f, 4 * f) + layer(3, 4 * f, 2 * f) + layer(3, 2 * f, f)
    return ends + scales + blocks * 2 * layer(3, 4 * f, 4 * f)


def test_the_recipe_has_the_papers_parameter_counts() -> None:
    recipe = preset("recipe")
    with torch.device("meta"):
        generator, discriminator = build_generator(recipe), build_discriminator(recipe)
    assert parameters(generator) == paper_generator_parameters(64, 9) == 11_378_179
    assert parameters(discriminator) == 2_764_737


@pytest.mark.parametrize("name", ["recipe", "standard", "cpu", "demo"])
@pytest.mark.parametrize("direction", ["a_to_b", "b_to_a"])
def test_generators_keep_the_shape(name: str, direction: str) -> None:
    generator = build_generator(preset(name).with_overrides(filters=4, reverse_filters=4), direction)  # type: ignore[arg-type]
    image, mask = torch.rand(2, 3, 48, 64) * 2 - 1, torch.ones(2, 1, 48, 64)
    with torch.no_grad():
        out = generator(image, mask)
    assert out.shape == image.shape
    assert float(out.min()) >= -1
    assert float(out.max()) <= 1


def test_discriminator_patches() -> None:
    discriminator = Discriminator(4)
    assert discriminator(torch.zeros(2, 3, 256, 256)).shape == (2, 1, 30, 30)  # 70 x 70 patches of the paper
    # The receptive field: the gradient of one score reaches 70 x 70 pixels.
    plain = Discriminator(4, norm="none")
    image = torch.randn(1, 3, 256, 256, requires_grad=True)
    plain(image)[0, 0, 15, 15].backward()
    assert image.grad is not None
    reached = image.grad.abs().sum((0, 1)) > 0
    assert int(reached.any(0).sum()) == 70
    assert int(reached.any(1).sum()) == 70


def slow_masked_norm(features: Tensor, mask: Tensor, epsilon: float = 1e-5) -> Tensor:
    out = torch.zeros_like(features)
    for n in range(features.shape[0]):
        weight = mask[n, 0]
        total = weight.sum().clamp_min(1)
        for c in range(features.shape[1]):
            values = features[n, c]
            mean = (values * weight).sum() / total
            variance = ((values - mean) ** 2 * weight).sum() / total
            out[n, c] = weight * (values - mean) / (variance + epsilon).sqrt()
    return out


def test_masked_norm_against_a_slow_rewrite() -> None:
    features, mask = torch.randn(2, 3, 8, 6) * 2 + 1, (torch.rand(2, 1, 8, 6) > 0.3).float()
    torch.testing.assert_close(GarmentNorm()(features, mask), slow_masked_norm(features, mask), rtol=1e-4, atol=1e-4)


def test_masked_norm_of_a_full_mask_is_instance_norm() -> None:
    features = torch.randn(2, 5, 9, 7)
    expected = F.instance_norm(features)
    torch.testing.assert_close(GarmentNorm()(features, torch.ones(2, 1, 9, 7)), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(GarmentNorm()(features, None), expected)


def test_masked_norm_has_the_right_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 3, 6, 5, dtype=torch.double, generator=generator, requires_grad=True)
    mask = (torch.rand(2, 1, 6, 5, dtype=torch.double, generator=generator) * 2).clamp(0, 1)  # borders are shares
    norm = GarmentNorm()
    assert torch.autograd.gradcheck(lambda x: norm(x, mask), features)


def test_masked_norm_of_an_empty_mask_is_zero() -> None:
    assert not GarmentNorm()(torch.randn(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)).any()


def test_a_composite_generator_changes_nothing_outside_the_mask_and_sees_nothing_there() -> None:
    generator = build_generator(preset("demo"))
    for parameter in generator.parameters():  # as if trained: the last layer starts at zero
        nn.init.normal_(parameter, 0.0, 0.1)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 16:48, 16:48] = 1
    image = torch.rand(1, 3, 64, 64) * 2 - 1
    out = generator(image, mask)
    outside = ~mask.bool().expand_as(image)
    assert torch.equal(out[outside], image[outside])
    assert not torch.allclose(out[~outside], image[~outside], atol=0.05)


def test_the_recolour_skip_starts_as_the_domains_colour_with_the_inputs_shading() -> None:
    generator = Generator(4, 1, skip="recolour", composite=True, masked_norm=True)
    colour = torch.tensor([0.7, 0.1, 0.15])
    generator.set_domain_colour(colour)
    mask = torch.ones(1, 1, 32, 32)
    shading = torch.linspace(0.8, 1.2, 32).view(1, 1, 1, 32).expand(1, 3, 32, 32)
    green = torch.tensor([0.2, 0.6, 0.3]).view(1, 3, 1, 1)
    with torch.no_grad():
        out = (generator(2 * (green * shading) - 1, mask) + 1) / 2
    torch.testing.assert_close(out.mean((0, 2, 3)), colour, rtol=0.02, atol=0.02)
    red = out[0, 0, 16]
    assert (red.diff() > 0).all()  # the light still falls from the same side
    assert float(red[-1] / red[0]) > 1.25


def test_the_image_skip_starts_as_the_identity() -> None:
    generator = Generator(4, 1, skip="image")
    image = torch.rand(1, 3, 32, 32) * 1.8 - 0.9
    torch.testing.assert_close(generator(image, torch.ones(1, 1, 32, 32)), image)


def test_coordinates_are_absolute_so_a_crop_is_a_part_of_the_picture() -> None:
    generator = Generator(4, 0, periods=(8.0, 32.0), outer_kernel=1)
    assert generator.position is not None
    image = torch.zeros(1, 3, 64, 64)
    from fittingroom.translation.networks import _waves

    whole = _waves(image, None, generator.turns)
    crop = _waves(image[..., :32, :32], torch.tensor([[16.0, 24.0]]), generator.turns)
    torch.testing.assert_close(crop, whole[..., 24:56, 16:48], rtol=0, atol=1e-4)


def test_luminance_is_rec_601() -> None:
    image = torch.tensor([1.0, -1.0, 0.0]).view(1, 3, 1, 1)
    assert float(luminance(image)) == pytest.approx(0.299 * 1.0 + 0.587 * 0.0 + 0.114 * 0.5)


def test_settings_reach_the_networks() -> None:
    settings = StyleSettings(**SMALL, reverse_filters=8, reverse_blocks=0, mask_channel=True, coordinates=True)
    forward, backward = build_generator(settings), build_generator(settings, "b_to_a")
    assert forward.enter.weight.shape == (4, 4, 7, 7)
    assert backward.enter.weight.shape == (8, 4, 7, 7)
    assert (len(forward.blocks), len(backward.blocks)) == (1, 0)
    assert forward.position is not None
