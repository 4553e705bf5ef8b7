"""A style's pattern in other colours: what slots are for is learnt from what they paint, and nothing is kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fittingroom.appearance.cloth import Dye, cloth_of, distance, parse_dye
from fittingroom.appearance.colours import lab_to_srgb, srgb_to_lab
from fittingroom.appearance.repeat import Repeat, repeat_of
from fittingroom.errors import InputError
from fittingroom.registry.starters import FOLDER
from fittingroom.style_card import Lab
from fittingroom.translation import dyed
from fittingroom.translation.dyeing import Slots
from fittingroom.translation.networks import build_generator
from fittingroom.translation.predict import Translator
from fittingroom.translation.settings import preset

NAVY, WHITE, GREEN, YELLOW = (17.0, 9.0, -26.0), (90.0, -1.0, 2.0), (40.0, -30.0, 20.0), (80.0, 5.0, 70.0)
STARTERS = sorted(FOLDER.glob("style-*.safetensors"))


def shade(lab: tuple[float, ...], light: float) -> tuple[float, ...]:
    return tuple(light * value for value in lab)


def palette_of(*labs: tuple[float, ...]) -> np.ndarray:
    return lab_to_srgb(np.array(labs)).astype(np.float32)


class Stripes(nn.Module):
    """Paints stripes of slot 2 (a share ``first``) and slot 6, whatever colours lie there."""

    def __init__(self, first: float) -> None:
        super().__init__()
        colours = [shade(NAVY, light) for light in (0.7, 0.9, 1.0, 1.2)] + [
            shade(WHITE, light) for light in (0.6, 0.8, 1.0, 1.05)
        ]
        self.register_buffer("palette", torch.from_numpy(palette_of(*colours)))
        self.first = first

    def forward(self, image: Tensor, mask: Tensor, palette: Tensor | None = None) -> Tensor:
        colours = self.get_buffer("palette") if palette is None else palette
        rows = (torch.arange(image.shape[2]) % 20 < 20 * self.first).view(1, 1, -1, 1)
        cloth = torch.where(rows, colours[2].view(1, 3, 1, 1), colours[6].view(1, 3, 1, 1))
        return torch.lerp(image, 2 * cloth.expand_as(image) - 1, mask)


def striped(first: float) -> Translator:
    info = {"target": {"pattern": "striped", "colours": []}}
    return Translator(Stripes(first), preset("demo"), torch.device("cpu"), info)  # type: ignore[arg-type]


@pytest.mark.parametrize(("first", "ground", "figure"), [(0.75, NAVY, WHITE), (0.25, WHITE, NAVY)])
def test_which_slots_are_ground_is_learnt_from_what_is_painted(first: float, ground: Lab, figure: Lab) -> None:
    slots = striped(first).slots
    assert [distance(dye.lab, own) < 2 for dye, own in zip(slots.dyes, (ground, figure), strict=True)] == [True, True]
    navy = slots.mixture[:, 0 if first > 0.5 else 1]
    assert navy[:4].min() > 0.95, "the navy in shadow and in light"
    assert navy[4:].max() < 0.05, "and white likewise"


@pytest.mark.parametrize("first", [0.75, 0.25])
def test_the_pattern_comes_out_in_other_dyes_the_ground_in_the_first(first: float) -> None:
    image, mask = np.full((256, 256, 3), 120, np.uint8), np.ones((256, 256), bool)
    translator = striped(first)
    dyes = cloth_of(translator.translate(image, mask, (GREEN, YELLOW)), mask, "striped")
    assert distance(dyes[0].lab, GREEN) < 1.5
    assert distance(dyes[1].lab, YELLOW) < 1.5
    assert dyes[0].share == pytest.approx(0.75, abs=0.05)
    own = cloth_of(translator.translate(image, mask), mask, "striped")
    assert {distance(dye.lab, lab) < 2 for dye in own for lab in (NAVY, WHITE)} == {True, False}


def test_one_dye_is_the_grounds_and_the_last_serves_what_is_left() -> None:
    slots = Slots.of(palette_of(NAVY, WHITE, GREEN), [Dye(NAVY), Dye(WHITE), Dye(GREEN)])
    assert slots.given([YELLOW]) == [YELLOW, WHITE, GREEN]
    assert slots.given([YELLOW, NAVY]) == [YELLOW, NAVY, NAVY]
    assert slots.given([YELLOW, NAVY, GREEN, WHITE]) == [YELLOW, NAVY, GREEN]
    with pytest.raises(ValueError, match="got none"):
        slots.given([])


def test_a_slot_between_two_dyes_stays_between_the_new_ones() -> None:
    middle = tuple((a + b) / 2 for a, b in zip(GREEN, YELLOW, strict=True))
    slots = Slots.of(palette_of(GREEN, middle, YELLOW), [Dye(GREEN), Dye(YELLOW)])
    assert slots.mixture == pytest.approx(np.array([[1, 0], [0.5, 0.5], [0, 1]]), abs=0.03)
    found = slots.dyed([NAVY, WHITE])
    assert found.shape == (3, 3)
    assert found[0] == pytest.approx(palette_of(NAVY)[0], abs=0.02)


def test_slots_taught_with_drawn_dyes_are_what_they_were_taught_as() -> None:
    house = dyed.palette_of(torch.from_numpy(dyed.HOUSE)).numpy()
    checks = Slots.known(house, "checked")
    assert [dye.code for dye in checks.dyes] == ["#ecebe7", "#1d2b53"]
    for (share, _), colour in zip(dyed.SLOTS, srgb_to_lab(checks.dyed([GREEN, YELLOW])), strict=True):
        assert colour == pytest.approx((1 - share) * np.array(GREEN) + share * np.array(YELLOW), abs=0.1)
    assert srgb_to_lab(checks.dyed([GREEN])[6]) == pytest.approx(np.array(checks.dyes[1].lab), abs=0.1)
    plain = Slots.known(house, "solid")
    assert srgb_to_lab(plain.dyed([GREEN])) == pytest.approx(np.tile(GREEN, (8, 1)), abs=0.1)


def test_checks_in_other_dyes_have_their_mid_tone() -> None:
    translator, (image, mask) = Translator.load(FOLDER / "style-checked.safetensors", "cpu"), garment()
    dyes = [parse_dye("#2f6b3a"), parse_dye("gold")]
    painted = translator.translate(image, mask, dyes, Repeat(((9.0, 0.0), (0.0, 9.0))))
    middle = np.mean(dyes, axis=0)
    near = np.linalg.norm(srgb_to_lab(painted[mask])[:, 1:] - middle[1:], axis=1) < 15
    assert near.mean() > 0.2, "two bands that cross are half and half where one of them is"


def garment() -> tuple[np.ndarray, np.ndarray]:
    """A grey garment with a fold at the starters' size."""
    y, x = np.mgrid[:256, :256] / 256
    mask = (np.abs(x - 0.5) < 0.3) & (np.abs(y - 0.5) < 0.35)
    image = np.clip(140 + 35 * np.sin(9 * x + 4 * y), 0, 255)[..., None].repeat(3, 2).astype(np.uint8)
    image[~mask] = 255
    return image, mask


