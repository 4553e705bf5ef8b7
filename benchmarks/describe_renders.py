"""Patterns drawn onto plain garments, and photos as shops show them: smaller, cropped, compressed, recoloured."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
FINEST = 2.6
"""Pixels of the finest period that is drawn: less cannot be seen."""


def paint(image: Bytes, mask: Mask, kind: str, random: Generator, finest: float = FINEST) -> Bytes:
    """Plain cloth at ``mask`` (H, W) of ``image`` (H, W, 3) with a pattern of ``kind``; folds and shadows are kept."""
    base = np.median(image[mask], axis=0).astype(np.float32)
    layers = _LAYERS[kind](mask, random, finest)
    light = image.astype(np.float32).mean(axis=2)
    shade = np.clip(light / (float(np.median(light[mask])) + 1), 0.25, 1.7)[..., None]
    painted = image.astype(np.float32)
    weakest = 14 if random.random() < 0.3 else 45
    for layer in layers:
        colour = _other(base, random, weakest)
        share = layer[..., None]
        painted = painted * (1 - share) + np.clip(colour * shade, 0, 255) * share
    return np.where(mask[..., None], np.clip(painted, 0, 255), image).astype(np.uint8)


def _other(base: Floats, random: Generator, weakest: float) -> Floats:
    """A colour that differs from ``base`` by at least ``weakest`` of 255."""
    if random.random() < 0.35:  # the same cloth, lighter or darker
        step = random.uniform(weakest, 120) * (
            1 if base.mean() < 110 or (base.mean() < 180 and random.random() < 0.5) else -1
        )
        return np.clip(base + step, 4, 250).astype(np.float32)
    for _ in range(50):
        tried = random.choice([random.uniform(0, 255, 3), np.full(3, random.uniform(0, 255))], axis=0)
        if np.abs(tried - base).mean() > weakest:
            return tried.astype(np.float32)
    return np.full(3, 235.0 if base.mean() < 128 else 20.0, np.float32)


def _fields(mask: Mask, random: Generator, finest: float, most: float) -> tuple[Floats, Floats, float]:
    """Warped coordinates in pixels, turned, and a period from ``finest`` pixels to ``most`` of the garment."""
    rows, columns = np.nonzero(mask)
    extent = max(np.ptp(rows), np.ptp(columns)) + 1
    height, width = mask.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    longest = max(extent * most, finest * 1.3)
    period = float(np.exp(random.uniform(np.log(finest), np.log(longest))))
    small = (max(height // 16, 2), max(width // 16, 2))
    bend = random.choice([0.0, 0.1, 0.3, 0.6]) * min(period, extent * 0.05)
    for axis in (x, y):
        wave = cv2.GaussianBlur(
            random.normal(0, 1, small).astype(np.float32), (0, 0), max(small) * random.uniform(0.06, 0.2)
        )
        wave = cv2.resize(wave / (wave.std() + 1e-6), (width, height), interpolation=cv2.INTER_CUBIC)
        axis += np.float32(bend) * wave
    turn = random.normal(0, 0.12) + random.choice([0, np.pi / 2, random.uniform(0, np.pi)], p=[0.45, 0.35, 0.2])
    u = x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))
    v = -x * np.float32(np.sin(turn)) + y * np.float32(np.cos(turn))
    return u, v, period


def _band(along: Floats, period: float, duty: float, shift: float = 0.0) -> Floats:
    """1 in ``duty`` of each period, edges one pixel soft."""
    phase = (along / period + shift) % 1
    distance = np.abs(phase - 0.5) * period
    return np.clip(duty * period / 2 - distance + 0.5, 0, 1).astype(np.float32)


def _sett(random: Generator) -> list[tuple[float, float]]:
    """Stripes of one period: (duty, shift) each."""
    if random.random() < 0.6:
        return [(random.uniform(0.2, 0.65), 0.0)]
    return [(random.uniform(0.05, 0.3), random.uniform(0, 1)) for _ in range(random.integers(2, 5))]


def _striped(mask: Mask, random: Generator, finest: float) -> list[Floats]:
    u, _, period = _fields(mask, random, finest, 0.2)
    sett = _sett(random)
    if len(sett) > 1:
        period = max(period, 4 * finest)
    if random.random() < 0.2:  # pinstripes: thin lines far apart
        period, sett = max(period, 3 * finest), [(max(random.uniform(0.04, 0.15), 0.9 / max(period, 3 * finest)), 0.0)]
    return [_band(u, period, duty, shift) for duty, shift in sett]


def _checked(mask: Mask, random: Generator, finest: float) -> list[Floats]:
    u, v, period = _fields(mask, random, finest, 0.3)
    sett = _sett(random)
    if len(sett) > 1:
        period = max(period, 4 * finest)
    if random.random() < 0.2:  # lines around panes
        period = max(period, 3 * finest)
        duty = max(random.uniform(0.04, 0.15), 0.9 / period)
        return [np.maximum(_band(u, period, duty), _band(v, period, duty))]
    if random.random() < 0.12:  # a chessboard
        one, two = _band(u, period, 0.5), _band(v, period, 0.5)
        return [one * (1 - two) + two * (1 - one)]
    aspect = random.choice([1.0, random.uniform(0.75, 1.33)])
    strength = random.uniform(0.4, 0.65)
    return [
        strength * band
        for duty, shift in sett
        for band in (_band(u, period, duty, shift), _band(v, period * aspect, duty, shift))
    ]


def _dotted(mask: Mask, random: Generator, finest: float) -> list[Floats]:
    u, v, period = _fields(mask, random, max(finest, 3.5), 0.2)
    row = np.floor(v / period)
    shift = (row % 2) * period / 2 if random.random() < 0.65 else np.float32(0)
    column = np.floor((u + shift) / period)
    x, y = (u + shift) - (column + 0.5) * period, v - (row + 0.5) * period
    if random.random() < 0.3:  # strewn
        dice = np.sin(row * 12.9898 + column * 78.233 + random.uniform(0, 99)) * 43758.5453
        dice = dice - np.floor(dice)
        other = (dice * 977) % 1
        x, y = x - (dice - 0.5) * period * 0.4, y - (other - 0.5) * period * 0.4
    radius = max(random.uniform(0.14, 0.4) * period, 0.8)
    if random.random() < 0.15:
        radius = radius * (0.6 + 0.4 * (np.sin(row * 5.1 + column * 3.7) > 0))
    dots = np.clip(radius - np.hypot(x, y) + 0.5, 0, 1).astype(np.float32)
    return [1 - dots] if random.random() < 0.05 else [dots]


def _floral(mask: Mask, random: Generator, finest: float) -> list[Floats]:
    """Blotches, or motifs of one make strewn over the cloth, in one to three colours."""
    height, width = mask.shape
    rows, columns = np.nonzero(mask)
    extent = max(np.ptp(rows), np.ptp(columns)) + 1
    if random.random() < 0.35:
        return [
            _blotches(mask.shape, extent * random.uniform(0.008, 0.08), random) for _ in range(random.integers(1, 4))
        ]
    layers = []
    size = float(np.exp(random.uniform(np.log(max(extent * 0.02, 2 * finest)), np.log(max(extent * 0.14, 3 * finest)))))
    gap = size * random.uniform(1.0, 2.4)
    for _ in range(random.integers(1, 4)):
        scale = max(1, 6 / size)
        canvas = np.zeros((round(height * scale), round(width * scale)), np.uint8)
        motif = random.integers(5)
        step = gap * scale
        for y in np.arange(random.uniform(0, step), canvas.shape[0], step):
            for x in np.arange(random.uniform(0, step), canvas.shape[1], step):
                if random.random() < 0.15:
                    continue
                at = np.array([x, y]) + random.uniform(-0.4, 0.4, 2) * step
                _motif(canvas, motif, at, size * scale * random.uniform(0.35, 0.65), random)
        layers.append(cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255)
        size *= random.uniform(0.4, 1.0)
        gap *= random.uniform(0.7, 1.2)
        size, gap = max(size, 2 * finest), max(gap, 2.2 * finest)
    return layers


def _motif(canvas: Bytes, motif: int, at: NDArray[np.float64], radius: float, random: Generator) -> None:
    turn = random.uniform(0, 2 * np.pi)
    angles = np.linspace(0, 2 * np.pi, 25)[:-1]
    if motif == 0:  # petals
        far = radius * (0.65 + 0.35 * np.cos(5 * angles))
    elif motif == 1:  # leaves
        far = radius * np.hypot(np.cos(angles), 0.35 * np.sin(angles))
    elif motif == 2:
        far = radius * random.uniform(0.4, 1.0, len(angles))
    elif motif == 3:  # stars and triangles
        corners = random.integers(3, 6)
        far = radius * (0.5 + 0.5 * np.abs(((angles * corners / (2 * np.pi)) % 1) * 2 - 1))
    else:
        cv2.ellipse(
            canvas,
            (int(at[0]), int(at[1])),
            (max(int(radius), 1), max(int(radius * 0.5), 1)),
            float(np.degrees(turn)),
            0,
            float(random.uniform(120, 300)),
            255,
            max(int(radius * 0.3), 1),
            cv2.LINE_AA,
        )
        return
    points = at + far[:, None] * np.stack([np.cos(angles + turn), np.sin(angles + turn)], 1)
    cv2.fillPoly(canvas, [np.round(points * 8).astype(np.int32)], 255, cv2.LINE_AA, 3)


def _blotches(shape: tuple[int, int], size: float, random: Generator) -> Floats:
    shrink = max(size / 3, 1)
    small = (max(round(shape[0] / shrink), 4), max(round(shape[1] / shrink), 4))
    noise = cv2.GaussianBlur(
        random.normal(0, 1, small).astype(np.float32),
        (0, 0),
        size / shrink,
        sigmaY=size / shrink * random.uniform(0.6, 1.8),
    )
    noise = cv2.resize(noise / (noise.std() + 1e-6), (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.clip((noise - random.uniform(-0.2, 1.0)) * 4 + 0.5, 0, 1).astype(np.float32)


def _graphic(mask: Mask, random: Generator, _finest: float) -> list[Floats]:
    """Words and shapes in one place, mostly the chest."""
    height, width = mask.shape
    rows, columns = np.nonzero(mask)
    tall, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
    middle = columns.mean() + random.normal(0, 0.03) * wide, rows.min() + random.uniform(0.25, 0.55) * tall
    half = random.uniform(0.14, 0.3) * wide
    layers = []
    for _ in range(random.integers(1, 4)):
        canvas = np.zeros((height, width), np.uint8)
        y = middle[1] - half * random.uniform(0, 0.8)
        if random.random() < 0.7:
            for _ in range(random.integers(1, 5)):
                word = "".join(random.choice(list("ABCDEFGHIKLMNOPRSTUVWYaeinorst0123456789"), random.integers(3, 11)))
                font = int(random.choice([0, 2, 3, 4, 6, 7]))
                (length, _), _ = cv2.getTextSize(word, font, 1.0, 2)
                scale = 2 * half / length * random.uniform(0.6, 1.0)
                cv2.putText(
                    canvas,
                    word,
                    (int(middle[0] - length * scale / 2), int(y)),
                    font,
                    scale,
                    255,
                    max(1, round(scale * random.uniform(1.5, 6))),
                    cv2.LINE_AA,
                )
                y += scale * 34 * random.uniform(0.9, 1.3)
        else:
            for _ in range(random.integers(1, 9)):
                at = np.array(middle) + random.normal(0, 0.4, 2) * half
                _motif(canvas, int(random.integers(5)), at, half * random.uniform(0.2, 0.9), random)
        layers.append(canvas.astype(np.float32) / 255)
    return layers


_LAYERS = {"striped": _striped, "checked": _checked, "dotted": _dotted, "floral": _floral, "graphic": _graphic}


def resized(image: Bytes, mask: Mask, longer: float, growing: int = cv2.INTER_LINEAR) -> tuple[Bytes, Mask]:
    """Both with ``longer`` as their longer side; ``growing`` is OpenCV's interpolation where they grow."""
    scale = longer / max(mask.shape)
    size = (max(round(mask.shape[1] * scale), 8), max(round(mask.shape[0] * scale), 8))
    image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else growing), np.uint8)
    return image, cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)


