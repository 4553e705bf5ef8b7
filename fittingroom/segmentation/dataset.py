"""Photos and garments as the network is trained on them: read from COCO, cached, changed at random, made tensors.

What is drawn for a photo depends on (seed, epoch, index) alone, never on what was drawn before: a training that goes
on in the middle of an epoch sees exactly what it would have seen, with any number of worker processes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from fittingroom import masks
from fittingroom.boxes import Box
from fittingroom.categories import CATEGORY_NAMES
from fittingroom.datasets import images_dir_of
from fittingroom.errors import AnnotationError, MissingInputError
from fittingroom.images import RGB, read_rgb
from fittingroom.segmentation.augment import CloseUp, Draw, scaling
from fittingroom.segmentation.parts import UNKNOWN, PartMap, parts_folder, read_parts
from fittingroom.segmentation.paste import paste_body, wall_behind
from fittingroom.segmentation.settings import SegmenterSettings
from fittingroom.workspace import digest_file, digest_files, digest_value

MINIMUM_BOX_SIDE = 2.0
"""Pixels, as the network sees them: thinner boxes make its losses infinite."""

HALF_PIXEL = 0.5
"""RoIAlign has pixel centres at whole numbers, our boxes have pixel edges there: boxes are moved by this on their way
into the network and back on their way out. Left out, every mask sits half a pixel off."""

Target = dict[str, Tensor]


@dataclass(frozen=True)
class LabelledGarment:
    """One garment of a COCO file: category (1 to 13), polygons in pixels of the photo, and the annotation itself."""

    category_id: int
    polygons: tuple[tuple[float, ...], ...]
    annotation: dict[str, Any]


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo and the garments on it; ``height`` and ``width`` are those the COCO file gives.

    ``parts`` is its part map (see `fittingroom.segmentation.parts`), where the data set has one.
    """

    image_id: int
    path: Path
    height: int
    width: int
    garments: tuple[LabelledGarment, ...]
    parts: Path | None = None

    def boxes(self) -> list[Box]:
        """Boxes of the garments' outlines, in pixels of the photo."""
        drawn = (masks.from_polygons(garment.polygons, self.height, self.width) for garment in self.garments)
        return [box for mask in drawn if (box := masks.bounding_box(mask)) is not None]


