"""Training of the pattern network: samples drawn from photos, close-ups and renderings, and the network in torch."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from describe_renders import FINEST, Bytes, Mask, cropped, paint, photographed, recoloured, resized
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from torch import Tensor, nn

from fittingroom.appearance.pattern_features import CHANNELS, SCALES, SIDE, WINDOWS, middle_of, pattern_views
from fittingroom.style_card import PATTERNS
from fittingroom.workspace import digest_bytes

SHARES = {"solid": 0.24, "striped": 0.2, "checked": 0.18, "dotted": 0.14, "floral": 0.14, "graphic": 0.1}
"""Of each pattern among samples."""
SOURCES = {
    "solid": {"photo": 0.8, "fabric": 0.1, "cloth": 0.1},
    "striped": {"photo": 0.42, "fabric": 0.14, "render": 0.44},
    "checked": {"photo": 0.4, "fabric": 0.16, "render": 0.44},
    "dotted": {"photo": 0.16, "fabric": 0.2, "render": 0.64},
    "floral": {"photo": 0.5, "fabric": 0.2, "render": 0.3},
    "graphic": {"photo": 0.75, "render": 0.25},
}


@dataclass(frozen=True)
class Picture:
    """A garment or a close-up of cloth, and where it came from."""

    file: str
    pattern: str
    source: str
    image: Bytes
    mask: Mask


def held_out(file: str) -> bool:
    """Whether nothing made of ``file`` is trained on: a fifth of all."""
    return int(digest_bytes(file.encode()), 16) % 5 == 0


def cloth(random: Generator) -> tuple[Bytes, Mask]:
    """A flat piece of plain cloth in uneven light."""
    side = int(random.integers(200, 500))
    light = cv2.resize(random.normal(0, 1, (6, 6)), (side, side), interpolation=cv2.INTER_CUBIC) * random.uniform(
        0, 0.15
    )
    grain = cv2.GaussianBlur(random.normal(0, 1, (side, side)), (0, 0), random.uniform(0.3, 1.5))
    grain = grain / grain.std() * random.choice([0.0, 0.02, 0.06, 0.15], p=[0.3, 0.4, 0.2, 0.1])
    colour = random.choice([random.uniform(0, 255, 3), np.full(3, random.uniform(10, 250))], axis=0)
    image = np.clip(colour * (1 + light + grain)[..., None], 0, 255).astype(np.uint8)
    mask = np.zeros((side, side), np.uint8)
    if random.random() < 0.5:
        mask[:] = 1
    else:
        points = side * np.array(
            [
                [0.3, 0.05],
                [0.7, 0.05],
                [1, 0.3],
                [0.85, 0.45],
                [0.78, 0.35],
                [0.78, 1],
                [0.22, 1],
                [0.22, 0.35],
                [0.15, 0.45],
                [0, 0.3],
            ]
        )
        cv2.fillPoly(mask, [np.round(points + random.normal(0, side * 0.015, points.shape)).astype(np.int32)], 1)
    return image, mask.astype(bool)


def sample(pictures: dict[tuple[str, str], list[Picture]], random: Generator) -> tuple[Bytes, Bytes, int]:
    """One training sample: its two kinds of views and its pattern's number."""
    pattern = str(random.choice(list(SHARES), p=list(SHARES.values())))
    shares = SOURCES[pattern]
    source = str(random.choice(list(shares), p=list(shares.values())))
    if source == "render":
        base = str(random.choice(["photo", "fabric", "cloth"], p=[0.7, 0.1, 0.2]))
        image, mask = _drawn(pictures, "solid", base, random)
        longer = float(np.exp(random.uniform(np.log(110), np.log(1000))))
        drawn = min(longer * random.uniform(1, 1.8), 1000)
        image, mask = resized(image, mask, drawn)
        image = paint(image, mask, pattern, random, FINEST * max(drawn / longer, 1))
    else:
        image, mask = _drawn(pictures, pattern, source, random)
        longer = float(np.exp(random.uniform(np.log(110), np.log(max(mask.shape) * 1.3))))
    if random.random() < (0.25 if pattern != "graphic" else 0.0):
        share = longer / max(mask.shape)
        image, mask = cropped(image, mask, random)
        longer = max(share * max(mask.shape) * random.uniform(1.0, 2.0), 90)
    image, mask = photographed(image, mask, longer, random)
    if random.random() < 0.3:
        turned = int(random.integers(1, 4))
        image, mask = np.rot90(image, turned), np.rot90(mask, turned)
    whole, windows = pattern_views(np.ascontiguousarray(recoloured(image, random)), np.ascontiguousarray(mask))
    return whole, windows, PATTERNS.index(pattern)