def photographed(image: Bytes, mask: Mask, longer: float, random: Generator) -> tuple[Bytes, Mask]:
    """The garment's box with ``longer`` as its longer side, now and then soft, noisy, and as JPEG."""
    image, mask = resized(image, mask, longer, cv2.INTER_CUBIC)
    if random.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), random.uniform(0.3, 0.8))
    if random.random() < 0.3:
        noise = random.normal(0, random.uniform(1, 5), image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if random.random() < 0.7:
        _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(60, 96))])
        image = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return np.asarray(image, np.uint8), mask


def cropped(image: Bytes, mask: Mask, random: Generator, least: float = 0.3) -> tuple[Bytes, Mask]:
    """A part of the picture that is mostly garment, or all of it where none is found."""
    height, width = mask.shape
    for _ in range(8):
        share = random.uniform(least, 0.9)
        tall, wide = int(height * share), int(width * min(share * random.uniform(0.8, 1.25), 1))
        top, left = random.integers(0, height - tall + 1), random.integers(0, width - wide + 1)
        part = np.s_[top : top + tall, left : left + wide]
        if mask[part].size and mask[part].mean() > 0.6:
            return image[part], mask[part]
    return image, mask


def recoloured(image: Bytes, random: Generator) -> Bytes:
    """Other dyes and another light: channels exchanged, inverted and scaled."""
    image = image[..., random.permutation(3)] if random.random() < 0.5 else image
    values = image.astype(np.float32)
    if random.random() < 0.2:
        values = 255 - values
    gain = random.uniform(0.75, 1.2) * random.uniform(0.93, 1.07, 3)
    return np.clip(255 * (values / 255) ** random.uniform(0.75, 1.3) * gain, 0, 255).astype(np.uint8)