def read_split(dataset: Path, split: str) -> list[LabelledPhoto]:
    """The photos of ``split`` (``train``, ``validation`` or ``all``: both) of a dataset folder, ordered by file name.

    Garments without a polygon of three points, crowds and categories that are not ours are left out.

    Raises:
        MissingInputError: no such folder or file.
        AnnotationError: a file that is not what it should be.
    """
    if split == "all":
        return sorted((photo for each in ("train", "validation") for photo in read_split(dataset, each)), key=_order)
    selection, coco = _read_json(dataset / "selection.json"), _read_json(dataset / f"{split}.json")
    try:
        root = images_dir_of(dataset, selection)
        parts = parts_folder(dataset, root)
        garments: dict[int, list[LabelledGarment]] = {int(image["id"]): [] for image in coco["images"]}
        for annotation in coco["annotations"]:
            garment = _garment(annotation)
            if garment is not None and int(annotation["image_id"]) in garments:
                garments[int(annotation["image_id"])].append(garment)
        photos = [
            LabelledPhoto(
                int(image["id"]),
                root / str(image["file_name"]),
                int(image["height"]),
                int(image["width"]),
                tuple(garments[int(image["id"])]),
                _part_map(parts, str(image["file_name"])),
            )
            for image in coco["images"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AnnotationError(f"{dataset}: expected a COCO dataset with selection.json, got {error!r}") from None
    return sorted(photos, key=_order)


def _order(photo: LabelledPhoto) -> tuple[str, int]:
    return photo.path.as_posix(), photo.image_id


def _part_map(folder: Path | None, file_name: str) -> Path | None:
    path = folder / Path(file_name).with_suffix(".png") if folder is not None else None
    return path if path is not None and path.is_file() else None


def _read_json(path: Path) -> Any:
    if not path.is_file():
        raise MissingInputError(
            "dataset file", path, "a dataset folder has selection.json, train.json, validation.json"
        )
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise AnnotationError(f"{path}: expected JSON, got {error}") from None


def _garment(annotation: dict[str, Any]) -> LabelledGarment | None:
    if annotation.get("iscrowd") or int(annotation["category_id"]) not in CATEGORY_NAMES:
        return None
    segmentation = annotation["segmentation"]
    if not isinstance(segmentation, list):
        raise ValueError("a segmentation that is not a list of polygons")
    polygons = tuple(
        tuple(float(value) for value in polygon)
        for polygon in segmentation
        if len(polygon) >= 6 and len(polygon) % 2 == 0
    )
    return LabelledGarment(int(annotation["category_id"]), polygons, annotation) if polygons else None


def dataset_digest(dataset: Path, photos: Sequence[LabelledPhoto]) -> str:
    """The SHA-256 (hex) of the annotations and the pictures, by ``selection.json``'s own digests where it has them.

    Raises:
        MissingInputError: a file of the dataset is not there. AnnotationError: ``selection.json`` is no JSON.
    """
    selection = _read_json(dataset / "selection.json")
    files = {name: digest_file(dataset / name) for name in ("train.json", "validation.json")}
    pictures = selection.get("digests")
    if not pictures:
        pictures = digest_files([photo.path for photo in photos], images_dir_of(dataset, selection))
    mapped = [photo.parts for photo in photos if photo.parts is not None]
    parts = {"parts": digest_files(mapped, mapped[0].parent)} if mapped else {}
    return digest_value({"files": files, "pictures": pictures} | parts)


def working_size(height: int, width: int, settings: SegmenterSettings) -> tuple[int, int]:
    """(height, width) at which the network looks at a photo of that size, in pixels."""
    scale = min(settings.short_side / min(height, width), settings.long_side / max(height, width))
    return max(round(height * scale), 1), max(round(width * scale), 1)


class GarmentDataset(Dataset[tuple[Tensor, Target]]):
    """Training examples by (epoch, index): image (3, H, W) float 0 to 1, and boxes, labels and masks of garments."""

    def __init__(self, photos: Sequence[LabelledPhoto], settings: SegmenterSettings) -> None:
        self.photos, self.settings = photos, settings
        self._cache: dict[int, RGB] = {}
        self._cache_bytes_left = settings.cache_megabytes * 1_000_000

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Target]:
        epoch, index = key
        photo = self.photos[index]
        random = np.random.default_rng((self.settings.seed, epoch, index))
        draw = Draw.at(random, self.settings)
        image, to_image = self._near(index, draw.close_up) if draw.close_up else self._decoded(index)
        # Polygons follow the photo through one matrix, and are drawn at the end: a mask is resampled never.
        matrix, size = draw.placement(image.shape[0], image.shape[1])
        warped = cv2.warpAffine(image, matrix[:2], size[::-1], flags=cv2.INTER_LINEAR, borderValue=(114, 114, 114))
        image = np.asarray(warped, np.uint8)
        drawn = drawn_garments(photo, matrix @ to_image, *size)
        labels, garments = [garment.category_id for garment, _ in drawn], [mask for _, mask in drawn]
        parts = self._parts(index, matrix @ to_image, *size)
        if draw.wall and photo.parts is not None:
            image = wall_behind(image, parts, random)
        donor = int(random.integers(len(self.photos)))
        if draw.paste and photo.parts is not None and self.photos[donor].parts is not None:
            lent, to_lent = self._decoded(donor)
            other = lent, self._parts(donor, to_lent, *lent.shape[:2])
            image, parts, garments = paste_body(image, parts, garments, other, random)
        image = draw.pixels(image, random)
        target = _target(labels, garments, *size)
        if self.settings.parts_head:
            target["parts"] = torch.from_numpy(parts)
        return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float().div_(255), target

    def plain(self, index: int, close_up: CloseUp | None = None) -> tuple[RGB, list[masks.Mask]]:
        """Photo ``index`` as it is, or a close-up of it, (H, W, 3) at working size, and its garments' masks (H, W); for
        validation."""
        image, to_image = self._near(index, close_up) if close_up else self._decoded(index)
        return image, [mask for _, mask in drawn_garments(self.photos[index], to_image, *image.shape[:2])]

    def _decoded(self, index: int) -> tuple[RGB, NDArray[np.float64]]:
        """The photo at working size and the matrix from annotated pixels to it."""
        photo = self.photos[index]
        image = self._cache.get(index)
        if image is None:
            full = read_rgb(photo.path)
            height, width = working_size(full.shape[0], full.shape[1], self.settings)
            image = np.asarray(cv2.resize(full, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
            if image.nbytes <= self._cache_bytes_left:
                self._cache[index] = image
                self._cache_bytes_left -= image.nbytes
        return image, scaling(image.shape[1] / photo.width, image.shape[0] / photo.height)

    def _near(self, index: int, close_up: CloseUp) -> tuple[RGB, NDArray[np.float64]]:
        """A close-up at working size, out of the photo at full size, and the matrix from annotated pixels to it."""
        photo = self.photos[index]
        full = read_rgb(photo.path)
        to_full = scaling(full.shape[1] / photo.width, full.shape[0] / photo.height)
        boxes = photo.boxes()
        if not boxes:
            return self._decoded(index)
        ratio = np.array([full.shape[1] / photo.width, full.shape[0] / photo.height] * 2)
        scaled = [Box(*(int(value) for value in np.array(box) * ratio)) for box in boxes]
        view = close_up.view(scaled, full.shape[0], full.shape[1])
        height, width = working_size(view.height, view.width, self.settings)
        cut = full[view.y1 : view.y2, view.x1 : view.x2]
        shrinks = height < view.height
        image = cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        moved = np.array([[1.0, 0, -view.x1], [0, 1, -view.y1], [0, 0, 1]])
        return np.asarray(image, np.uint8), scaling(width / view.width, height / view.height) @ moved @ to_full

    def _parts(self, index: int, matrix: NDArray[np.float64], height: int, width: int) -> PartMap:
        photo = self.photos[index]
        return placed_parts(photo if needs_parts(self.settings) else replace(photo, parts=None), matrix, height, width)


def placed_parts(photo: LabelledPhoto, matrix: NDArray[np.float64], height: int, width: int) -> PartMap:
    """The part map, (height, width), through a 3 x 3 matrix from annotated pixels; `UNKNOWN` outside, and all over
    where there is none.

    Raises:
        AnnotationError, ImageRejected: not a part map.
    """
    if photo.parts is None:
        return np.full((height, width), UNKNOWN, np.uint8)
    parts = read_parts(photo.parts)
    from_parts = matrix @ scaling(photo.width / parts.shape[1], photo.height / parts.shape[0])
    warped = cv2.warpAffine(parts, from_parts[:2], (width, height), flags=cv2.INTER_NEAREST, borderValue=UNKNOWN)
    return np.asarray(warped, np.uint8)


def needs_parts(settings: SegmenterSettings) -> bool:
    """Whether a training with these settings looks at part maps."""
    return bool(settings.parts_head or settings.paste_share or settings.wall_share)


def drawn_garments(
    photo: LabelledPhoto, matrix: NDArray[np.float64], height: int, width: int
) -> list[tuple[LabelledGarment, masks.Mask]]:
    """Garments and their masks (height, width), through a 3 x 3 matrix from annotated pixels, but those too thin."""
    drawn = []
    for garment in photo.garments:
        mask = masks.from_polygons([transform_polygon(p, matrix) for p in garment.polygons], height, width)
        if _box(mask) is not None:
            drawn.append((garment, mask))
    return drawn


def _box(mask: masks.Mask) -> Box | None:
    box = masks.bounding_box(mask)
    if box is None or box.width < MINIMUM_BOX_SIDE or box.height < MINIMUM_BOX_SIDE:
        return None
    return box


def _target(labels: list[int], garments: list[masks.Mask], height: int, width: int) -> Target:
    kept = [(label, mask, box) for label, mask in zip(labels, garments, strict=True) if (box := _box(mask)) is not None]
    return {
        "boxes": torch.tensor([box for _, _, box in kept], dtype=torch.float32).reshape(-1, 4) - HALF_PIXEL,
        "labels": torch.tensor([label for label, _, _ in kept], dtype=torch.int64),
        "masks": torch.from_numpy(np.array([mask for _, mask, _ in kept], np.uint8).reshape(-1, height, width)),
    }


def transform_polygon(polygon: Sequence[float], matrix: NDArray[np.float64]) -> list[float]:
    """``[x1, y1, ...]`` through a 3 x 3 affine matrix."""
    points = np.asarray(polygon, np.float64).reshape(-1, 2)
    return list((points @ matrix[:2, :2].T + matrix[:2, 2]).reshape(-1))


def collate(examples: list[tuple[Tensor, Target]]) -> tuple[list[Tensor], list[Target]]:
    """A batch as the detectors want it: lists, as sizes differ."""
    return [image for image, _ in examples], [target for _, target in examples]


def epoch_batches(
    photos: Sequence[LabelledPhoto], batch_size: int, seed: int, epoch: int, rank: int = 0, world: int = 1
) -> list[list[tuple[int, int]]]:
    """The batches of one epoch, as lists of (epoch, index); photos of like shape go together, which spares padding.

    ``rank`` of ``world`` processes takes every ``world``-th batch; all take equally many.
    """
    random = np.random.default_rng((seed, epoch))
    upright = np.array([photo.height >= photo.width for photo in photos])
    batches = []
    for group in (np.flatnonzero(upright), np.flatnonzero(~upright)):
        order = random.permutation(group)
        batches += [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    # Small last batches of both groups stay: every photo is seen once.
    order = random.permutation(len(batches))
    order = np.resize(order, -(-len(order) // world) * world)
    return [[(epoch, int(index)) for index in batches[i]] for i in order[rank::world]]
