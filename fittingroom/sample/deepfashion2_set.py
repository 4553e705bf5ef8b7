"""Writes a rendered set in DeepFashion2's layout: ``image/000001.jpg``, ``annos/000001.json``, every field filled."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from fittingroom.annotations.geometry import crosses_itself
from fittingroom.categories import CATEGORY_NAMES
from fittingroom.domain import MARK
from fittingroom.errors import SettingError
from fittingroom.images import encode_jpeg
from fittingroom.masks import Mask, from_polygons
from fittingroom.sample.scenes import Scene, SceneGarment, Viewpoint, render_scene
from fittingroom.sample.shop import Listener
from fittingroom.workspace import write_bytes, write_json

SMALLEST_GARMENT = 90
"""Pixels: less of a garment than this in sight is not annotated."""
SMALLEST_PIECE = 14
_FEWEST_POINTS, _MOST_POINTS = 20, 200


def render_deepfashion2_set(
    out: Path,
    count: int = 350,
    seed: int = 0,
    *,
    others: int = 30,
    height: int = 344,
    width: int = 256,
    workers: int = 2,
    listener: Listener | None = None,
) -> Path:
    """Render ``count`` frontal photos and ``others`` that are not (side, back, or worn by nobody); returns ``out``.

    Sizes vary a little about ``height`` and ``width``. The same seed gives the same bytes whatever ``workers`` is.

    Raises:
        SettingError: a count below 1, negative others, or a picture too small to show a figure.
    """
    for name, value, least in (("count", count, 1), ("others", others, 0), ("workers", workers, 1)):
        if value < least:
            raise SettingError(name, value, f"at least {least}")
    if min(height, width) < 96:
        raise SettingError("height, width", (height, width), "at least 96 pixels")
    views = viewpoints(count, others)

    def one(number: int) -> None:
        scene = render_numbered(number, views[number - 1], seed, height, width)
        write_bytes(out / "image" / f"{number:06d}.jpg", encode_jpeg(scene.image, 92, comment=MARK))
        write_json(out / "annos" / f"{number:06d}.json", annotation(scene, number, seed), indent=None)

    (out / "image").mkdir(parents=True, exist_ok=True)
    (out / "annos").mkdir(exist_ok=True)
    # Threads, not processes: OpenCV lets go of the interpreter while it paints, and threads work in any program.
    with ThreadPoolExecutor(workers) as pool:
        for done, _ in enumerate(pool.map(one, range(1, len(views) + 1)), start=1):
            if listener is not None:
                listener("DeepFashion2 set", done, len(views))
    return out


def viewpoints(count: int, others: int) -> list[Viewpoint]:
    """The viewpoint of each picture: ``count`` times 2, with ``others`` of 3 and 1 in turn spread evenly among them."""
    total = count + others
    views: list[Viewpoint] = []
    placed = 0
    for index in range(total):
        if placed < others and (index + 1) * others // total > placed:
            views.append(3 if placed % 2 == 0 else 1)
            placed += 1
        else:
            views.append(2)
    return views


def _pair_of(number: int) -> int:
    """Pictures come in pairs of the same clothes: one from a shop, one from a customer."""
    return (number + 1) // 2


def render_numbered(number: int, viewpoint: Viewpoint, seed: int, height: int, width: int) -> Scene:
    """Picture ``number`` (from 1) of the set with this seed."""
    rng = np.random.default_rng([seed, 2, number])
    wardrobe = np.random.default_rng([seed, 1, _pair_of(number)])
    rows = height + int(rng.integers(-12, 13))
    columns = width + int(rng.integers(-8, 9))
    return render_scene(rng, rows, columns, viewpoint, wardrobe)


def annotation(scene: Scene, number: int, seed: int) -> dict[str, Any]:
    """The annotation of a picture, as DeepFashion2's README describes it."""
    rng = np.random.default_rng([seed, 3, number])
    record: dict[str, Any] = {"source": "shop" if number % 2 else "user", "pair_id": _pair_of(number)}
    next_number = 1
    for garment in scene.garments:
        if np.count_nonzero(garment.mask) < SMALLEST_GARMENT:
            continue
        polygons = polygons_of(garment.mask)
        if not polygons:
            continue
        next_number += int(rng.random() < 0.12)  # gaps, as in the real files
        record[f"item{next_number}"] = _garment_fields(garment, polygons, scene)
        next_number += 1
    return record


