"""A style learnt as a pattern alone: its pictures in any dyes, its repeat given at each pixel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from fittingroom.appearance.ciede2000 import ciede2000
from fittingroom.appearance.colours import srgb_to_lab
from fittingroom.appearance.repeat import Repeat
from fittingroom.errors import InputError, SettingError
from fittingroom.images import RGB, write_png
from fittingroom.masks import Mask
from fittingroom.training.accelerators import new_accelerator
from fittingroom.translation.data_filter import Chosen, Picture
from fittingroom.translation.dataset import Domain
from fittingroom.translation.dyed import (
    SLOTS,
    DyedDomain,
    Laid,
    Layers,
    paint,
    palette_of,
    random_dyes,
    random_print,
    random_waves,
    taken_apart,
    typical_dyes,
    typical_repeat,
)
from fittingroom.translation.networks import PALETTE, WAVES
from fittingroom.translation.predict import Translator
from fittingroom.translation.settings import StyleSettings, for_any_colour, preset
from fittingroom.translation.step import CycleGan
from fittingroom.translation.train import train_style
from tests.translation.style_builders import GREYS, TINY, garment, write_garments

NAVY, WHITE = (30, 40, 90), (235, 235, 230)
CPU = torch.device("cpu")


def striped(seed: int = 0, period: int = 8, size: int = 64, ground: tuple[int, int, int] = NAVY) -> tuple[RGB, Mask]:
    """A garment with level stripes a third of the period wide."""
    image, mask = garment(seed, ground, size)
    other, _ = garment(seed, WHITE, size)
    rows = np.arange(size) % period < period / 3
    image[rows] = other[rows]
    image[~mask] = 255
    return image, mask


def layers_of(seed: int = 0, period: int = 8, size: int = 256) -> tuple[RGB, Mask, Layers]:
    image, mask = striped(seed, period, size)
    return image, mask, Layers.of(image, mask, "striped")


def colour_difference(one: RGB, other: RGB, mask: Mask) -> float:
    return float(np.median(ciede2000(srgb_to_lab(one[mask]), srgb_to_lab(other[mask]))))


def test_in_its_own_dyes_a_picture_is_itself_and_in_others_its_pattern_and_folds_stay() -> None:
    image, mask, layers = layers_of(period=24)
    assert colour_difference(layers.dyed(mask, layers.dyes), image, mask) < 2.0
    others = np.array([[0.8, 0.1, 0.1], [0.9, 0.8, 0.2]])
    dyed = layers.dyed(mask, others)
    assert (dyed[~mask] == 255).all()
    figure, core = layers.figure > 0.9, mask
    for shown, dye in ((core & figure, others[1]), (core & (layers.figure < 0.1), others[0])):
        near = ciede2000(srgb_to_lab(np.median(dyed[shown], axis=0) / 255), srgb_to_lab(dye))
        assert float(near) < 6.0
    ground = core & (layers.figure < 0.1)
    assert np.corrcoef(image[ground].sum(-1), dyed[ground].sum(-1))[0, 1] > 0.8


def test_plain_cloth_has_no_figure_and_no_repeat() -> None:
    image, mask = garment(1, (200, 40, 40), 64)
    layers = Layers.of(image, mask, "solid")
    assert layers.repeat is None
    assert not layers.figure.any()
    assert not layers.waves.any()
    assert layers.waves.shape == (WAVES, 64, 64)


def test_pictures_whose_pattern_follows_no_repeat_are_left_out_and_said() -> None:
    pictures = [Picture(Path(f"{number}.png"), *striped(number, 24, 256)) for number in range(4)]
    image, mask = garment(9, NAVY, 256)
    blots = cv2.GaussianBlur(np.random.default_rng(0).normal(size=mask.shape), (0, 0), 9) > 0.01
    image[blots & mask] = WHITE
    pictures.append(Picture(Path("blots.png"), image, mask))
    settings = preset("demo").with_overrides(random_dyes=True, given_repeat=True)
    chosen, layers = taken_apart(Chosen([], pictures, [], []), "striped", settings)
    assert [picture.path.stem for picture in chosen.target] == ["0", "1", "2", "3"]
    assert all(each.regular > 0.5 for each in layers)
    assert [(left.path.name, left.reason) for left in chosen.left_out] == [
        ("blots.png", "nothing on it repeats regularly")
    ]
    with pytest.raises(InputError, match="at least 5 pictures of cloth that repeats, got 4"):
        taken_apart(Chosen([], pictures, [], []), "striped", replace(settings, min_pictures=5))


def test_a_palette_has_each_dye_as_it_is_and_in_shadow_and_light() -> None:
    dyes = torch.tensor([[0.1, 0.2, 0.5], [0.9, 0.9, 0.8]])
    palette = palette_of(dyes)
    assert palette.shape == (PALETTE, 3)
    assert torch.allclose(palette[SLOTS.index((0.0, 1.0))], dyes[0], atol=1e-5)
    assert torch.allclose(palette[SLOTS.index((1.0, 1.0))], dyes[1], atol=1e-5)
    assert (palette[0] < palette[1]).all()
    half = paint(torch.full((1, 1, 1, 1), 0.5), torch.ones(1, 1, 1, 1), dyes).flatten()
    assert torch.allclose(half.pow(2.2), dyes.pow(2.2).mean(0), atol=1e-5)


def test_dyes_drawn_at_random_can_be_told_apart_and_are_the_same_again() -> None:
    drawn = [random_dyes(np.random.default_rng(seed)) for seed in range(50)]
    assert all(np.linalg.norm(np.diff(srgb_to_lab(dyes), axis=0)) >= 25 for dyes in drawn)
    assert all(((dyes >= 0) & (dyes <= 1)).all() for dyes in drawn)
    assert np.array_equal(drawn[3], random_dyes(np.random.default_rng(3)))
    assert len({tuple(dyes.ravel()) for dyes in drawn}) == 50


def test_a_batch_is_in_the_dyes_of_its_palette_and_says_where_its_repeat_lies() -> None:
    pictures = [striped(seed, 24, 256) for seed in range(3)]
    layers = [Layers.of(image, mask, "striped") for image, mask in pictures]
    domain = DyedDomain(pictures, layers, 128, 0.5, CPU)
    first, again = (domain.batch([0, 1], np.random.default_rng(5)) for _ in range(2))
    assert first.palette is not None
    assert first.waves is not None
    assert torch.equal(first.image, again.image)
    assert first.waves.shape == (2, WAVES, 128, 128)
    other = domain.batch([0, 1], np.random.default_rng(6))
    assert not torch.equal(first.palette, other.palette)  # type: ignore[arg-type]
    surround = first.mask.expand_as(first.image) == 0
    assert (first.image[surround] == 1).all()
    # Every pixel is a palette's colour in some light: as near to the line through black as its figure's share allows.
    garment_pixels = (first.image.permute(0, 2, 3, 1)[first.mask[:, 0] > 0] + 1) / 2
    ends = first.palette[[1, 6]].clamp_min(0.02).pow(2.2)
    normal = torch.linalg.cross(ends[0], ends[1])
    off = (garment_pixels.pow(2.2) @ (normal / normal.norm())).abs()
    assert float(off.median()) < 0.02
    size = first.waves[:, :2].norm(dim=1)[first.mask[:, 0] > 0]
    assert torch.allclose(size, torch.ones_like(size), atol=0.01)
    assert not first.waves[:, 2:].any()


def test_the_same_garments_are_shown_in_other_dyes_plain_or_with_anothers_figures() -> None:
    pictures = [striped(seed, 24, 256) for seed in range(3)]
    layers = [Layers.of(image, mask, "striped") for image, mask in pictures]
    domain = DyedDomain(pictures, layers, 128, 0.5, CPU, redyed=True)
    plain, figured = 0, 0
    for seed in range(12):
        batch = domain.batch([0], np.random.default_rng(seed))
        assert batch.redyed is not None
        surround = batch.mask.expand_as(batch.image) == 0
        assert (batch.redyed[surround] == 1).all()
        cloth = ((batch.redyed.permute(0, 2, 3, 1)[batch.mask[:, 0] > 0] + 1) / 2).clamp(0.004, 1)
        assert float((batch.redyed - batch.image)[~surround].abs().median()) > 0.02, "in other dyes"
        hues = cloth.pow(2.2) / cloth.pow(2.2).sum(1, keepdim=True)
        spread = float((hues.quantile(0.9, 0) - hues.quantile(0.1, 0)).max())
        plain, figured = plain + (spread < 0.05), figured + (spread >= 0.05)
    assert plain >= 3, "one dye in more or less light"
    assert figured >= 3
    assert DyedDomain(pictures, layers, 128, 0.5, CPU).batch([0], np.random.default_rng(0)).redyed is None


def test_a_plain_styles_garments_are_shown_as_they_are_or_with_prints() -> None:
    image, mask = garment(0, NAVY, 256)
    domain = DyedDomain(
        [(image, mask)], [Layers.of(image, mask, "solid")], 128, 0.5, CPU, given_repeat=False, redyed=True
    )
    cloth: list[float] = []
    worn: list[float] = []
    for seed in range(16):
        batch = domain.batch([0], np.random.default_rng(seed))
        assert batch.redyed is not None
        on = batch.mask[0, 0] > 0
        for pictures, spreads in ((batch.image, cloth), (batch.redyed, worn)):
            linear = ((pictures[0, :, on] + 1) / 2).pow(2.2) + 0.02
            hues = linear / linear.sum(0)
            spreads.append(float((hues.quantile(0.95, 1) - hues.quantile(0.05, 1)).max()))
    assert max(cloth) < 0.1, "what is to come back is plain"
    assert sum(spread < 0.1 for spread in worn) >= 4
    assert sum(spread >= 0.1 for spread in worn) >= 4


def test_prints_are_of_all_sizes_and_in_their_range() -> None:
    prints = [random_print(64, np.random.default_rng(seed)) for seed in range(40)]
    assert all(each.shape == (64, 64) and each.min() >= 0 and each.max() <= 1 for each in prints)
    shares = [float(each.mean()) for each in prints]
    assert min(shares) < 0.1
    assert max(shares) > 0.6
    turns = [int((np.diff(each[32] > 0.5) != 0).sum()) for each in prints]
    assert max(turns) > 20, "fine ones"
    assert (prints[3] == random_print(64, np.random.default_rng(3))).all()


def test_what_decides_by_the_repeat_learns_faster(cpu_settings: StyleSettings) -> None:
    model = CycleGan(cpu_settings, new_accelerator(CPU, "no"))
    others, deciding = model.optimizer_g.param_groups
    assert sum(each.numel() for each in deciding["params"]) == sum(
        each.numel() for each in model.generator_a_to_b.deciding()
    )
    assert (others["lr"], deciding["lr"]) == pytest.approx((5e-4, 5e-3))
    model.set_rates(0.5)
    assert (others["lr"], deciding["lr"]) == pytest.approx((2.5e-4, 2.5e-3))
    own = CycleGan(replace(cpu_settings, pattern_learning_rate=1e-3), new_accelerator(CPU, "no"))
    assert own.optimizer_g.param_groups[1]["lr"] == pytest.approx(1e-3)


@pytest.fixture
def cpu_settings() -> StyleSettings:
    return for_any_colour(preset("cpu"), "checked")


def test_garments_to_paint_get_a_repeat_as_fine_as_the_styles() -> None:
    mask = garment(0, NAVY, 256)[1]
    for seed in range(5):
        waves = random_waves(mask, Repeat(((0.0, 12.0),)), 128, np.random.default_rng(seed))
        assert waves.shape == (2, 128, 128)
        assert np.allclose(np.hypot(waves[0], waves[1]), 1.0)
        turns = (np.diff(np.sign(waves[0]), axis=0) != 0).sum(0).mean() / 2
        box = np.flatnonzero(mask.any(1))
        expected = 12.0 * 128 / max(np.ptp(box) + 1, np.ptp(np.flatnonzero(mask.any(0))) + 1)
        assert 0.6 * expected < turns < 1.6 * expected
    domain = Domain([garment(seed, NAVY, 256) for seed in range(2)], 128, 0.5, CPU)
    batch = Laid(domain, [Repeat(((0.0, 12.0),))]).batch([0, 1], np.random.default_rng(0))
    assert batch.waves is not None
    assert batch.waves.shape == (2, WAVES, 128, 128)
    assert Laid(domain, []).batch([0], np.random.default_rng(0)).waves.any() == False  # type: ignore[union-attr]  # noqa: E712


def test_what_is_typical_is_the_middle_of_all() -> None:
    repeats = [Repeat(((0.0, float(f)),)) for f in (30, 5, 12)]
    assert typical_repeat(repeats) == repeats[2]
    many = [layers_of(seed, 24)[2] for seed in range(3)]
    red = Layers.of(*striped(4, 24, 256, (190, 30, 40)), "striped")
    assert np.array_equal(typical_dyes([red, *many]), typical_dyes(many))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Translator:
    root = tmp_path_factory.mktemp("dyed")
    write_garments(root / "source", 12, GREYS, 128)
    for number in range(8):
        image, mask = striped(number, 8 + 2 * (number % 4), 128, (GREYS[number % 4]))
        write_png(root / "striped" / f"{number:032x}.png", np.dstack([image, mask.astype(np.uint8) * 255]))
    settings = preset("demo").with_overrides(
        **TINY | {"image_size": 128, "crop_size": 64, "epochs": 2}, random_dyes=True, given_repeat=True, target_spread=0
    )
    result = train_style("striped", root / "source", root / "striped", root / "out", settings, device="cpu")
    assert "kid_mobilenet_v2" not in result.metrics
    return Translator.load(result.weights, "cpu")


def test_trained_weights_know_their_house_dyes_and_repeat_and_take_others(trained: Translator) -> None:
    assert trained.takes_dyes
    assert trained.takes_repeat
    assert trained.info["target"]["pattern"] == "striped"
    assert trained.generator.palette.shape == (PALETTE, 3)
    x, y = trained.generator.repeat[0].tolist()
    assert np.hypot(x, y) > 2.5
    torch.nn.init.normal_(trained.generator.leave.weight, 0, 1.0)  # a few steps teach nothing that can be seen
    image, mask = garment(3, (120, 120, 120), 128)
    own = trained.translate(image, mask)
    assert np.array_equal(own, trained.translate(image, mask))
    fine, level = (trained.translate(image, mask, repeat=Repeat((vector,))) for vector in ((20.0, 0.0), (0.0, 20.0)))
    assert not np.array_equal(fine, level)
    assert np.array_equal(fine[~mask], image[~mask])
    red = trained.translate(image, mask, dyes=[(50.0, 60.0, 40.0), (90.0, 0.0, 0.0)])
    assert not np.array_equal(own, red)


@pytest.mark.parametrize(
    ("settings", "field"),
    [({"random_dyes": True}, "random_dyes"), ({"given_repeat": True, "skip": "palette"}, "given_repeat")],
)
def test_settings_that_cannot_be_together_are_refused(settings: dict[str, object], field: str) -> None:
    with pytest.raises(SettingError, match=field):
        StyleSettings().with_overrides(**settings)