def _drawn(
    pictures: dict[tuple[str, str], list[Picture]], pattern: str, source: str, random: Generator
) -> tuple[Bytes, Mask]:
    if source == "cloth":
        return cloth(random)
    among = pictures.get((pattern, source)) or pictures[pattern, "photo"]
    picture = among[int(random.integers(len(among)))]
    return picture.image, picture.mask


class Network(nn.Module):
    """Convolutions shared by all views, means and peaks of each scale, and two layers on top."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = CHANNELS
        for width, stride in ((16, 2), (24, 2), (32, 1), (48, 2), (64, 1)):
            layers += [nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            before = width
        self.body = nn.Sequential(*layers)
        self.hidden = nn.Linear(before * (2 + 2 * len(SCALES)), 48)
        self.output = nn.Linear(48, len(PATTERNS))

    def embedded(self, views: Tensor) -> Tensor:
        found = self.body(views)
        return torch.cat([found.mean((2, 3)), found.amax((2, 3))], 1)

    def forward(self, whole: Tensor, windows: Tensor) -> Tensor:
        count, of_whole = len(whole), self.embedded(whole)
        found = self.embedded(windows).view(count, len(SCALES), WINDOWS, -1).mean(2)
        if self.training:
            found = found * (torch.rand(count, len(SCALES), 1) > 0.1)
        embedding = torch.cat([of_whole, found.flatten(1)], 1)
        embedding = nn.functional.dropout(embedding, 0.2, self.training)
        hidden = torch.relu(self.hidden(embedding))
        return self.output(nn.functional.dropout(hidden, 0.3, self.training))


def network_input(views: Tensor, middle: Tensor) -> Tensor:
    """As `channels` of `pattern_features`, (N, `CHANNELS`, S, S), of views (N, S, S, 4) and middles (N, 3)."""
    planes = views.permute(0, 3, 1, 2).contiguous().float()
    weight = planes[:, 3]
    lab = (planes[:, :3] - middle[:, :, None, None]) * weight[:, None]
    blurred = torch.stack([lab[:, 0], weight], 1)
    for sides, margin in (((15, 1), (7, 0)), ((1, 15), (0, 7))):
        blurred = nn.functional.avg_pool2d(blurred, sides, 1, margin)
    detail = (lab[:, 0] - blurred[:, 0] / blurred[:, 1].clamp_min(1e-3)) * weight
    spread = (detail.square().sum((1, 2)) / weight.sum((1, 2)).clamp_min(1)).sqrt()
    detail = detail / (2 * spread + 4)[:, None, None]
    lab = lab / torch.tensor([60.0, 25.0, 25.0])[:, None, None]
    return torch.cat([lab, detail[:, None], weight[:, None]], 1).contiguous(memory_format=torch.channels_last)


def prepared(whole: Bytes, windows: Bytes) -> tuple[Tensor, Tensor]:
    """Both inputs of the network of N garments: (N, `WHOLE`, `WHOLE`, 4) and (N, V, `SIDE`, `SIDE`, 4)."""
    middles = torch.from_numpy(np.stack([middle_of(one[None]) for one in whole]))
    many = windows.shape[1]
    flat = torch.from_numpy(windows.reshape(-1, SIDE, SIDE, 4))
    return network_input(torch.from_numpy(whole), middles), network_input(flat, middles.repeat_interleave(many, 0))


SAMPLES, SEED, BATCH, STEPS, RATE = 12_000, 1, 48, 1_800, 3e-3
RAISED = {"dotted": 1.6, "floral": 1.6, "graphic": 1.6}
"""Prints are taken for plain cloth more often than the other way round: the odds of what is strewn on cloth are raised
by so much. Chosen on one half of the photos held out; on the other half it adds as much (from 81 to 83 % right)."""
_PICTURES: dict[tuple[str, str], list[Picture]] = {}
"""By pattern and source."""


def _start(pictures: Sequence[Picture]) -> None:
    cv2.setNumThreads(1)
    for picture in pictures:
        _PICTURES.setdefault((picture.pattern, picture.source), []).append(picture)


def _one(number: int) -> tuple[Bytes, Bytes, int]:
    half, place = divmod(number, SAMPLES // 2)
    return sample(_PICTURES, default_rng([SEED + half, place]))


def trained(pictures: Sequence[Picture]) -> dict[str, Any]:
    """The network's numbers as `fittingroom.appearance.patterns` reads them, fitted on samples of ``pictures``."""
    with ProcessPoolExecutor(os.cpu_count(), initializer=_start, initargs=(pictures,)) as pool:
        whole, windows, numbers = zip(*pool.map(_one, range(SAMPLES), chunksize=50), strict=True)
    return arrays(fitted(np.concatenate(whole), np.stack(windows), np.array(numbers)))


