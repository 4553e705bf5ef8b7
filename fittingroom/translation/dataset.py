"""Unpaired pictures of two domains: decoded once, kept in memory, drawn the same way for the same seed.

What a step sees follows from (seed, epoch, index) alone, so a resumed training needs no loader state, and there is no
loader to wait for: the pictures lie on the device and a batch is a few slices of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fittingroom.errors import ImageRejected, InputError, MissingInputError
from fittingroom.images import RGB, flatten_on_white, list_images, read_rgba, resize
from fittingroom.masks import Mask, from_white_surround
from fittingroom.translation.networks import PALETTE
from fittingroom.translation.palette import palette
from fittingroom.workspace import digest_file

FLIPPED = "_flip"
PALETTE_PIXELS = 50_000
"""Pixels of a domain whose colours make its palette."""
_CROP_STRIDE = 8


def read_prepared(path: Path, size: int) -> tuple[RGB, Mask]:
    """A prepared picture: RGB on white (size, size, 3) and its mask.

    The mask is the alpha channel; a picture without one is taken as cut out on white.

    Raises:
        ImageRejected, MissingInputError: it cannot be read.
    """
    rgba = read_rgba(path)
    if rgba.shape[:2] != (size, size):
        rgba = resize(rgba, size, size)
    image = flatten_on_white(rgba)
    mask = rgba[..., 3] >= 128
    return image, from_white_surround(image) if mask.all() else mask


def original_pictures(paths: Sequence[Path], size: int = 256) -> list[RGB]:
    """Those of ``paths`` that can be read, RGB on white, without mirrored twins."""
    pictures = []
    for path in without_twins(paths):
        with contextlib.suppress(ImageRejected):
            pictures.append(read_prepared(path, size)[0])
    return pictures


def without_twins(paths: Sequence[Path]) -> list[Path]:
    """``paths`` without the mirrored twins of others among them: a picture counts once."""
    there = {(path.parent, path.stem) for path in paths}
    return [p for p in paths if original_name(p) == p.stem or (p.parent, original_name(p)) not in there]


def list_pictures(folders: Path | str | Sequence[Path | str], what: str, at_least: int) -> list[Path]:
    """Every picture of one folder or several, sorted by name.

    Raises:
        MissingInputError: a folder is not there.
        InputError: fewer pictures than ``at_least``, mirrored twins not counted.
    """
    several = [folders] if isinstance(folders, str | Path) else list(folders)
    found = []
    for folder in map(Path, several):
        if not folder.is_dir():
            raise MissingInputError(f"{what} folder", folder)
        found += list_images(folder)
    where = ", ".join(str(folder) for folder in several)
    refuse_few(found, f"pictures in {where}", what, at_least)
    return sorted(found, key=lambda path: path.name)


def refuse_few(paths: Iterable[Path], of_what: str, domain: str, at_least: int) -> None:
    """Refuse a domain with too few pictures; a mirrored twin is no picture of its own.

    Raises:
        InputError: there are fewer than ``at_least``.
    """
    count = len({original_name(path) for path in paths})
    if count < at_least:
        raise InputError(f"{domain}: expected at least {at_least} {of_what}, got {count}")


def digests(paths: Sequence[Path]) -> dict[str, str]:
    """SHA-256 of each file by name, which is what makes two data sets the same."""
    return {path.name: digest_file(path) for path in paths}


def choose_pictures(paths: Sequence[Path], at_most: int) -> list[Path]:
    """At most so many, the ones with the smallest names (names are digests), a flipped twin with its original."""
    return list(paths) if len(paths) <= at_most else sorted(paths, key=lambda path: path.name)[:at_most]


def original_name(path: Path) -> str:
    """The name without the mark of a flipped twin: twins must not be parted between training and held-out."""
    return path.stem.removesuffix(FLIPPED)


def hold_out(paths: Sequence[Path], count: int) -> tuple[list[Path], list[Path]]:
    """Part ``paths`` into (training, held out): about ``count`` unflipped pictures, at most a tenth of all originals.

    The twins of held-out pictures are in neither. The choice follows from the names alone.
    """
    originals = sorted({original_name(path) for path in paths})
    count = min(count, len(originals) // 10)
    chosen = set(originals[:: max(len(originals) // count, 1)][:count]) if count else set()
    training = [path for path in paths if original_name(path) not in chosen]
    held_out = [path for path in paths if original_name(path) in chosen and not path.stem.endswith(FLIPPED)]
    return training, held_out


@dataclass(frozen=True, eq=False)
class Batch:
    """Pictures (N, 3, S, S) in -1..1, masks (N, 1, S, S) in 0..1, and where each crop began, (N, 2) as x, y.

    By setting the palette (P, 3), 0..1, that the style is painted in this time, and the phase of its repeat,
    (N, `WAVES`, S, S); and ``redyed``, as ``image``: the same garments in other dyes, plain or with another's figures.
    """

    image: Tensor
    mask: Tensor
    origin: Tensor
    palette: Tensor | None = None
    waves: Tensor | None = None
    redyed: Tensor | None = None


class Domain:
    """All pictures of one domain on one device, and the places where a crop holds garment.

    Attributes:
        pictures: uint8 (count, 4, size, size): RGB and mask (0 or 1).
    """

    def __init__(
        self, pictures: Sequence[tuple[RGB, Mask]], crop: int | None, cover: float, device: torch.device
    ) -> None:
        if not pictures:
            raise InputError("expected pictures of garments, got none that can be used")
        self.size = len(pictures[0][1])
        self.crop, self.device = crop or self.size, device
        self._corners = [_crop_corners(mask, self.crop, cover) for _, mask in pictures]
        stacked = np.empty((len(pictures), 4, self.size, self.size), np.uint8)
        for place, (image, mask) in zip(stacked, pictures, strict=True):
            place[:3], place[3] = image.transpose(2, 0, 1), mask
        self.pictures = torch.from_numpy(stacked).to(device)

    def __len__(self) -> int:
        return len(self.pictures)

    def mean_colour(self) -> Tensor:
        """The mean colour of all garments, 3 values in 0..1."""
        total, count = torch.zeros(3, dtype=torch.float64), 0.0
        for picture in torch.split(self.pictures, 64):
            mask = picture[:, 3:].double()
            total += (picture[:, :3].double() * mask).sum((0, 2, 3)).cpu()
            count += float(mask.sum())
        return (total / count / 255).float()

    def palette(self, one_hue: bool = False) -> Tensor:
        """The few colours its garments are made of, (`PALETTE`, 3) in 0..1, dark to light; see `palette.palette`."""
        step = max(int(self.pictures[:, 3].sum()) // PALETTE_PIXELS, 1)
        pixels = self.pictures[:, :3].permute(0, 2, 3, 1)[self.pictures[:, 3] > 0][::step]
        return torch.from_numpy(palette(pixels.cpu().numpy(), PALETTE, one_hue))

    def batch(self, picks: Sequence[int], chance: np.random.Generator) -> Batch:
        """Crops of the pictures ``picks`` (any numbers; taken modulo the count), at places drawn from ``chance``."""
        crops, origins = [], []
        for pick in picks:
            index = pick % len(self)
            corners = self._corners[index]
            x, y = (int(v) for v in corners[int(chance.integers(len(corners)))])
            crops.append(self.pictures[index, :, y : y + self.crop, x : x + self.crop])
            origins.append((float(x), float(y)))
        stacked = torch.stack(crops).float()
        origin = torch.tensor(origins)
        if self.device.type == "cuda":
            origin = origin.pin_memory()
        return Batch(stacked[:, :3] / 127.5 - 1.0, stacked[:, 3:], origin.to(self.device, non_blocking=True))


def _crop_corners(mask: Mask, crop: int, cover: float) -> NDArray[np.int64]:
    """Upper left corners (K, 2) as x, y of crops with at least ``cover`` of the most garment that a crop can hold."""
    height, width = mask.shape
    sums = cv2.integral(mask.astype(np.uint8))
    ys = np.unique(np.append(np.arange(0, height - crop, _CROP_STRIDE), height - crop))
    xs = np.unique(np.append(np.arange(0, width - crop, _CROP_STRIDE), width - crop))
    y, x = np.meshgrid(ys, xs, indexing="ij")
    inside = sums[y + crop, x + crop] - sums[y, x + crop] - sums[y + crop, x] + sums[y, x]
    good = inside >= cover * inside.max()
    return np.stack([x[good], y[good]], 1).astype(np.int64)


class Unpaired:
    """Pairs of batches from two domains that have nothing to do with each other.

    Each domain is gone through in its own shuffled order, a new one every round, so that every picture is shown about
    equally often whatever the number of steps in an epoch.
    """

    def __init__(self, domain_a: Domain, domain_b: Domain, batch_size: int, seed: int) -> None:
        self.domain_a, self.domain_b, self.batch_size, self.seed = domain_a, domain_b, batch_size, seed

    def batches(self, epoch: int, step: int, rank: int = 0, processes: int = 1) -> tuple[Batch, Batch]:
        """The batches of ``step`` (from 0, in its epoch); processes see different pictures."""
        result = []
        for number, domain in enumerate((self.domain_a, self.domain_b)):
            first = (step * processes + rank) * self.batch_size
            picks = [self._pick(domain, number, epoch, first + i) for i in range(self.batch_size)]
            result.append(domain.batch(picks, np.random.default_rng([self.seed, number, epoch, first, 1])))
        return result[0], result[1]

    def _pick(self, domain: Domain, number: int, epoch: int, index: int) -> int:
        round_, place = divmod(index, len(domain))
        order = np.random.default_rng([self.seed, number, epoch, round_]).permutation(len(domain))
        return int(order[place])
