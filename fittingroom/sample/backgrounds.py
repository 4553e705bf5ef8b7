"""Backgrounds behind a figure: brick, street, room, bokeh, foliage, a shop's rails, a studio."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator

from fittingroom.sample.canvas import Colour, soft_blur
from fittingroom.sample.fabrics import COLOURS, tint
from fittingroom.sample.shapes import Field

_MUTED: tuple[Colour, ...] = (
    (0.82, 0.79, 0.74),
    (0.7, 0.74, 0.77),
    (0.62, 0.58, 0.55),
    (0.86, 0.84, 0.82),
    (0.55, 0.62, 0.6),
    (0.76, 0.66, 0.6),
    (0.45, 0.47, 0.5),
)


def smooth_noise(height: int, width: int, cells: int, rng: Generator) -> Field:
    """A smooth random field (H, W), about -1 to 1, with ``cells`` bumps across the longer side."""
    rows, columns = max(cells * height // max(height, width), 2), max(cells * width // max(height, width), 2)
    grid = rng.uniform(-1, 1, (rows, columns)).astype(np.float32)
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _fill(height: int, width: int, colour: Colour) -> Field:
    return np.full((height, width, 3), colour, np.float32)


def _any_colour(rng: Generator) -> Colour:
    if rng.random() < 0.35:
        names = sorted(COLOURS)
        return tint(COLOURS[names[int(rng.integers(len(names)))]], rng, 0.05)
    return tint(_MUTED[int(rng.integers(len(_MUTED)))], rng, 0.05)


def _rectangle(image: Field, x1: float, y1: float, x2: float, y2: float, colour: Colour) -> None:
    cv2.rectangle(image, (int(x1), int(y1)), (int(x2), int(y2)), colour, -1)


def brick(height: int, width: int, rng: Generator) -> Field:
    """A brick wall above a pavement."""
    rows_high = height / rng.uniform(16, 28)
    long = rows_high * rng.uniform(2.2, 3.0)
    base = np.array(tint((0.58, 0.3, 0.22) if rng.random() < 0.6 else (0.72, 0.68, 0.62), rng, 0.08))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    row = np.floor(y / rows_high)
    shifted = x / long + 0.5 * (row % 2)
    column = np.floor(shifted)
    dice = np.sin(row * 127.1 + column * 311.7) * 43758.5453
    dice = dice - np.floor(dice)
    gap_x, gap_y = (shifted - column) * long, y - row * rows_high
    joint = (gap_x < 1.6) | (gap_y < 1.6)
    image = base * (0.78 + 0.4 * dice)[..., None]
    image = np.where(joint[..., None], np.array([0.7, 0.68, 0.65]) * 0.9, image).astype(np.float32)
    image *= (1 + 0.06 * smooth_noise(height, width, 40, rng))[..., None]
    floor = int(height * rng.uniform(0.86, 0.95))
    image[floor:] = (
        np.array(tint((0.5, 0.5, 0.5), rng, 0.06))
        * (1 + 0.05 * smooth_noise(height - floor, width, 60, rng))[..., None]
    )
    return image


def street(height: int, width: int, rng: Generator) -> Field:
    """Houses with windows along a pavement, under a sky, out of focus."""
    horizon = int(height * rng.uniform(0.55, 0.78))
    sky = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    image = np.asarray((np.array([0.62, 0.74, 0.88]) * (1 - sky) + np.array([0.9, 0.91, 0.92]) * sky), np.float32)
    image = np.ascontiguousarray(np.broadcast_to(image, (height, width, 3)))
    x = -rng.uniform(0, 30)
    while x < width:
        wide, top = rng.uniform(0.2, 0.45) * width, rng.uniform(0.0, 0.4) * horizon
        colour = _any_colour(rng)
        _rectangle(image, x, top, x + wide, horizon, colour)
        dark = (colour[0] * 0.45, colour[1] * 0.48, colour[2] * 0.55)
        step_x, step_y = wide / int(rng.integers(2, 5)), horizon / rng.uniform(5, 9)
        for wy in np.arange(top + step_y * 0.4, horizon - step_y, step_y):
            for wx in np.arange(x + step_x * 0.25, x + wide - step_x * 0.3, step_x):
                _rectangle(image, wx, wy, wx + step_x * 0.5, wy + step_y * 0.6, dark)
        x += wide
    ground = np.linspace(0.9, 1.1, height - horizon, dtype=np.float32)[:, None, None]
    image[horizon:] = np.array(tint((0.56, 0.55, 0.54), rng, 0.06), np.float32) * ground
    for _ in range(3):
        end = int(rng.uniform(-0.5, 1.5) * width)
        cv2.line(image, (width // 2, horizon), (end, height), (0.45, 0.45, 0.45), 1, cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 3))):  # cars and passers-by, as blobs
        cx, cy = int(rng.uniform(0, width)), horizon
        cv2.ellipse(
            image, (cx, cy), (int(width * 0.13), int(height * 0.05)), 0, 0, 360, _any_colour(rng), -1, cv2.LINE_AA
        )
    return soft_blur(image, rng.uniform(0.8, 3.0) * height / 350)


def room(height: int, width: int, rng: Generator) -> Field:
    """A wall with a skirting board, a floor of planks, pictures and furniture."""
    wall = _any_colour(rng)
    image = _fill(height, width, wall)
    light = np.linspace(1.08, 0.9, width, dtype=np.float32)
    image *= (light if rng.random() < 0.5 else light[::-1])[None, :, None]
    if rng.random() < 0.3:  # striped wallpaper: the pattern of a garment where there is none
        stripe = (np.arange(width) // max(int(width * rng.uniform(0.03, 0.08)), 2)) % 2
        image *= (1 - 0.12 * stripe).astype(np.float32)[None, :, None]
    floor = int(height * rng.uniform(0.78, 0.92))
    wood = np.array(tint((0.5, 0.36, 0.24), rng, 0.1), np.float32)
    image[floor:] = wood * (1 + 0.12 * smooth_noise(height - floor, width, 12, rng))[..., None]
    for x in range(-width, 2 * width, max(width // 7, 8)):
        cv2.line(
            image, (x, floor), (x + (x - width // 2) // 2, height), tuple(float(v) for v in wood * 0.7), 1, cv2.LINE_AA
        )
    board = max(height // 40, 3)
    _rectangle(image, 0, floor - board, width, floor, (0.9, 0.89, 0.87))
    for _ in range(int(rng.integers(0, 3))):
        left, top, w, h = (
            rng.uniform(-0.1, 0.9) * width,
            rng.uniform(0.02, 0.35) * height,
            rng.uniform(0.12, 0.3) * width,
            rng.uniform(0.1, 0.25) * height,
        )
        _rectangle(image, left - 3, top - 3, left + w + 3, top + h + 3, (0.2, 0.17, 0.15))
        _rectangle(image, left, top, left + w, top + h, _any_colour(rng))
    if rng.random() < 0.6:  # a chair or a cupboard
        left, w, h = rng.uniform(-0.1, 0.9) * width, rng.uniform(0.2, 0.4) * width, rng.uniform(0.2, 0.5) * height
        colour = _any_colour(rng)
        door = (colour[0] * 0.85, colour[1] * 0.85, colour[2] * 0.85)
        _rectangle(image, left, floor - h, left + w, floor + 4, colour)
        _rectangle(image, left + 0.1 * w, floor - 0.9 * h, left + 0.9 * w, floor - 0.5 * h, door)
    return soft_blur(image, rng.uniform(0.5, 1.6) * height / 350)


def bokeh(height: int, width: int, rng: Generator) -> Field:
    """Lights far out of focus."""
    start, end = np.array(_any_colour(rng)) * 0.7, np.array(_any_colour(rng)) * 0.7
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    image = np.ascontiguousarray(np.broadcast_to(start * (1 - ramp) + end * ramp, (height, width, 3)), np.float32)
    for _ in range(26):
        spot = np.zeros((height, width), np.float32)
        radius = int(width * rng.uniform(0.03, 0.11))
        centre = int(rng.uniform(0, width)), int(rng.uniform(0, height))
        cv2.circle(spot, centre, radius, float(rng.uniform(0.1, 0.4)), -1, cv2.LINE_AA)
        image += (np.asarray(tint(_any_colour(rng), rng, 0.1), np.float32) - image) * spot[..., None]
    return soft_blur(image, 2.2 * height / 350)


def foliage(height: int, width: int, rng: Generator) -> Field:
    """Leaves, and grass underfoot."""
    image = _fill(height, width, tint((0.16, 0.25, 0.12), rng, 0.04))
    for _ in range(420):
        shade = rng.uniform(0.5, 1.5)
        colour = tint((0.25 * shade, 0.4 * shade, 0.17 * shade), rng, 0.04)
        centre = int(rng.uniform(0, width)), int(rng.uniform(0, height * 0.9))
        size = width * rng.uniform(0.012, 0.04)
        cv2.ellipse(
            image,
            centre,
            (max(int(size), 2), max(int(size * 0.5), 1)),
            float(rng.uniform(0, 180)),
            0,
            360,
            colour,
            -1,
            cv2.LINE_AA,
        )
    ground = int(height * rng.uniform(0.82, 0.92))
    image[ground:] = (
        np.array(tint((0.4, 0.45, 0.25), rng, 0.08))
        * (1 + 0.2 * smooth_noise(height - ground, width, 90, rng))[..., None]
    )
    return soft_blur(image, rng.uniform(0.6, 2.6) * height / 350)


def rails(height: int, width: int, rng: Generator) -> Field:
    """A shop: rails of hanging clothes out of focus, garment colours that are no annotated garment."""
    image = _fill(height, width, tint((0.85, 0.83, 0.8), rng, 0.06))
    for level in (0.08, 0.5):
        x, top = -10.0, height * (level + rng.uniform(0, 0.06))
        _rectangle(image, 0, top, width, top + 2, (0.3, 0.3, 0.32))
        while x < width:
            wide = rng.uniform(0.03, 0.09) * width
            low = top + rng.uniform(0.22, 0.36) * height
            _rectangle(image, x, top + 4, x + wide, low, _any_colour(rng))
            x += wide
    floor = int(height * 0.92)
    image[floor:] = tint((0.6, 0.58, 0.55), rng, 0.05)
    return soft_blur(image, rng.uniform(2.0, 4.0) * height / 350)


def studio(height: int, width: int, rng: Generator) -> Field:
    """A plain backdrop, lit from one side."""
    colour = tint((0.88, 0.87, 0.86) if rng.random() < 0.6 else _any_colour(rng), rng, 0.03)
    image = _fill(height, width, colour)
    image *= (1 + 0.06 * smooth_noise(height, width, 3, rng))[..., None]
    floor = int(height * rng.uniform(0.86, 0.95))
    image[floor:] *= 0.93
    return soft_blur(image, 4.0 * height / 350)


Background = Callable[[int, int, Generator], Field]
BACKGROUNDS: tuple[Background, ...] = (brick, street, room, bokeh, foliage, rails, studio)


def random_background(height: int, width: int, rng: Generator) -> Field:
    """One of them, float32 (H, W, 3), 0 to 1."""
    return BACKGROUNDS[int(rng.integers(len(BACKGROUNDS)))](height, width, rng)
