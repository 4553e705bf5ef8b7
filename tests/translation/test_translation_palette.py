"""The palette: the domain's own colours, found the same way each time; stray ones left out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fittingroom.appearance.colours import srgb_to_lab
from fittingroom.translation.networks import PALETTE, Generator
from fittingroom.translation.palette import palette
from fittingroom.translation.shading import HIGHLIGHT_REACH, SHADOW_REACH, bent


def test_a_striped_domain_has_both_its_colours_and_no_stray_one() -> None:
    navy, white, stray = (20, 30, 80), (240, 240, 235), (0, 255, 0)
    pixels = np.array([navy] * 600 + [white] * 396 + [stray] * 4, np.uint8)
    found = (palette(pixels, 4) * 255).round().astype(int)
    assert found.shape == (4, 3)
    assert {tuple(row) for row in found.tolist()} == {navy, white}
    assert np.array_equal(palette(pixels, 4), palette(pixels, 4))
    assert found.sum(1).tolist() == sorted(found.sum(1).tolist())


def test_a_plain_style_is_painted_in_the_hue_of_most_of_it() -> None:
    pixels = np.array([(150, 20, 30)] * 500 + [(190, 40, 120)] * 300 + [(230, 90, 40)] * 200, np.uint8)
    found = srgb_to_lab(palette(pixels, 6, one_hue=True))
    hues = np.degrees(np.arctan2(found[:, 2], found[:, 1]))
    main = srgb_to_lab(np.array([150, 20, 30], np.uint8))
    assert np.allclose(hues, np.degrees(np.arctan2(main[2], main[1])), atol=1)
    many = srgb_to_lab(palette(pixels, 6))
    assert np.ptp(np.degrees(np.arctan2(many[:, 2], many[:, 1]))) > 30
    assert np.allclose(np.sort(found[:, 0]), np.sort(many[:, 0]), atol=1)
    assert (np.hypot(found[:, 1], found[:, 2]) > 0.9 * np.hypot(*main[1:])).all()  # none duller than the cloth in light
    dark = srgb_to_lab(palette(np.array([(150, 20, 30)] * 600 + [(60, 10, 15)] * 400, np.uint8), 4, one_hue=True))
    assert np.hypot(*dark[0, 1:]) < 0.7 * np.hypot(*dark[-1, 1:])
    grey = np.array([(120, 122, 121)] * 600 + [(60, 60, 90)] * 400, np.uint8)
    assert np.hypot(*srgb_to_lab(palette(grey, 4, one_hue=True))[:, 1:].T).max() < 3


def test_fewer_pixels_than_colours_are_enough_and_none_are_not() -> None:
    assert (palette(np.array([[255, 0, 0]], np.uint8), 3) == [[1, 0, 0]] * 3).all()
    with pytest.raises(ValueError, match="got none"):
        palette(np.zeros((0, 3), np.uint8), 3)


def red_generator() -> Generator:
    generator = Generator(4, 1, skip="palette", composite=True, masked_norm=True)
    generator.set_palette(torch.tensor([[0.7, 0.05, 0.1]]).expand(PALETTE, 3))
    return generator


def test_the_palette_skip_starts_as_the_palettes_mean_with_the_inputs_shading() -> None:
    shading = torch.linspace(0.85, 1.15, 64).view(1, 1, 1, 64).expand(1, 3, 64, 64)
    green = torch.tensor([0.2, 0.6, 0.3]).view(1, 3, 1, 1)
    with torch.no_grad():
        out = (red_generator()(2 * (green * shading) - 1, torch.ones(1, 1, 64, 64)) + 1) / 2
    torch.testing.assert_close(out.mean((0, 2, 3)), torch.tensor([0.7, 0.05, 0.1]), rtol=0.05, atol=0.02)
    assert (out[0, 0, 32].diff() > 0).all()  # the light still falls from the same side


@pytest.mark.parametrize("base", [0.04, 0.5, 0.9])
def test_whatever_the_input_and_the_weights_only_the_styles_hue_comes_out(base: float) -> None:
    generator = red_generator()
    for parameter in generator.parameters():  # as if trained badly
        torch.nn.init.normal_(parameter, 0.0, 0.3)
    image = torch.full((1, 3, 64, 64), 2 * base - 1)
    image[..., 16:40, 16:40] = 0.95 if base < 0.5 else -0.95  # a large light (or dark) print
    with torch.no_grad():
        out = (generator(image, torch.ones(1, 1, 64, 64)) + 1) / 2
    red, others = out[:, 0], out[:, 1:].amax(1)
    assert (red > 2 * others).all()
    low, high = 0.7 * np.exp(-SHADOW_REACH), 0.7 * np.exp(HIGHLIGHT_REACH)
    assert float(red.min()) >= low - 0.03
    assert float(red.max()) <= min(high, 1.0) + 0.03


def test_bending_leaves_small_values_and_stops_large_ones() -> None:
    values = torch.tensor([-5.0, -0.1, 0.0, 0.1, 5.0])
    torch.testing.assert_close(bent(values)[1:4], values[1:4], rtol=0.03, atol=1e-6)
    assert float(bent(values)[-1]) == pytest.approx(HIGHLIGHT_REACH)
    assert float(bent(values)[0]) == pytest.approx(-SHADOW_REACH, abs=1e-4)


def test_an_empty_mask_gives_no_nan() -> None:
    out = red_generator()(torch.rand(1, 3, 32, 32), torch.zeros(1, 1, 32, 32))
    assert out.isfinite().all()
