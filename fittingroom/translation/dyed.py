"""A style's pictures in any dyes: taken apart into what is figure, what is light, and where the repeat lies.

What is learnt from them is a pattern: the dyes change with each batch, and the generator paints in the same ones.
Mixed and lit in linear light, as dyed threads are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fittingroom.appearance.cloth import cloth_of
from fittingroom.appearance.colours import lab_to_srgb, srgb_to_lab
from fittingroom.appearance.repeat import Repeat, figure_share, local_waves, repeat_of, waves
from fittingroom.images import RGB
from fittingroom.masks import Mask
from fittingroom.style_card import Pattern
from fittingroom.translation.data_filter import Chosen, LeftOut
from fittingroom.translation.dataset import Batch, Domain, refuse_few
from fittingroom.translation.networks import WAVES
from fittingroom.translation.settings import StyleSettings

Floats = NDArray[np.float64]
Dyes = NDArray[np.float64]
"""Ground and figure (2, 3), sRGB 0..1."""

GAMMA = 2.2
SLOTS = ((0.0, 0.75), (0.0, 1.0), (0.0, 1.15), (0.5, 0.85), (0.5, 1.05), (1.0, 0.75), (1.0, 1.0), (1.0, 1.15))
"""What each slot of a palette is (`networks.PALETTE`): its share of figure, and its light."""
HOUSE = np.array([[0.925, 0.92, 0.905], [0.115, 0.17, 0.325]])
"""Ground and figure of a pattern that was asked for by its name alone: navy on white."""
REGULAR = 0.4
"""Share of a figure's variance that must follow the waves for a picture to teach anything of them: of even stripes it
is 0.8, of thin ones, and of checks and dots, some 0.6."""
_LEAST_APART = 25.0
"""CIELAB distance of two dyes of one cloth, at least."""
_LIGHT = (0.25, 1.8)
_BEND = 0.25
"""Largest shift of a repeat laid for training, in repeats: cloth does not lie flat."""


def paint(figure: Tensor, light: Tensor, dyes: Tensor) -> Tensor:
    """The cloth (..., 3, H, W), sRGB 0..1, of figure's share and light (..., 1, H, W) in ``dyes`` (2, 3), sRGB 0..1."""
    ground, over = dyes.clamp_min(0).pow(GAMMA).unbind()
    linear = torch.lerp(ground.view(3, 1, 1), over.view(3, 1, 1), figure) * light
    return linear.clamp(0, 1).pow(1 / GAMMA)


def palette_of(dyes: Tensor) -> Tensor:
    """The palette (`SLOTS`, 3), sRGB 0..1, that paints in ``dyes`` (2, 3)."""
    figure, light = (torch.tensor(column, dtype=dyes.dtype, device=dyes.device) for column in zip(*SLOTS, strict=True))
    return paint(figure.view(-1, 1, 1, 1), light.view(-1, 1, 1, 1), dyes).reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class Layers:
    """One picture's cloth, taken apart.

    Attributes:
        dyes: its own.
        figure: (S, S), 0..1.
        light: (S, S), about 1.
        repeat: None where none was found, as on plain cloth.
        waves: (`WAVES`, S, S), -1..1; 0 without a repeat.
        regular: how much of the figure follows the waves, 0..1 (share of its variance); 0 without a repeat.
    """

    dyes: Dyes
    figure: Floats
    light: Floats
    repeat: Repeat | None
    waves: Floats
    regular: float = 0.0

    @classmethod
    def of(cls, image: RGB, mask: Mask, pattern: Pattern | str) -> Layers:
        """Of a garment on white (S, S, 3) and its mask."""
        cloth = cloth_of(image, mask, pattern)
        dyes = lab_to_srgb(np.array([cloth[0].lab, cloth[min(1, len(cloth) - 1)].lab]))
        figure = figure_share(image, mask, cloth)
        mixed = _mixed(figure, dyes)
        lit, expected = (values @ _LUMA + 0.01 for values in ((image / 255.0) ** GAMMA, mixed))
        light = np.where(mask, np.clip(lit / expected, *_LIGHT), 1.0)
        repeat = repeat_of(image, mask, cloth, pattern)
        phases, regular = np.zeros((WAVES, *mask.shape)), 0.0
        if repeat is not None:
            found = local_waves(figure, mask, repeat)
            phases[: len(found)] = found
            regular = _explained(figure[mask], found[::2, mask])
        return cls(dyes, figure, light, repeat, phases, regular)

    def dyed(self, mask: Mask, dyes: Dyes) -> RGB:
        """The picture in other dyes, on white."""
        figure, light = (torch.from_numpy(values)[None] for values in (self.figure, self.light))
        cloth = paint(figure, light, torch.from_numpy(dyes)).permute(1, 2, 0).numpy()
        return np.where(mask[..., None], np.round(255 * cloth), 255).astype(np.uint8)