def _garment_fields(garment: SceneGarment, polygons: list[list[int]], scene: Scene) -> dict[str, Any]:
    rows, columns = garment.mask.shape
    points = np.concatenate(polygons).reshape(-1, 2)
    (x1, y1), (x2, y2) = points.min(axis=0).tolist(), (points.max(axis=0) + 1).tolist()
    seen = int(np.count_nonzero(garment.mask))
    whole = full_area(garment)
    hidden = 1 - min(seen / max(whole, 1), 1.0)
    share = seen / (rows * columns)
    return {
        "segmentation": polygons,
        "scale": 1 if share < 0.06 else 2 if share < 0.2 else 3,
        "viewpoint": scene.viewpoint,
        "zoom_in": scene.zoom_in,
        "landmarks": landmark_triples(garment),
        "style": garment.style,
        "bounding_box": [x1, y1, x2, y2],
        "category_id": garment.category_id,
        "occlusion": 1 if hidden < 0.15 else 2 if hidden < 0.45 else 3,
        "category_name": CATEGORY_NAMES[garment.category_id],
    }


def full_area(garment: SceneGarment) -> int:
    """Pixels the garment would have in the picture if nothing covered it."""
    rows, columns = garment.mask.shape
    whole = from_polygons([outline.reshape(-1).tolist() for outline in garment.outlines], rows, columns)
    return int(np.count_nonzero(whole | garment.mask))


def landmark_triples(garment: SceneGarment) -> list[int]:
    """x, y, visibility of each landmark: 2 seen, 1 covered, 0 (with 0, 0) outside the picture."""
    rows, columns = garment.mask.shape
    near = cv2.dilate(garment.mask.astype(np.uint8), np.ones((7, 7), np.uint8))
    triples: list[int] = []
    for x, y in np.round(garment.landmarks).astype(int).tolist():
        if not (0 <= x < columns and 0 <= y < rows):
            triples += [0, 0, 0]
        else:
            triples += [x, y, 2 if near[y, x] else 1]
    return triples


def polygons_of(mask: Mask) -> list[list[int]]:
    """Outlines of a mask as flat lists of 20 to 200 points. A mask with a hole is parted through the hole first."""
    polygons: list[list[int]] = []
    for piece in _without_holes(mask):
        contours, _ = cv2.findContours(piece.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        large = [c for c in contours if cv2.contourArea(c) >= SMALLEST_PIECE]
        polygons += [_thinned(c).reshape(-1).tolist() for c in sorted(large, key=cv2.contourArea, reverse=True)]
    return polygons


_TOLERANCES = (0.55, 0.4, 0.25, 0.0, 0.8, 1.1, 1.5, 2.0, 2.7, 3.6, 5.0)
"""Pixels that an outline may be off its contour, in the order they are tried."""


def _thinned(contour: MatLike) -> NDArray[np.int64]:
    """A contour's points (N, 2), so many as DeepFashion2's polygons have, and not crossing itself, where possible."""
    outlines = (np.asarray(cv2.approxPolyDP(contour, each, True)[:, 0], np.int64) for each in _TOLERANCES)
    few = [points for points in outlines if len(points) <= _MOST_POINTS]
    points = next((points for points in few if not crosses_itself(tuple(points.reshape(-1).tolist()))), few[0])
    while len(points) < _FEWEST_POINTS:
        gaps = np.abs(np.roll(points, -1, axis=0) - points).max(axis=1)
        widest = int(np.argmax(gaps))
        if gaps[widest] < 2:
            break
        middle = (points[widest] + np.roll(points, -1, axis=0)[widest]) // 2
        points = np.insert(points, widest + 1, middle, axis=0)
    return points


def _without_holes(mask: Mask, depth: int = 0) -> list[Mask]:
    """``mask`` as pieces without holes: DeepFashion2's polygons cannot say a hole."""
    contours, hierarchy = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if hierarchy is None or depth > 12:
        return [mask]
    holes = [c for c, links in zip(contours, hierarchy[0], strict=True) if links[3] >= 0 and len(c) > 8]
    if not holes:
        return [mask]
    largest = max(holes, key=len)
    column = int((largest[:, 0, 0].min() + largest[:, 0, 0].max()) // 2)
    left, right = mask.copy(), mask.copy()
    left[:, column:], right[:, :column] = False, False
    return _without_holes(left, depth + 1) + _without_holes(right, depth + 1)