PLAIN = [path for path in STARTERS if path.stem.endswith("-solid")]
PATTERNED = [path for path in STARTERS if path not in PLAIN]


@pytest.mark.parametrize("path", PATTERNED, ids=[path.stem for path in PATTERNED])
@pytest.mark.parametrize("times", [7, 20])
@pytest.mark.parametrize("upright", [False, True])
def test_patterned_starters_take_any_dyes_and_any_repeat(path: Path, times: int, upright: bool) -> None:
    translator, (image, mask) = Translator.load(path, "cpu"), garment()
    pattern = str(translator.info["target"]["pattern"])
    across, down = (float(times), 0.0), (0.0, float(times))
    wanted = Repeat((across if upright else down,) if pattern == "striped" else (across, down))
    dyes = [parse_dye("#2f6b3a"), parse_dye("gold")]
    painted = translator.translate(image, mask, dyes, wanted)
    cloth = cloth_of(painted, mask, pattern)
    assert all(min(distance(one.lab, dye) for one in cloth) < 6 for dye in dyes)
    found = repeat_of(painted, mask, cloth, pattern)
    assert found is not None
    # The same lattice: two of its shortest vectors, whichever.
    combined = np.array(found.vectors) @ np.linalg.pinv(np.array(wanted.vectors))
    assert combined == pytest.approx(np.rint(combined), abs=0.8 / times)
    assert abs(np.linalg.det(np.rint(combined))) == pytest.approx(1)
    assert np.array(found.vectors) == pytest.approx(np.rint(combined) @ np.array(wanted.vectors), abs=0.8)
    assert (painted[~mask] == 255).all()


@pytest.mark.parametrize("path", PLAIN, ids=[path.stem for path in PLAIN])
def test_the_plain_starters_take_any_dye_keep_folds_and_remember_nothing(path: Path) -> None:
    translator, (image, mask) = Translator.load(path, "cpu"), garment()
    before = translator.translate(image, mask)
    for colour in ("#2f6b3a", "white", "#1c1c1e", "gold", "purple"):
        dye = parse_dye(colour)
        painted = translator.translate(image, mask, [dye])
        assert distance(cloth_of(painted, mask, "solid")[0].lab, dye) < 1.5, colour
        light = np.corrcoef(painted[mask].sum(1), image[mask].sum(1))[0, 1]
        assert light > 0.7, colour
        assert (painted[~mask] == 255).all()
    assert (translator.translate(image, mask) == before).all()


def test_threads_that_share_a_translator_do_not_mix_their_colours() -> None:
    translator, (image, mask) = Translator.load(STARTERS[0], "cpu"), garment()
    wanted = [parse_dye(colour) for colour in ("red", "green", "blue", "#777777")]
    alone = [translator.translate(image, mask, [dye]) for dye in wanted]
    fresh = Translator.load(STARTERS[0], "cpu")  # its slots are found by several threads at once
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda dye: fresh.translate(image, mask, [dye]), wanted * 2))
    assert all((one == other).all() for one, other in zip(alone * 2, together, strict=True))


def test_weights_without_a_palette_say_so() -> None:
    settings = preset("recipe").with_overrides(filters=4, blocks=1)
    translator = Translator(build_generator(settings), settings, torch.device("cpu"), {"name": "old"})
    assert not translator.takes_dyes
    with pytest.raises(InputError, match=r"style old: its weights cannot paint .* train it with skip=palette"):
        translator.translate(np.zeros((256, 256, 3), np.uint8), np.ones((256, 256), bool), [NAVY])