def taken_apart(chosen: Chosen, pattern: str, settings: StyleSettings) -> tuple[Chosen, list[Layers]]:
    """The style's pictures and their layers; where a repeat is given, those are left out whose pattern has none, or
    hardly follows it.

    Raises:
        InputError: too few are left.
    """
    layers = [Layers.of(picture.image, picture.mask, pattern) for picture in chosen.target]
    if not settings.given_repeat:
        return chosen, layers
    both = list(zip(chosen.target, layers, strict=True))
    kept = [(picture, each) for picture, each in both if each.regular >= REGULAR]
    left = [picture.path for picture, each in both if each.regular < REGULAR]
    refuse_few([picture.path for picture, _ in kept], "pictures of cloth that repeats", "target", settings.min_pictures)
    left_out = [LeftOut(path, "nothing on it repeats regularly", "target") for path in left]
    target = [picture for picture, _ in kept]
    return replace(chosen, target=target, left_out=chosen.left_out + left_out), [each for _, each in kept]


def _explained(figure: Floats, cosines: Floats) -> float:
    """The share of the variance of ``figure`` (N,) that lies in ``cosines`` (K, N) and their product, 0..1."""
    columns = np.vstack([np.ones_like(figure), cosines, cosines.prod(0)[None]]).T
    found, *_ = np.linalg.lstsq(columns, figure, rcond=None)
    return float(1 - np.var(figure - columns @ found) / max(float(np.var(figure)), 1e-9))


_LUMA = np.array([0.2126, 0.7152, 0.0722])


def _mixed(figure: Floats, dyes: Dyes) -> Floats:
    ground, over = dyes**GAMMA
    return np.asarray(ground + figure[..., None] * (over - ground))


def typical_dyes(layers: Sequence[Layers]) -> Dyes:
    """Those of the picture whose dyes are nearest, in CIELAB, to all the others'."""
    labs = np.stack([srgb_to_lab(each.dyes).ravel() for each in layers])
    distances = np.linalg.norm(labs[:, None] - labs[None], axis=2)
    return layers[int(distances.sum(1).argmin())].dyes