def fitted(whole: Bytes, windows: Bytes, numbers: NDArray[np.int64]) -> Network:
    """The running mean of the weights over a training."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    random = default_rng(SEED)
    network = Network().to(memory_format=torch.channels_last)
    mean = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=2e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS, pct_start=0.1)
    classes = torch.from_numpy(numbers)
    order: list[int] = []
    for step in range(STEPS):
        if len(order) < BATCH:
            order = random.permutation(len(numbers)).tolist()
        chosen, order = order[:BATCH], order[BATCH:]
        views = _altered(*prepared(whole[chosen], windows[chosen]), random)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(*views)
        loss = nn.functional.cross_entropy(logits.float(), classes[chosen], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            kept = min(0.995, (step + 1) / (step + 10))
            for slow, fast in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
                if slow.dtype.is_floating_point:
                    slow.lerp_(fast, 1 - kept)
    return mean


def _altered(whole: Tensor, windows: Tensor, random: Generator) -> tuple[Tensor, Tensor]:
    """Both mirrored and turned alike, with light and dark and opposite hues exchanged."""
    signs = torch.from_numpy(random.choice([-1.0, 1.0], (len(whole), 3))).float()
    signs = torch.cat([signs, signs[:, :1], torch.ones(len(whole), 1)], 1)
    exchanged, turned = random.random() < 0.3, int(random.integers(8))

    def one(views: Tensor, by: Tensor) -> Tensor:
        views = views * by[:, :, None, None]
        views = views[:, [0, 2, 1, 3, 4]] if exchanged else views
        views = views.flip(3) if turned & 1 else views
        views = views.flip(2) if turned & 2 else views
        views = views.transpose(2, 3) if turned & 4 else views
        return views.contiguous(memory_format=torch.channels_last)

    return one(whole, signs), one(windows, signs.repeat_interleave(len(windows) // len(whole), 0))


def arrays(network: Network) -> dict[str, Any]:
    """The numbers, batch normalisation folded into the convolutions, in 16 bits."""
    found: dict[str, Any] = {"classes": np.array(PATTERNS)}
    layers = list(network.body)
    for number, (convolution, norm) in enumerate(zip(layers[::3], layers[1::3], strict=True)):
        gain = norm.weight / (norm.running_var + norm.eps).sqrt()
        found[f"kernel{number}"] = (convolution.weight * gain[:, None, None, None]).permute(2, 3, 1, 0)
        found[f"shift{number}"] = norm.bias - norm.running_mean * gain
    found |= {"hidden": network.hidden.weight.T, "hidden_bias": network.hidden.bias}
    odds = torch.tensor([RAISED.get(name, 1.0) for name in PATTERNS])
    found |= {"output": network.output.weight.T, "output_bias": network.output.bias + odds.log()}
    return {
        name: value.detach().contiguous().numpy().astype(np.float16) if isinstance(value, Tensor) else value
        for name, value in found.items()
    }