def typical_repeat(repeats: Sequence[Repeat]) -> Repeat:
    """Of those that run the way that most run (level, upright or slanting), the one of middle fineness."""
    ways = [round(float(np.arctan2(abs(y), abs(x))) / (np.pi / 4)) for (x, y), *_ in (each.vectors for each in repeats)]
    most = max(set(ways), key=ways.count)
    alike = [repeat for repeat, way in zip(repeats, ways, strict=True) if way == most]
    ordered = sorted(alike, key=lambda repeat: float(np.hypot(*repeat.vectors[0])))
    return ordered[len(ordered) // 2]


def random_dyes(chance: np.random.Generator) -> Dyes:
    """Two dyes that can be told apart, (2, 3) sRGB 0..1: any, but often near white or black, as clothes are."""
    while True:
        dyes = chance.uniform(0.02, 0.98, (2, 3))
        for place, kind in enumerate(chance.random(2)):
            if kind < 0.2:
                dyes[place] = chance.uniform(0.82, 0.97) + chance.uniform(-0.03, 0.03, 3)
            elif kind < 0.4:
                dyes[place] = chance.uniform(0.04, 0.2) + chance.uniform(-0.03, 0.06, 3)
        if np.linalg.norm(np.diff(srgb_to_lab(dyes), axis=0)) >= _LEAST_APART:
            return dyes


def random_print(side: int, chance: np.random.Generator) -> Floats:
    """A print that cloth may have worn, (side, side), figure's share 0..1: stripes, checks, dots or blots of any size
    and share, all over or in one place."""
    angle, period = chance.uniform(0, np.pi), side * float(np.exp(chance.uniform(np.log(0.03), np.log(0.3))))
    along = np.exp(1j * angle) * 2 * np.pi / period
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    u, v = (np.cos(x * way.real + y * way.imag + chance.uniform(0, 6)) for way in (along, 1j * along))
    cells = max(int(2 * side / period), 2)
    blots = cv2.resize(chance.normal(size=(cells, cells)), (side, side), interpolation=cv2.INTER_CUBIC)
    field = (u, u + v, np.maximum(u, v), blots)[int(chance.integers(4))]
    threshold = np.quantile(field, chance.uniform(0.2, 0.85))
    figure = np.clip((field - threshold) / (chance.uniform(0.05, 0.6) * field.std()) + 0.5, 0, 1)
    if chance.random() < 0.3:
        here = np.zeros((side, side))
        centre, radii = (
            tuple(int(value) for value in side * chance.uniform(*span, 2)) for span in ((0.2, 0.8), (0.1, 0.4))
        )
        cv2.ellipse(here, centre, radii, float(np.degrees(angle)), 0, 360, 1.0, -1)
        figure *= here
    return np.asarray(figure, np.float64)


class DyedDomain(Domain):
    """A style's pictures, in new dyes with each batch; with ``given_repeat`` it says where each repeat lies."""

    def __init__(
        self,
        pictures: Sequence[tuple[RGB, Mask]],
        layers: Sequence[Layers],
        crop: int | None,
        cover: float,
        device: torch.device,
        given_repeat: bool = True,
        redyed: bool = False,
    ) -> None:
        super().__init__(pictures, crop, cover, device)
        self.given_repeat, self.redyed = given_repeat, redyed
        stacked = np.empty((len(layers), 2 + WAVES, self.size, self.size), np.float16)
        for place, each in zip(stacked, layers, strict=True):
            place[0], place[1], place[2:] = each.figure, each.light, each.waves
        self.layers = torch.from_numpy(stacked).to(device)
        self.figured = bool(self.layers[:, 0].any())
        """Whether the style has figures of its own; a plain one has none."""
        self.house = HOUSE if self.figured else typical_dyes(layers)
        self.repeats = [each.repeat for each in layers if each.repeat is not None]

    def palette(self, one_hue: bool = False) -> Tensor:  # noqa: ARG002
        """That of the house dyes, (`SLOTS`, 3) in 0..1."""
        return palette_of(torch.from_numpy(self.house)).float()

    def batch(self, picks: Sequence[int], chance: np.random.Generator) -> Batch:
        """As `Domain.batch`, in dyes drawn from ``chance``, with their palette and where each repeat lies."""
        batch = super().batch(picks, chance)
        layers = self._crops(picks, batch.origin)
        dyes = self._dyes(chance)
        waves = layers[:, 2:] if self.given_repeat else None
        redyed = None
        if self.redyed:
            if chance.random() < 0.5:
                before = torch.zeros_like(layers[:, :1])
            elif self.figured:
                before = self._crops(chance.integers(len(self), size=len(picks)).tolist(), batch.origin)[:, :1]
            else:
                before = torch.from_numpy(np.stack([random_print(self.crop, chance)[None] for _ in picks])).to(layers)
            redyed = _worn(before, layers[:, 1:2], self._dyes(chance), batch.mask)
        image = _worn(layers[:, :1], layers[:, 1:2], dyes, batch.mask)
        return Batch(image, batch.mask, batch.origin, palette_of(dyes), waves, redyed)

    def _crops(self, picks: Sequence[int], origin: Tensor) -> Tensor:
        """The layers of these pictures where crops of them begin."""
        crops = []
        for pick, corner in zip(picks, origin.tolist(), strict=True):
            x, y = (int(v) for v in corner)
            crops.append(self.layers[pick % len(self), :, y : y + self.crop, x : x + self.crop])
        return torch.stack(crops).float()

    def _dyes(self, chance: np.random.Generator) -> Tensor:
        return torch.from_numpy(random_dyes(chance)).float().to(self.device)


def _worn(figure: Tensor, light: Tensor, dyes: Tensor, mask: Tensor) -> Tensor:
    """Cloth on white, (N, 3, S, S) in -1..1."""
    cloth = paint(figure, light, dyes)
    return 2.0 * torch.lerp(torch.ones_like(cloth), cloth, mask) - 1.0


class Laid(Domain):
    """Garments to be painted, each batch with repeats of the style laid on them."""

    def __init__(self, domain: Domain, repeats: Sequence[Repeat]) -> None:
        vars(self).update(vars(domain))
        self.repeats = list(repeats)

    def batch(self, picks: Sequence[int], chance: np.random.Generator) -> Batch:
        """As `Domain.batch`, with waves."""
        batch = super().batch(picks, chance)
        laid = np.zeros((len(picks), WAVES, self.crop, self.crop), np.float32)
        for place, pick in zip(laid, picks, strict=True):
            if self.repeats:
                mask = self.pictures[pick % len(self), 3].cpu().numpy().astype(bool)
                found = random_waves(mask, self.repeats[int(chance.integers(len(self.repeats)))], self.crop, chance)
                place[: len(found)] = found
        return Batch(batch.image, batch.mask, batch.origin, None, torch.from_numpy(laid).to(self.device))


def random_waves(mask: Mask, repeat: Repeat, crop: int, chance: np.random.Generator) -> Floats:
    """The waves (2 K, crop, crop) of a repeat like this one, anywhere on the garment at ``mask``: a little finer or
    coarser, turned and bent a little."""
    scale, turn = float(np.exp(chance.uniform(-0.35, 0.35))), float(chance.normal(0, 0.06))
    turned = scale * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    per_pixel = repeat.per_pixel(mask) @ turned
    small = chance.uniform(-_BEND, _BEND, (2, 4, 4)) / np.linalg.norm(per_pixel[0])
    shift = np.stack([cv2.resize(field, (crop, crop), interpolation=cv2.INTER_CUBIC) for field in small])
    return waves(per_pixel, (crop, crop), chance.random(len(per_pixel)), shift)
